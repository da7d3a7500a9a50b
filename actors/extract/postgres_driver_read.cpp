#include "actors/extract/postgres_driver.hpp"

#include <algorithm>
#include <thread>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

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

} // namespace

error postgres_driver::read(collector& out, std::chrono::milliseconds wait) {
  auto until = clock::now() + wait;
  switch (phase_) {
  case phase::closed:
    return unavailable("source " + name_ + " is not open");
  case phase::announce:
    if (skip_ids_)
      out.skip_ids(ids_left_out);
    for (auto i : parted_)
      if (auto* s = at_.plan.find(planned_name(at_.tables[i].name)))
        s->first_id = out.next_id();
    tables_text_ = at_.tables_text();
    settle(out);
    announced_ = committed_;
    // Rows of a snapshot go out only when it is stored that they may have gone out: a run that
    // finds this in its position never gives their ids again. And rows of the log only when it is
    // stored which of them are left out.
    phase_ = snapshot_ || !parted_.empty() ? phase::await_confirm : phase::stream;
    return {};
  case phase::snapshot:
    return read_snapshot(out, until);
  case phase::stream:
    if (auto failed = check_now_and_then())
      return failed;
    return explained(read_changes(out, until));
  case phase::await_confirm:
    if (asked_) {
      settle(out);
      announced_ = committed_;
    }
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
  asked_ = false;
  progress_.place = pg::lsn_text(at_.at);
  committed_ = at_.text(tables_text_);
  committed_at_ = clock::now();
  out.commit(committed_);
}

error postgres_driver::next_table(collector& out) {
  auto unread = at_.unread();
  while (snapshot_table_ < at_.tables.size() &&
         std::find(unread.begin(), unread.end(), at_.tables[snapshot_table_].name) == unread.end())
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
      t.snapshot = table_state::done;
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
    auto before = at_.at;
    if (auto failed = changes_->apply(*bytes, out))
      return failed;
    if (at_.at == before)
      continue;
    chunks_->handed_over(changes_->stamp());
    if (chunk_is_due())
      return {};
  }
  return {};
}

bool postgres_driver::chunk_is_due() const {
  return !changes_->in_transaction() && !changes_->resuming() &&
         chunks_->ready_at(std::max(at_.at, stream_->sent()));
}

void postgres_driver::add_rest(const chunks::ready& r, const ums::ns& name, collector& out) {
  const auto& from = r.data.rows;
  for (const auto& [row, columns] : r.rest) {
    std::vector<uint32_t> which;
    std::vector<ums::field> fields;
    for (uint32_t i = ums::system_columns; i < from.columns.size(); ++i) {
      const auto& f = from.schema->fields[i];
      if (!f.key && std::find(columns.begin(), columns.end(), f.name) == columns.end())
        continue;
      which.push_back(i);
      fields.push_back(f);
    }
    auto& b = out.row(out.table(name, fields), 'u', r.data.at_us, ums::protocol::initial_data);
    for (size_t i = 0; i < which.size(); ++i)
      b.columns[ums::system_columns + i].append(from.columns[which[i]], row, 1);
  }
}

error postgres_driver::publish_chunk(collector& out) {
  auto r = chunks_->take(std::max(at_.at, stream_->sent()));
  if (!r)
    return {};
  auto i = r->table;
  auto handle = changes_->version_for(i, r->columns, out);
  auto name = changes_->name_of(i);
  for (auto& [reason, bytes] : r->data.bad) {
    out.row(handle, 'i', r->data.at_us, ums::protocol::initial_data);
    out.spoil(std::move(reason), std::move(bytes));
  }
  settle(out);
  out.chunk(handle, std::move(r->data.rows), r->keep, r->data.at_us);
  add_rest(*r, name, out);
  auto done = chunks_->published(*r);
  auto& p = progress_.tables[i];
  if (done) {
    tell(*done, p);
    p.snapshot_done = true;
    if (done->sweep)
      out.sweep(name, r->data.at_us, done->first_id);
  } else {
    tell_snapshot(i);
  }
  tables_text_ = at_.tables_text();
  settle(out);
  out.commit_and_settle(committed_);
  return {};
}

error postgres_driver::wait(clock::time_point until) {
  until = std::min(until, clock::now() + 1s);
  auto also = chunks_->sockets();
  if (also.empty())
    return stream_->wait(until);
  until = std::min(until, chunks_->due());
  also.push_back(stream_->socket());
  if (auto failed = connection::wait_for_any(also, until))
    return failed;
  return stream_->wait(clock::now());
}

error postgres_driver::work_on_chunks(collector& out) {
  if (changes_->resuming())
    return {};
  if (auto failed = chunks_->work(out.next_id()))
    return failed;
  if (!chunks_->plan_changed())
    return {};
  tables_text_ = at_.tables_text();
  for (size_t i = 0; i < at_.tables.size(); ++i)
    tell_snapshot(i);
  asked_ = true;
  return {};
}

error postgres_driver::read_log(collector& out, clock::time_point until, size_t& taken) {
  for (;;) {
    if (auto failed = work_on_chunks(out))
      return failed;
    auto before = taken;
    if (auto failed = take_messages(out, taken))
      return failed;
    // A transaction that has begun to arrive is worth waiting for its end, within `wait`.
    bool whole = taken > 0 && !changes_->in_transaction();
    if (out.full() || whole || chunk_is_due() || clock::now() >= until)
      return {};
    if (taken == 0)
      if (auto failed = nothing_new(out))
        return failed;
    // The server sends a change at a time: to wake for each costs more than the change.
    if (taken >= large_transaction && taken - before < large_transaction)
      std::this_thread::sleep_until(std::min(until, clock::now() + gather_for));
    if (auto failed = wait(until))
      return failed;
  }
}

error postgres_driver::read_changes(collector& out, clock::time_point until) {
  if (reopen_ && !asked_)
    return committed_ == announced_ ? error{} : open(committed_);
  if (auto failed = stream_->wait(clock::now()))
    return failed;
  // Alone: a chunk is settled, and what the stream gave must not wait for that.
  if (chunk_is_due())
    return publish_chunk(out);
  size_t taken = 0;
  if (auto failed = read_log(out, until, taken))
    return failed;
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
  if (out.rows() > 0 || out.bytes() > 0 || asked_ ||
      (taken > 0 && clock::now() - committed_at_ >= set_.heartbeat))
    settle(out);
  if (reopen_)
    announced_ = committed_;
  return {};
}

error postgres_driver::nothing_new(collector& out) {
  bool between = !changes_->in_transaction() && !changes_->resuming();
  if (between && probe_target_ != 0 && stream_->sent() >= probe_target_) {
    progress_.idle = !chunks_->active();
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
  auto log = read_log_state(*catalog_, set_.slot);
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
    phase_ = snapshot_ ? phase::snapshot : phase::stream;
  // What was asked is stored: `read` opens anew.
  if (reopen_ && position == announced_)
    announced_.clear();
  if (!stream_)
    return {};
  auto at = lsn_of_position(position);
  return at ? stream_->confirm(*at) : at.error();
}

} // namespace rtdp::extract::pg
