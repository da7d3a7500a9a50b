#include "actors/extract/source_actor.hpp"

#include "actors/extract/table_actor.hpp"
#include "actors/extract/table_report.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/core/backoff.hpp"
#include "runtime/core/time.hpp"

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using self_pointer = runtime::source_actor::stateful_pointer<source_state>;

/// How long a read waits for the first row: marks and stop wait as long at most.
constexpr auto read_wait = 20ms;

std::string topics_text(const routing& to) {
  std::string out;
  for (const auto& topic : to.topics())
    out += (out.empty() ? "" : ", ") + topic;
  return out;
}

void tell(self_pointer self, std::string state, std::string reason) {
  auto& s = self->state;
  s.known.state = std::move(state);
  s.known.reason = std::move(reason);
  auto at = s.opened ? s.work->progress() : source_progress{};
  s.known.texts["position"] = s.work->settings().hide_position ? at.place : s.work->position();
  s.known.texts["topic"] = topics_text(s.work->settings().to);
  s.known.figures["next_id"] = s.work->next_id();
  s.known.figures["idle"] = at.idle;
  if (s.work->stored_us() > 0)
    s.env.metrics->checkpoint_age({.source = s.work->settings().name})
        .Set(double(now_us() - s.work->stored_us()) / 1e6);
  if (at.retained_bytes >= 0)
    s.known.figures["retained_bytes"] = at.retained_bytes;
  if (at.retained_bytes >= 0)
    s.env.metrics->slot_retained_bytes({.source = s.work->settings().name})
        .Set(double(at.retained_bytes));
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
}

runtime::table_actor table_of(self_pointer self, const ums::ns& name) {
  auto& s = self->state;
  auto [at, is_new] = s.tables.try_emplace(name);
  if (is_new)
    at->second = self->spawn<caf::linked>(table_actor, s.env, s.work->settings().name, name.text());
  return at->second;
}

void tell_tables(self_pointer self, const step_outcome& outcome) {
  for (const auto& t : outcome.tables) {
    runtime::report r;
    r.state = "running";
    r.figures["rows_in"] = int64_t(t.rows);
    // Where there is a history it knows all columns; these rows may have some only.
    if (!self->state.work->settings().make_stages)
      r.texts["columns"] = columns_text(t.schema->fields);
    self->send(table_of(self, name_for_people(t.name)), runtime::atom::status_v, std::move(r));
  }
}

void tell_snapshots(self_pointer self) {
  std::vector<ums::ns> known;
  for (const auto& [name, table] : self->state.tables)
    known.push_back(name);
  auto reports = table_reports(self->state.work->progress(), known);
  if (self->state.work->settings().make_stages)
    add_columns(reports, self->state.env.data_dir);
  for (auto& [name, r] : reports)
    self->send(table_of(self, name), runtime::atom::status_v, std::move(r));
}

/// Tries again later, or ends for good.
void failed(self_pointer self, const error& e) {
  auto& s = self->state;
  // Only opening finds out whether another node has taken the source.
  bool again = e == ec::unavailable || (e == ec::fenced && s.opened);
  s.opened = false;
  s.env.metrics->errors({.source = s.work->settings().name}).Increment();
  if (!again) {
    self->quit(runtime::to_caf(e));
    return;
  }
  tell(self, "starting", e.text());
  s.env.metrics->retries({.source = s.work->settings().name}).Increment();
  self->delayed_send(self, backoff{}.delay(s.attempt++, self->id()), runtime::atom::open_v);
}

void open(self_pointer self) {
  auto& s = self->state;
  if (auto e = s.work->open())
    return failed(self, e);
  s.opened = true;
  // After a failure it runs when something goes through again, not when it opens.
  if (s.attempt == 0)
    tell(self, "running", "");
  tell_snapshots(self);
  self->send(self, runtime::atom::read_v);
}

/// Reads and publishes once; counts what came of it.
error step(self_pointer self, std::chrono::milliseconds wait) {
  auto& s = self->state;
  auto outcome = s.work->step(wait);
  if (!outcome)
    return outcome.error();
  const auto& name = s.work->settings().name;
  if (outcome->rows > 0) {
    s.env.metrics->rows_out({.source = name}).Increment(double(outcome->rows));
    s.env.metrics->bytes_out({.source = name}).Increment(double(outcome->bytes));
    s.known.figures["rows_out"] += int64_t(outcome->rows);
    auto known = s.tables.size();
    tell_tables(self, *outcome);
    if (s.tables.size() > known)
      tell_snapshots(self);
  }
  if (outcome->dead_letters > 0) {
    s.env.metrics->dead_letters({.source = name}).Increment(double(outcome->dead_letters));
    s.known.figures["dead_letters"] += int64_t(outcome->dead_letters);
  }
  return {};
}

void read(self_pointer self) {
  auto& s = self->state;
  if (!s.opened)
    return;
  if (auto e = step(self, read_wait))
    return failed(self, e);
  if (s.attempt > 0) {
    s.attempt = 0;
    tell(self, "running", "");
  }
  self->send(self, runtime::atom::read_v);
}

void mark(self_pointer self) {
  if (!self->state.opened)
    return;
  if (auto e = self->state.work->mark())
    return failed(self, e);
  tell(self, "running", "");
  tell_snapshots(self);
}

caf::result<bool> snapshot(self_pointer self, const runtime::snapshot_order& order) {
  auto& s = self->state;
  const auto& name = s.work->settings().name;
  if (!s.opened)
    return runtime::to_caf(unavailable("source " + name + " is not open yet"));
  using verb = snapshot_request::verb;
  snapshot_request asked{
      .what = verb::start, .table = order.table, .where = order.where, .sweep = order.sweep};
  if (order.verb == "pause")
    asked.what = verb::pause;
  else if (order.verb == "resume")
    asked.what = verb::resume;
  else if (order.verb == "cancel")
    asked.what = verb::cancel;
  else if (order.verb != "start")
    return runtime::to_caf(
        rejected("a snapshot takes start, pause, resume or cancel; found " + order.verb));
  if (auto refused = s.work->snapshot(asked))
    return runtime::to_caf(refused.in("source " + name));
  auto e = step(self, 0ms);
  if (!e)
    e = s.work->finish();
  if (e) {
    // What was read may be lost on the way: it is read again from the stored position.
    failed(self, e);
    return runtime::to_caf(e.in("source " + name));
  }
  tell_snapshots(self);
  return true;
}

void stop(self_pointer self) {
  if (self->state.opened)
    // Fenced: what was in flight is another node's to publish.
    if (auto e = self->state.work->finish(); e && !(e == ec::fenced))
      return self->quit(runtime::to_caf(e));
  tell(self, "stopped", "");
  self->quit();
}

} // namespace

runtime::source_actor::behavior_type source_actor(self_pointer self, runtime::environment env,
                                                  std::shared_ptr<extraction> work,
                                                  std::string kind) {
  self->state.env = std::move(env);
  self->state.work = std::move(work);
  self->state.known.component = "source";
  self->state.known.name = self->state.work->settings().name;
  self->state.known.kind = std::move(kind);
  tell(self, "starting", "");
  self->send(self, runtime::atom::open_v);
  return {
      [self](runtime::atom::mark) { mark(self); },
      [self](runtime::atom::idle) { return self->state.opened && self->state.work->idle(); },
      [self](runtime::atom::snapshot, const runtime::snapshot_order& order) {
        return snapshot(self, order);
      },
      [self](runtime::atom::stop) { stop(self); },
      [self](runtime::atom::open) { open(self); },
      [self](runtime::atom::read) { read(self); },
  };
}

} // namespace rtdp::extract
