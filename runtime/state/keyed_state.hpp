/// What the steps of one flow remember: keys and values of bytes, in memory as far as they are new
/// and else in `<data_dir>/flows/<flow>.db`. Owned by FLOW's pipeline; one thread.
///
/// A batch changes the state and ends with `commit`, which makes one more version of it and hands
/// out the changes as bytes for the changelog, or with `rollback`. The file follows behind: it only
/// ever holds versions that the target is known to have, so it is a cache that needs no repair. What
/// was written before a crash is a true older version, and the changelog has the rest.
///
/// A key begins with the number of the step and the number of one of its tables. Tables whose number
/// has `overlay::ordered_bit` can be walked in order.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/overlay.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/state/sqlite.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::state {

struct keyed_state_settings {
  std::string path;
  /// Of changes, before they go from memory to the file. Written together and in the order of their
  /// keys, so that a page which many batches change is written once.
  size_t memory_bytes = 16 << 20;
  /// What SQLite keeps of the file in memory.
  size_t cache_bytes = 64 << 20;
};

class keyed_state {
public:
  /// A file that is damaged is made anew: nothing is in it that the changelog does not have.
  static result<std::unique_ptr<keyed_state>> open(const keyed_state_settings& settings);

  // -- what steps call, within a batch ----

  /// Nothing when there is no such key. The view is valid until the next call of any of these.
  result<std::optional<std::string_view>> get(std::string_view key);
  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);

  /// False ends the walk. The views are valid within the call, which must not change the state.
  using visitor = std::function<bool(std::string_view key, std::string_view value)>;
  /// Each key of a table that begins with `prefix`, in no order. REQUIRES: it has two bytes or more.
  error each(std::string_view prefix, const visitor& visit);
  /// Keys of an ordered table that begin with `prefix`, upwards or downwards.
  error walk(std::string_view prefix, bool downwards, const visitor& visit);
  /// At most `most` keys of the file from `after` on, upwards: for work that is done bit by bit over
  /// the whole of a table. What is newer in memory is not looked at; `get` tells.
  error look_on(std::string_view prefix, const std::string& after, size_t most,
                const visitor& visit);

  // -- what the pipeline calls ----

  /// True when the batch changed something.
  bool changed() const { return !touched_.empty(); }
  /// The batch's changes; the state is at the next version.
  std::shared_ptr<const std::string> commit();
  /// Forgets what the batch did.
  void rollback();
  state_point point() const { return {incarnation_, version_}; }

  /// The target has this version and those before it. Writes to the file when enough has come
  /// together, or when `now`.
  error committed(int64_t version, bool now = false);

  // -- on the way to a state that the changelog has: nothing is in memory ----

  /// What the file holds.
  state_point file_point() const { return file_; }
  size_t file_bytes() const;
  /// The empty state, point {0, 0}.
  error reset();
  /// Writes changes into the file; at `after` with them, or, without it, at no point until a later
  /// call brings one.
  error apply(std::string_view changes, std::optional<state_point> after);
  /// The state is what the file holds; `incarnation` goes on from there, counting from `version`.
  void begin(int64_t incarnation, int64_t version);

  /// The file as it is now, in pieces, while batches go on.
  class snapshot {
  public:
    state_point of;
    /// About so many bytes of changes that put what the file holds; empty at the end.
    result<std::string> next(size_t bytes);

  private:
    friend class keyed_state;
    database db_;
    statement rows_;
    bool at_end_ = false;
  };
  result<std::unique_ptr<snapshot>> take_snapshot();

private:
  error prepare();
  error put_point(state_point p);
  error write_file(std::string_view key, std::string_view value, bool gone);
  error flush(int64_t version);
  overlay::cell& touch(std::string_view key);

  /// An entry of the batch in hand as it was before.
  struct touched {
    overlay::entry* entry;
    overlay::cell before;
    bool is_new;
  };
  struct pending {
    int64_t version;
    std::shared_ptr<const std::string> changes;
  };

  keyed_state_settings settings_;
  database db_;
  statement get_, put_, erase_, point_, up_, down_, on_;
  overlay memory_;
  std::vector<touched> touched_;
  /// Committed batches that the file does not hold.
  std::deque<pending> pending_;
  size_t pending_bytes_ = 0;
  /// Of the pending ones: those that the target has.
  size_t ready_bytes_ = 0;
  int64_t ready_ = 0;
  state_point file_;
  int64_t incarnation_ = 0, version_ = 0;
};

} // namespace rtdp::state
