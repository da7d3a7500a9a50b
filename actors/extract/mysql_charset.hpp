/// Text in any character set of MariaDB and MySQL to UTF-8. Owned by whoever converts; one thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace rtdp::extract::my {

class charset {
public:
  /// By the server's name: "latin1", "utf8mb4", "ucs2". Null: we cannot read it.
  static std::shared_ptr<charset> find(std::string_view name);

  ~charset();
  charset(const charset&) = delete;
  charset& operator=(const charset&) = delete;

  /// `text` in UTF-8, valid until the next call or as long as `text` itself. No data pointer: the
  /// bytes are not text of this set.
  std::string_view to_utf8(std::string_view text);
  /// Bytes that one character takes at most, as the server counts.
  size_t bytes_max() const { return bytes_max_; }
  const std::string& name() const { return name_; }

private:
  enum class way : uint8_t { none, check, table, iconv };
  charset() = default;
  bool fill_table(const char* foreign);
  std::string_view through_iconv(std::string_view text);

  std::string name_;
  way way_ = way::none;
  size_t bytes_max_ = 1;
  bool ascii_below_ = false;
  /// UTF-8 of each byte; empty where the byte is no character.
  std::array<std::string, 256> table_;
  void* iconv_ = nullptr;
  std::string out_;
};

} // namespace rtdp::extract::my
