/// The driver of a `postgres` source: whole tables first, then the changes of a logical replication
/// slot. Made by `postgres_source`, owned by the SOURCE actor; one thread. What it does in `open`
/// and what in `read` stand in a file each.
///
/// Tables with a key are read in chunks beside the stream (postgres_chunks.hpp). What makes the
/// snapshot of a table without one and its changes a history without gap or double: the slot exists
/// before the snapshot is taken, and the table leaves out the transactions that its snapshot has
/// seen (`seen_by`); the stream begins when these snapshots are done. Where it stands is the end of
/// the last whole transaction and the number of changes handed over behind it; the LSN of a row is
/// never used, since rows of different transactions overlap in the log.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/postgres_changes.hpp"
#include "actors/extract/postgres_chunks.hpp"
#include "actors/extract/postgres_place.hpp"
#include "actors/extract/postgres_slot.hpp"
#include "actors/extract/postgres_snapshot.hpp"
#include "actors/extract/postgres_stream.hpp"

#include <optional>

namespace rtdp::extract::pg {

class postgres_driver final : public extract::driver {
public:
  using clock = connection::clock;

  postgres_driver(std::string name, settings s) : name_(std::move(name)), set_(std::move(s)) {}

  void take_over() override { set_.take_over = true; }
  error open(const std::string& position) override;
  error read(collector& out, std::chrono::milliseconds wait) override;
  error confirm(const std::string& position) override;
  error snapshot(const snapshot_request& asked) override;
  source_progress progress() const override { return progress_; }
  error beat(int64_t now_us) override;
  int64_t beaten_us() const override { return beat_ ? beat_->returned_us() : -1; }

private:
  /// What comes next; each ends in the one below it.
  enum class phase { closed, announce, await_confirm, snapshot, stream };

  error restore(place found);
  error plan_chunks(const snapshot_plan& stored, const std::vector<bool>& unknown);
  error part_from_log(const std::string& exported);
  error open_beat(bool slot_exists);
  error prepare(bool slot_exists);
  result<size_t> table_asked_for(const std::string& name) const;
  error plan_start(const snapshot_request& asked, size_t table);
  void tell_snapshot(size_t table);
  error start_stream();
  error read_snapshot(collector& out, clock::time_point until);
  error next_table(collector& out);
  error read_changes(collector& out, clock::time_point until);
  error check_now_and_then();
  error explained(error failed);
  error read_log(collector& out, clock::time_point until, size_t& taken);
  error work_on_chunks(collector& out);
  bool chunk_is_due() const;
  error publish_chunk(collector& out);
  void add_rest(const chunks::ready& r, const ums::ns& name, collector& out);
  error wait(clock::time_point until);
  error take_messages(collector& out, size_t& taken);
  error nothing_new(collector& out);
  error probe();
  void settle(collector& out);

  std::string name_;
  settings set_;
  phase phase_ = phase::closed;
  std::vector<captured_table> tables_;
  position at_;
  std::string tables_text_;
  std::optional<connection> catalog_;
  std::optional<connection> slot_maker_;
  std::optional<pg::snapshot> snapshot_;
  std::optional<pg::beat> beat_;
  std::optional<changes> changes_;
  std::optional<stream> stream_;
  snapshot_windows windows_;
  std::optional<chunks> chunks_;
  /// The plan is not yet as it is now in a position that was committed.
  bool asked_ = false;
  /// To be opened again at the position announced, for a table that is read at once.
  bool reopen_ = false;
  /// Tables that may have been published in part by a run whose position was lost.
  std::vector<bool> truncate_first_;
  bool skip_ids_ = false;
  /// Tables whose first snapshot is planned since `open`.
  std::vector<size_t> parted_;
  std::string announced_;
  size_t snapshot_table_ = 0;
  collector::handle snapshot_handle_ = 0;

  /// The last position that was given to the collector, and when.
  std::string committed_;
  clock::time_point committed_at_{};

  source_progress progress_;
  clock::time_point probed_at_{};
  clock::time_point checked_at_{};
  /// Where the log ended at the last probe, and the server's time then.
  lsn probe_target_ = 0;
  int64_t probe_us_ = 0;
};

} // namespace rtdp::extract::pg
