/// Source `postgres`: an initial snapshot, then the changes of a logical replication slot.
///
/// What makes both one history without gap or double: the slot exists before the snapshot is taken,
/// and each table leaves out the transactions that its snapshot has seen (`seen_by`). Where it
/// stands is the end of the last whole transaction and the number of changes handed over behind it;
/// the LSN of a row is never used, since rows of different transactions overlap in the log.

#include "actors/extract/driver.hpp"
#include "actors/extract/postgres_changes.hpp"
#include "actors/extract/postgres_describe.hpp"
#include "actors/extract/postgres_settings.hpp"
#include "actors/extract/postgres_snapshot.hpp"
#include "actors/extract/postgres_stream.hpp"

#include <algorithm>
#include <optional>
#include <thread>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using clock = pg::connection::clock;

/// Ids left out when rows may have been published whose position was not stored: more than the
/// 50,000 rows of a full collector and everything that waits for a flush behind it.
constexpr int64_t ids_left_out = 10'000'000;
/// How often the server is asked where its log ends: until we are there, then, and under load.
constexpr auto catching_up_probe_every = 50ms;
constexpr auto idle_probe_every = 1s;
constexpr auto busy_probe_every = 10s;
/// After so many changes of a transaction rows are let pile up: 5 times fewer CPU seconds.
constexpr size_t large_transaction = 64;
constexpr auto gather_for = 500us;
/// Rows read between two looks at the clock.
constexpr int rows_between_reports = 4096;

class postgres_driver final : public driver {
public:
  postgres_driver(std::string name, pg::settings s) : name_(std::move(name)), set_(std::move(s)) {}

  error open(const std::string& position) override;
  error read(collector& out, std::chrono::milliseconds wait) override;
  error confirm(const std::string& position) override;
  source_progress progress() const override { return progress_; }

private:
  /// What comes next; each ends in the one below it.
  enum class phase { closed, announce, await_confirm, snapshot, stream };

  error restore(const std::string& position, const std::optional<pg::slot_state>& slot);
  error prepare(bool slot_exists);
  error start_stream();
  error read_snapshot(collector& out, clock::time_point until);
  error next_table(collector& out);
  error read_changes(collector& out, clock::time_point until);
  error take_messages(collector& out, size_t& taken);
  error nothing_new(collector& out);
  error probe();
  void settle(collector& out);

  std::string name_;
  pg::settings set_;
  phase phase_ = phase::closed;
  std::vector<pg::captured_table> tables_;
  pg::position at_;
  std::string tables_text_;
  std::optional<pg::connection> catalog_;
  std::optional<pg::connection> slot_maker_;
  std::optional<pg::snapshot> snapshot_;
  std::optional<pg::changes> changes_;
  std::optional<pg::stream> stream_;
  /// Tables that may have been published in part by a run whose position was lost.
  std::vector<bool> truncate_first_;
  bool skip_ids_ = false;
  std::string announced_;
  size_t snapshot_table_ = 0;
  collector::handle snapshot_handle_ = 0;

  /// The last position that was given to the collector, and when.
  std::string committed_;
  clock::time_point committed_at_{};

  source_progress progress_;
  clock::time_point probed_at_{};
  /// Where the log ended at the last probe, and the server's time then.
  pg::lsn probe_target_ = 0;
  int64_t probe_us_ = 0;
};

// -- open ----

error postgres_driver::open(const std::string& position) {
  phase_ = phase::closed;
  stream_.reset();
  changes_.reset();
  snapshot_.reset();
  slot_maker_.reset();
  if (set_.tables_wrong)
    return set_.tables_wrong;
  auto c = pg::connection::open(set_.connect);
  if (!c)
    return c.error();
  catalog_.emplace(std::move(*c));
  if (auto failed = pg::check_server(*catalog_))
    return failed;
  auto tables = pg::find_tables(*catalog_, set_.tables);
  if (!tables)
    return tables.error();
  tables_ = std::move(*tables);
  auto slot = pg::find_slot(*catalog_, set_.slot);
  if (!slot)
    return slot.error();
  if (auto failed = pg::check_slot(*slot, set_.slot, set_.create, position))
    return failed;
  if (auto failed = pg::ensure_publication(*catalog_, set_.publication, set_.create, tables_,
                                           slot->has_value()))
    return failed;
  if (auto failed = restore(position, *slot))
    return failed;
  return prepare(slot->has_value());
}

