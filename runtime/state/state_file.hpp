/// The file of a flow's state: the keys and values of one point, in SQLite. Part of `keyed_state`;
/// one thread, but for `write`, which works beside it on a connection of its own.
///
/// The file is a cache of the changelog. A crash leaves it at a point that it had, a power cut may
/// take its last ones with it.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/state/sqlite.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::state {

/// The first key behind all that begin with `prefix`. REQUIRES: it has a byte below 0xff.
std::string key_behind(std::string_view prefix);

class state_file {
public:
  /// A file that is damaged is made anew.
  static result<std::unique_ptr<state_file>> open(const std::string& path, size_t cache_bytes);
  /// Gives up what is being written: who lets go of a state does not wait for the disk.
  ~state_file();

  /// What it holds, as far as this thread knows.
  state_point point() const { return point_; }
  /// In the middle of a restore: it holds no point.
  bool is_between() const { return point_.incarnation < 0; }
  size_t bytes();

  // -- reading: all of one moment, until `end_reading` ----

  result<std::optional<std::string_view>> get(std::string_view key);
  /// False ends it. The views are valid within the call.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;
  /// Keys behind `after` that begin with `prefix`, which may be empty, upwards, at most so many.
  error look_on(std::string_view prefix, std::string_view after, size_t most, const visitor& visit);
  /// All that begin with `prefix`, one row after the other. To be reset at the end.
  statement& rows(std::string_view prefix, bool downwards);
  void end_reading();

  // -- writing ----

  /// Writes changes, which end with `after`, or without it at no point until a call brings one.
  error apply(std::string_view changes, std::optional<state_point> after);
  /// Nothing, at {0, 0}.
  error reset();
  /// The same as `apply`, in the background. REQUIRES: none is under way.
  void write(std::shared_ptr<const std::string> changes, state_point after);
  bool is_writing() const { return writing_.valid(); }
  /// Nothing while a write is under way, or when there was none; with `wait` it is over. A write
  /// that failed may be repeated.
  std::optional<error> written(bool wait);

  /// What it holds now, in pieces, while it is written.
  class snapshot {
  public:
    state_point of;
    /// About so many bytes of changes that put what the file holds; empty at the end.
    result<std::string> next(size_t bytes);

  private:
    friend class state_file;
    database db_;
    statement rows_;
    bool at_end_ = false;
  };
  result<std::unique_ptr<snapshot>> take_snapshot();

private:
  /// A connection that writes.
  struct writer {
    database db;
    statement put, erase, point;

    /// Pages in SQLite's log, which grows until what is in it goes into the file.
    int pages_in_log = 0;

    std::atomic<bool> gives_up = false;

    error prepare();
    error apply(std::string_view changes, state_point after);
    error put_point(state_point p);
    /// Moves a log that has grown into the file. Waits for the disk.
    error checkpoint();
  };

  error prepare(size_t cache_bytes);

  std::string path_;
  database db_;
  statement get_, up_, down_, on_, pages_;
  /// Bounds of what the statements read.
  std::string from_, behind_;
  bool is_reading_ = false;
  writer writer_;
  state_point point_, writing_to_;
  std::future<error> writing_;
};

} // namespace rtdp::state
