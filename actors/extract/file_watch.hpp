/// The files that a `file` source reads: finds them, follows them through renaming, truncation and
/// copying, and keeps them open, so that one that was renamed or removed is still read to its end.
/// Plain class; owned by the driver, one thread.
#pragma once

#include "actors/extract/file_list.hpp"
#include "actors/extract/file_position.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rtdp::extract::files {

using steady = std::chrono::steady_clock;

/// Bytes before the offset that a copy is told by.
constexpr int64_t tail_max = 256;

struct descriptor {
  int fd = -1;
  descriptor() = default;
  explicit descriptor(int of) : fd(of) {}
  descriptor(descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept;
  ~descriptor();
  explicit operator bool() const { return fd >= 0; }
};

/// One file and how far it was read.
struct tracked {
  file_state state;
  descriptor file;
  int64_t size = 0;
  /// A name of the settings led to it at the last look.
  bool listed = false;
  /// `state.head_bytes` of the position that was settled last: rows are read only when a restart
  /// can tell the file by all that is known of its beginning.
  int64_t head_stored = 0;
  /// `state.tail` is not that of `state.offset` yet.
  bool moved = true;
  steady::time_point grown{};
  /// Size at which nothing more could be taken; -1 when that is not known.
  int64_t stuck_at = -1;
  /// Names in the first line of CSV.
  std::vector<std::string> header;

  bool has_work() const { return size > state.offset && stuck_at != size; }
  /// Up to `bytes` from `offset` on, fewer at the end of the file.
  result<std::string_view> read(int64_t offset, size_t bytes, std::string& buffer) const;
};

struct watch_settings {
  std::vector<std::string> paths, exclude;
  bool from_end = false;
  size_t files_max = 1000;
};

class watch {
public:
  using lister = std::function<decltype(list_files)>;

  explicit watch(watch_settings s, lister list = &list_files)
      : settings_(std::move(s)), list_(std::move(list)) {}

  /// From a stored position; `first`: there was none.
  void resume(std::vector<file_state> files, bool first);

  /// What a look found besides growth.
  struct changes {
    /// The list of files or an offset is another one: store it before anything is read.
    bool any = false;
    /// Keys of files whose bytes behind the offset are gone: rows of them may be on the bus under
    /// ids that would be given again.
    std::vector<std::string> lost;
    /// Old and new key of files that go on in a copy.
    std::vector<std::pair<std::string, std::string>> moved;
  };
  result<changes> look();

  /// Whether the beginning of the file is still what it was; learns more of it as it grows. To be
  /// called after bytes were read and before they are used.
  result<bool> same_file(tracked& t);
  /// Begins with the file anew.
  static void restart(tracked& t);
  /// The offset moved behind `before`, the last `tail_max` bytes or all that there are. Of the bytes
  /// that were read: by now the file may be truncated.
  static void passed(tracked& t, std::string_view before);

  std::vector<std::unique_ptr<tracked>>& files() { return files_; }
  const std::vector<std::unique_ptr<tracked>>& files() const { return files_; }
  tracked* find(const std::string& key);
  /// States of all files as they are to be stored.
  result<std::vector<file_state>> states();
  error open(tracked& t);
  /// A file is not read yet because it may be a copy of another that is about to be truncated.
  bool waits() const { return !suspects_.empty(); }

private:
  /// Marks the files that are listed; the others on the list.
  result<std::vector<seen>> list();
  result<bool> is_gone_or_cut(tracked& t);
  result<std::set<tracked*>> find_gone();
  /// A file that begins with what was read of `t`, with its offset; null: there is none.
  result<std::unique_ptr<tracked>> copy_of(const tracked& t, std::vector<seen>& unknown);
  static result<bool> holds(const tracked& candidate, const file_state& of);
  error follow(const std::set<tracked*>& gone, std::vector<seen>& unknown, changes& out);
  error add_new(const std::vector<seen>& unknown, changes& out);
  bool drop_finished();
  result<bool> may_be_copy(const tracked& candidate, const seen& s);

  watch_settings settings_;
  lister list_;
  std::vector<std::unique_ptr<tracked>> files_;
  bool first_ = true;
  /// When files that look like copies were seen first.
  std::map<std::string, steady::time_point> suspects_;
};

} // namespace rtdp::extract::files