error postgres_driver::restore(const std::string& position,
                               const std::optional<pg::slot_state>& slot) {
  pg::position stored;
  if (!position.empty()) {
    auto parsed = pg::parse_position(position);
    if (!parsed)
      return parsed.error();
    stored = std::move(*parsed);
  } else if (slot) {
    stored.at = slot->confirmed;
  }
  at_ = {};
  at_.at = stored.at;
  at_.index = stored.index;
  truncate_first_.clear();
  // A slot without a position: an earlier run may have published rows before it could store one.
  bool unknown_past = position.empty() && slot.has_value();
  skip_ids_ = unknown_past || stored.tables.size() != tables_.size();
  for (const auto& t : tables_) {
    auto* old = stored.find(t.name);
    bool restart = old != nullptr ? old->snapshot == pg::table_state::begun : unknown_past;
    auto& now = at_.tables.emplace_back(
        old != nullptr ? *old : pg::table_state{.name = t.name, .seen = {}});
    if (!set_.initial)
      now.snapshot = pg::table_state::done;
    skip_ids_ = skip_ids_ || old == nullptr || restart;
    truncate_first_.push_back(restart);
  }
  // The very first start has no past to keep away from.
  if (position.empty() && !slot)
    skip_ids_ = false;
  tables_text_ = at_.tables_text();
  progress_ = {};
  for (size_t i = 0; i < tables_.size(); ++i)
    progress_.tables.push_back({.name = {},
                                .snapshot_done = at_.tables[i].snapshot == pg::table_state::done,
                                .snapshot_rows_estimated = tables_[i].rows_estimated});
  return {};
}

error postgres_driver::prepare(bool slot_exists) {
  if (auto unread = at_.unread(); !unread.empty()) {
    auto s = pg::snapshot::begin(set_.connect, unread);
    if (!s)
      return s.error();
    snapshot_.emplace(std::move(*s));
  }
  std::string exported;
  if (!slot_exists) {
    auto c = pg::connection::open(set_.replicate);
    if (!c)
      return c.error();
    slot_maker_.emplace(std::move(*c));
    auto made = pg::create_slot(*slot_maker_, set_.slot);
    if (!made)
      return made.error();
    at_.at = made->start;
    exported = made->snapshot;
  }
  changes_.emplace(name_, *catalog_, at_, tables_);
  for (size_t i = 0; i < tables_.size(); ++i)
    progress_.tables[i].name = changes_->name_of(i);
  announced_.clear();
  snapshot_table_ = 0;
  phase_ = phase::announce;
  return snapshot_ ? snapshot_->fix(exported) : start_stream();
}

error postgres_driver::start_stream() {
  slot_maker_.reset();
  auto c = pg::connection::open(set_.replicate);
  if (!c)
    return c.error();
  auto s = pg::stream::start(std::move(*c), set_.slot, set_.publication, at_.at);
  if (!s)
    return s.error();
  stream_.emplace(std::move(*s));
  probed_at_ = {};
  return {};
}

// -- read ----

error postgres_driver::read(collector& out, std::chrono::milliseconds wait) {
  auto until = clock::now() + wait;
  switch (phase_) {
  case phase::closed:
    return unavailable("source " + name_ + " is not open");
  case phase::announce:
    if (skip_ids_)
      out.skip_ids(ids_left_out);
    settle(out);
    announced_ = committed_;
    // Rows of a snapshot go out only when it is stored that they may have gone out: a run that
    // finds this in its position never gives their ids again.
    phase_ = snapshot_ ? phase::await_confirm : phase::stream;
    return {};
  case phase::snapshot:
    return read_snapshot(out, until);
  case phase::stream:
    return read_changes(out, until);
  case phase::await_confirm:
    break;
  }
  return {};
}

void postgres_driver::settle(collector& out) {
  if (changes_->tables_changed()) {
    tables_text_ = at_.tables_text();
    for (size_t i = 0; i < at_.tables.size(); ++i)
      progress_.tables[i].name = changes_->name_of(i);
  }
  committed_ = at_.text(tables_text_);
  committed_at_ = clock::now();
  out.commit(committed_);
}

error postgres_driver::next_table(collector& out) {
  while (snapshot_table_ < at_.tables.size() &&
         at_.tables[snapshot_table_].snapshot == pg::table_state::done)
    ++snapshot_table_;
  if (snapshot_table_ == at_.tables.size())
    return {};
  auto i = snapshot_table_;
  if (auto failed = snapshot_->start(at_.tables[i].name, set_.publication))
    return failed;
  snapshot_handle_ = changes_->version_for(i, snapshot_->columns(), out);
  if (truncate_first_[i])
    out.truncate(changes_->name_of(i), snapshot_->at_us());
  return {};
}

