/// Source `mysql`: snapshots piece by piece, merged with the changes of the binary log.
///
/// Each piece of a snapshot is the state of its table at exactly one place of the log, and goes out
/// when the log stands there (mysql_snapshot.hpp). A table's changes go out from the place of its
/// first piece on. The position is the end of the last whole transaction in the log and what was
/// handed over behind it, with the columns of every table there: statements in the log change them
/// in log order, and no event is ever read with columns of another moment.

#include "actors/extract/mysql_describe.hpp"
#include "actors/extract/mysql_driver.hpp"

#include <algorithm>
#include <utility>

namespace rtdp::extract::my {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Ids left out when rows may have been published whose position was not stored: more than the
/// 50,000 rows of a full collector and everything that waits for a flush behind it.
constexpr int64_t ids_left_out = 10'000'000;
/// How often the server is asked where its log ends: until we are there, then, and under load.
constexpr auto catching_up_probe_every = 50ms;
constexpr auto idle_probe_every = 1s;
constexpr auto busy_probe_every = 10s;

} // namespace

error mysql_driver::read(collector& out, std::chrono::milliseconds wait) {
  auto until = clock::now() + wait;
  switch (phase_) {
  case phase::closed:
    return unavailable("source " + name_ + " is not open");
  case phase::announce:
    if (std::exchange(skip_ids_, false))
      out.skip_ids(ids_left_out);
    settle(out);
    announced_ = committed_;
    // Rows of a snapshot go out only when it is stored that they may have gone out: a run that
    // finds this in its position never gives their ids again.
    phase_ = at_.plan.empty() ? phase::run : phase::await_confirm;
    return {};
  case phase::await_confirm:
    return {};
  case phase::run:
    break;
  }
  bool any = false;
  for (;;) {
    bool moved = false;
    if (auto failed = step(out, moved))
      return failed;
    any = any || moved;
    if (out.full())
      break;
    if (moved)
      continue;
    // A transaction that has begun to arrive is worth waiting for its end, within `wait`.
    bool whole = any && !changes_->in_transaction();
    if (whole || clock::now() >= until)
      break;
    if (auto failed = nothing_new(out))
      return failed;
    log_->wait(std::min(until, clock::now() + 100ms));
  }
  if (any) {
    progress_.idle = false;
    progress_.complete_until_us = std::max(progress_.complete_until_us, changes_->committed_us());
  } else if (auto failed = nothing_new(out)) {
    return failed;
  }
  if (clock::now() - probed_at_ >= busy_probe_every)
    if (auto failed = probe())
      return failed;
  // Transactions of other tables are not worth a store each.
  if (out.rows() > 0 || out.bytes() > 0 || plan_changed_ ||
      (any && clock::now() - committed_at_ >= set_.heartbeat))
    settle(out);
  return {};
}

error mysql_driver::step(collector& out, bool& moved) {
  if (changes_->pending()) {
    moved = true;
    return changes_->go_on(out);
  }
  if (!changes_->in_transaction() && piece_is_due()) {
    moved = true;
    return hand_over_piece(out);
  }
  if (!piece_)
    if (auto failed = next_piece())
      return failed;
  return take_event(out, moved);
}

error mysql_driver::take_event(collector& out, bool& moved) {
  auto bytes = log_->next();
  // The log may have been purged: opening again finds out.
  if (!bytes)
    return set_.resnapshot ? unavailable(bytes.error().text()) : bytes.error();
  if (bytes->empty())
    return {};
  // A heartbeat moves nothing.
  moved = bytes->size() > 4 && (*bytes)[4] != char(event_type::heartbeat);
  auto failed = changes_->apply(*bytes, out);
  if (!failed || !set_.resnapshot || !changes_->other_log())
    return failed;
  other_log_ = true;
  return unavailable(failed.text());
}

void mysql_driver::settle(collector& out, bool durable) {
  if (changes_->tables_changed())
    tables_text_ = at_.tables_text();
  tell_progress();
  committed_ = at_.text(tables_text_);
  committed_at_ = clock::now();
  plan_changed_ = false;
  if (durable)
    out.commit_and_settle(committed_);
  else
    out.commit(committed_);
}

void mysql_driver::tell_progress() {
  auto before = std::move(progress_.tables);
  progress_.tables.clear();
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    auto* planned = at_.plan.find(quoted(at_.tables[i].name));
    table_progress p = i < before.size() ? before[i] : table_progress{};
    p.name = changes_->name_of(i);
    p.snapshot_done = planned == nullptr;
    p.snapshot_rows_estimated = i < estimated_.size() ? estimated_[i] : -1;
    if (planned != nullptr)
      tell(*planned, p);
    progress_.tables.push_back(std::move(p));
  }
  progress_.place = at_.at.text();
}

error mysql_driver::nothing_new(collector& out) {
  bool between = !changes_->in_transaction() && !changes_->pending() && !piece_;
  if (between && probe_ && !at_.at.before(probe_->at)) {
    progress_.idle = at_.plan.empty() ||
                     std::all_of(at_.plan.all().begin(), at_.plan.all().end(),
                                 [](auto& p) { return p.paused; });
    progress_.complete_until_us = std::max(progress_.complete_until_us, probe_->now_us);
    probe_.reset();
  }
  auto waits = clock::now() - committed_at_ >= set_.heartbeat;
  if (between && waits && !committed_.starts_with(at_.at.text() + " "))
    settle(out);
  if (clock::now() - probed_at_ < (progress_.idle ? idle_probe_every : catching_up_probe_every))
    return {};
  if (probe_)
    progress_.idle = false;
  return probe();
}

error mysql_driver::probe() {
  auto end = read_log_end(*catalog_);
  if (!end)
    return end.error();
  probe_ = std::move(*end);
  progress_.retained_bytes = retained_bytes(*catalog_, at_.at);
  probed_at_ = clock::now();
  return {};
}

error mysql_driver::confirm(const std::string& position) {
  if (phase_ == phase::await_confirm && position == announced_)
    phase_ = phase::run;
  return {};
}

} // namespace rtdp::extract::my

namespace rtdp::extract {

kind mysql_source() {
  return {.spec = my::settings_spec(),
          .make =
              [](const std::string& name, const config::section& s) {
                return std::unique_ptr<driver>(
                    std::make_unique<my::mysql_driver>(name, my::read_settings(name, s)));
              },
          .describe = &my::describe_source,
          .pattern = &my::table_pattern};
}

} // namespace rtdp::extract
