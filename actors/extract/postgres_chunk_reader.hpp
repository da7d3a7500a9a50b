/// One connection that reads chunks, without ever waiting for the server. Owned by `chunks`, which
/// calls `advance` again and again; one thread.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/postgres_chunk_table.hpp"
#include "actors/extract/postgres_copied_rows.hpp"

#include <optional>
#include <utility>

namespace rtdp::extract::pg {

/// What came of one chunk.
struct read_chunk {
  ums::batch rows;
  /// Why, and the bytes.
  std::vector<std::pair<std::string, std::string>> bad;
  seen_by seen;
  /// The server's time when the rows were as they are here.
  int64_t at_us = 0;
  /// When the log was read up to here, every transaction that `seen` covers was handed over.
  lsn high = 0;
  std::string fingerprint;
};

class chunk_reader {
public:
  static result<chunk_reader> open(const connection::options& o);

  bool busy() const { return stage_ != stage::idle && !too_large(); }
  int socket() const { return connection_.socket(); }

  /// Begins to look for the end of the chunk behind `from`. REQUIRES: not busy.
  error find_bound(const chunk_table& t, const key_texts& from);
  /// Begins to read the chunk. `t` outlives the reading. REQUIRES: not busy.
  error read(const chunk_table& t, const key_texts& from, const key_texts& to,
             const std::string& slot);

  /// Takes what has come, for a bounded time. `unavailable` when nothing came for very long.
  error advance();

  /// The bound, once it is known; an empty key when the rest fits into a chunk.
  std::optional<key_texts> bound() { return std::exchange(bound_, {}); }
  /// It got too large to be kept: the reader cannot be used any more.
  bool too_large() const { return stage_ == stage::too_large; }
  /// The chunk, once it is read.
  std::optional<read_chunk> chunk() { return std::exchange(chunk_, {}); }

private:
  enum class stage : uint8_t { idle, bound, before_rows, rows, behind_rows, too_large };
  explicit chunk_reader(connection c) : connection_(std::move(c)) {}
  error take_rows();
  error take_outcome(connection::outcome& o);
  error take_seen(const connection::row& r);

  connection connection_;
  stage stage_ = stage::idle;
  std::optional<copied_rows> decoder_;
  std::optional<read_chunk> reading_, chunk_;
  std::optional<key_texts> finding_, bound_;
  bool check_text_ = false;
  connection::clock::time_point heard_{};
};

} // namespace rtdp::extract::pg