error postgres_driver::read_snapshot(collector& out, clock::time_point until) {
  while (!out.full()) {
    if (!snapshot_->copying()) {
      if (auto failed = next_table(out))
        return failed;
      if (snapshot_table_ == at_.tables.size())
        break;
    }
    auto& p = progress_.tables[snapshot_table_];
    auto before = out.rows();
    if (auto failed = snapshot_->copy(out, snapshot_handle_, until))
      return failed;
    p.snapshot_rows += int64_t(out.rows() - before);
    if (!snapshot_->copying()) {
      auto& t = at_.tables[snapshot_table_];
      t.snapshot = pg::table_state::done;
      t.seen = snapshot_->seen();
      p.snapshot_done = true;
      tables_text_ = at_.tables_text();
    } else if (clock::now() >= until) {
      break;
    }
  }
  if (snapshot_table_ == at_.tables.size()) {
    snapshot_.reset();
    phase_ = phase::stream;
    if (auto failed = start_stream())
      return failed;
  }
  settle(out);
  return {};
}

error postgres_driver::take_messages(collector& out, size_t& taken) {
  for (int n = 0; !out.full(); ++n) {
    if (n % rows_between_reports == 0)
      if (auto failed = stream_->report_every(set_.status))
        return failed;
    auto bytes = stream_->next();
    if (!bytes)
      return bytes.error();
    if (bytes->empty())
      return {};
    ++taken;
    if (auto failed = changes_->apply(*bytes, out))
      return failed;
  }
  return {};
}

error postgres_driver::read_changes(collector& out, clock::time_point until) {
  size_t taken = 0;
  if (auto failed = stream_->wait(clock::now()))
    return failed;
  for (;;) {
    auto before = taken;
    if (auto failed = take_messages(out, taken))
      return failed;
    // A transaction that has begun to arrive is worth waiting for its end, within `wait`.
    bool whole = taken > 0 && !changes_->in_transaction();
    if (out.full() || whole || clock::now() >= until)
      break;
    if (taken == 0)
      if (auto failed = nothing_new(out))
        return failed;
    // The server sends a change at a time: to wake for each costs more than the change.
    if (taken >= large_transaction && taken - before < large_transaction)
      std::this_thread::sleep_until(std::min(until, clock::now() + gather_for));
    if (auto failed = stream_->wait(std::min(until, clock::now() + 1s)))
      return failed;
  }
  if (taken > 0) {
    progress_.idle = false;
    progress_.complete_until_us = std::max(progress_.complete_until_us, changes_->committed_us());
  } else if (auto failed = nothing_new(out)) {
    return failed;
  }
  if (clock::now() - probed_at_ >= busy_probe_every)
    if (auto failed = probe())
      return failed;
  // Transactions of other tables are not worth a store each.
  if (out.rows() > 0 || out.bytes() > 0 ||
      (taken > 0 && clock::now() - committed_at_ >= set_.heartbeat))
    settle(out);
  return {};
}

error postgres_driver::nothing_new(collector& out) {
  bool between = !changes_->in_transaction() && !changes_->resuming();
  if (between && probe_target_ != 0 && stream_->sent() >= probe_target_) {
    progress_.idle = true;
    progress_.complete_until_us = std::max(progress_.complete_until_us, probe_us_);
    probe_target_ = 0;
  }
  // Log of other databases keeps growing: let the server forget it. Only by way of a stored
  // position, so that none is ever older than what the slot still has.
  if (between && stream_->sent() > at_.at && clock::now() - committed_at_ >= set_.heartbeat) {
    at_.at = stream_->sent();
    settle(out);
  }
  if (clock::now() - probed_at_ < (progress_.idle ? idle_probe_every : catching_up_probe_every))
    return {};
  if (probe_target_ != 0)
    progress_.idle = false;
  if (auto failed = probe())
    return failed;
  return stream_->ask();
}

error postgres_driver::probe() {
  auto log = pg::read_log_state(*catalog_, set_.slot);
  if (!log)
    return log.error();
  probe_target_ = log->flushed;
  probe_us_ = log->now_us;
  progress_.retained_bytes = log->retained_bytes;
  probed_at_ = clock::now();
  return {};
}

error postgres_driver::confirm(const std::string& position) {
  if (phase_ == phase::await_confirm && position == announced_)
    phase_ = phase::snapshot;
  if (!stream_)
    return {};
  auto at = pg::lsn_of_position(position);
  return at ? stream_->confirm(*at) : at.error();
}

} // namespace

kind postgres_source() {
  return {pg::settings_spec(),
          [](const std::string& name, const config::section& s) {
            return std::unique_ptr<driver>(
                std::make_unique<postgres_driver>(name, pg::read_settings(name, s)));
          },
          &pg::describe_source, &pg::table_pattern};
}

} // namespace rtdp::extract
