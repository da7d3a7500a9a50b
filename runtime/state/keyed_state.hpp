/// What the steps of one flow remember: keys and values of bytes, in memory as far as they are new
/// or were used lately, and else in `<data_dir>/flows/<flow>.db`. Owned by FLOW's pipeline; one
/// thread.
///
/// A batch changes the state and ends with `commit`, which makes one more version of it and hands
/// out the changes as bytes for the changelog, or with `rollback`. The file follows behind, written
/// in the background: it only ever holds versions that the target is known to have, so it is a cache
/// that needs no repair. What was written before a crash is a true older version, and the changelog
/// has the rest.
///
/// A key begins with the number of the step and the number of one of its tables. Tables whose number
/// has `ordered_bit` can be walked in order.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/cell_table.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/state/state_file.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::state {

struct keyed_state_settings {
  std::string path;
  /// Of keys and values in memory. What was not used lately goes first; what the file does not hold
  /// stays.
  size_t memory_bytes = 160 << 20;
  /// Keys that changed, before they go to the file: together and in order, so that a page with many
  /// of them is written once.
  size_t changed_keys = 250'000;
  /// What SQLite keeps of the file in memory.
  size_t cache_bytes = 16 << 20;
};

class keyed_state {
public:
  /// A file that is damaged is made anew: nothing is in it that the changelog does not have.
  static result<std::unique_ptr<keyed_state>> open(const keyed_state_settings& settings);

  static constexpr uint8_t ordered_bit = 0x80;

  // -- what steps call, within a batch ----

  /// Nothing when there is no such key. The view is valid until the next call of any of these.
  result<std::optional<std::string_view>> get(std::string_view key);
  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);

  using visitor = state_file::visitor;
  /// Each key of a table that begins with `prefix`, in no order. REQUIRES: it has two bytes or more,
  /// and the visitor does not change the state.
  error each(std::string_view prefix, const visitor& visit);
  /// Keys of an ordered table that begin with `prefix`, upwards or downwards.
  error walk(std::string_view prefix, bool downwards, const visitor& visit);
  /// At most `most` keys of the file from `after` on, upwards: for work that is done bit by bit over
  /// the whole of a table. What is newer in memory is not looked at; `get` tells.
  error look_on(std::string_view prefix, const std::string& after, size_t most,
                const visitor& visit);

  // -- what the pipeline calls ----

  /// True when the batch changed something.
  bool changed() const { return !batch_.touched.empty(); }
  /// The batch's changes; the state is at the next version.
  std::shared_ptr<const std::string> commit();
  /// Forgets what the batch did.
  void rollback();
  state_point point() const { return {incarnation_, version_}; }

  /// The target has this version and those before it. Begins to write the file when enough keys have
  /// changed. Between batches.
  error committed(int64_t version);
  /// Begins to write to the file what the target has; with `wait` it is there.
  error flush(bool wait);
  /// What the file holds.
  state_point file_point() const { return file_->point(); }
  size_t file_bytes() { return file_->bytes(); }
  result<std::unique_ptr<state_file::snapshot>> take_snapshot() { return file_->take_snapshot(); }

  // -- on the way to a state that the changelog has ----

  /// Reads the file into memory when it is small enough to stay there, about `most` keys. True when
  /// there is nothing left to read.
  result<bool> load(size_t most);
  /// What was reached.
  state_point reached() const { return reached_; }
  /// The empty state, point {0, 0}.
  error reset();
  /// Takes changes in; the state is at `after` with them, or, without it, at no point until a later
  /// call brings one.
  error apply(std::string_view changes, std::optional<state_point> after);
  /// The state is what was reached; `incarnation` goes on from there, counting from `version`.
  void begin(int64_t incarnation, int64_t version);
  /// Another one goes on from here, and this state may be brought to where that one gets. False:
  /// there are batches that the target is not known to have.
  bool rest();

private:
  using id = cell_table::id;
  /// A cell as it was before a batch touched it.
  struct before {
    id cell = 0;
    bool is_new = false, gone = false;
    int64_t version = 0;
    /// Of its value, in `batch::values`.
    size_t at = 0, size = 0;
  };
  struct batch {
    int64_t version = 0;
    std::vector<before> touched;
    std::string values;

    std::string_view value(const before& b) const {
      return std::string_view(values).substr(b.at, b.size);
    }
  };

  static bool is_ordered(std::string_view key) {
    return key.size() > 1 && (uint8_t(key[1]) & ordered_bit);
  }
  bool in_file(int64_t version) const { return version <= file_->point().version; }
  id touch(std::string_view key);
  void note_changed(id cell, int64_t version_before);
  void remove(id cell);
  void make_room();
  error take_in(std::string_view changes, state_point after);
  error restore_part(std::string_view changes, std::optional<state_point> after);
  error write_on();
  error check_written(bool wait);
  bool collect();

  keyed_state_settings settings_;
  std::unique_ptr<state_file> file_;
  cell_table cells_;
  /// Keys that are not in memory are not in the file either.
  bool is_whole_ = false;
  /// Where `load` goes on; nothing when it is at its end.
  std::optional<std::string> loaded_to_;

  /// Ordered keys with a version that the file does not hold.
  std::map<std::string, id, std::less<>> ordered_;
  /// Cells with a version that neither the file holds nor what is being written, and their bytes.
  std::vector<id> changed_;
  size_t changed_bytes_ = 0;
  /// How many there were before the batch in hand.
  size_t changed_before_ = 0;
  /// What is being written holds this version.
  int64_t collected_ = 0;
  std::shared_ptr<const std::string> written_;
  state_point written_to_;
  /// Ordered cells and those that are gone, in what is being written.
  std::vector<id> to_tidy_;

  batch batch_;
  /// Batches that the target is not known to have.
  std::deque<batch> in_flight_;
  state_point reached_;
  int64_t incarnation_ = 0, version_ = 0, ready_ = 0;
  /// Up to here versions are those of the way to `reached_`.
  int64_t begun_at_ = INT64_MAX;
};

} // namespace rtdp::state
