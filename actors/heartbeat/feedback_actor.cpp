#include "actors/heartbeat/feedback_actor.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ops/component.hpp"
#include "runtime/ops/log.hpp"

namespace rtdp::heartbeat {

namespace {

using feedback_pointer = runtime::feedback_actor::stateful_pointer<feedback_state>;

/// Tables come and go in hundreds: their states are in the lists, not in the log.
void log_change(const runtime::report& r) {
  if (r.component == "table")
    return;
  auto text = r.state + (r.reason.empty() ? "" : ": " + r.reason);
  auto who = r.component + "." + r.name;
  auto log = ops::logger(who);
  if (r.state == "failed")
    log->error(text);
  else if (!r.reason.empty())
    log->warn(text);
  else
    log->info(text);
}

void show(feedback_pointer self, const runtime::report& r) {
  for (auto state : ops::all_states)
    self->state.metrics->component_state({r.component + "." + r.name, ops::to_string(state)})
        .Set(r.state == ops::to_string(state));
}

caf::actor_id teller(feedback_pointer self) {
  const auto& sender = self->current_sender();
  return sender ? sender->id() : caf::invalid_actor_id;
}

void merge(feedback_pointer self, const runtime::report& news) {
  auto& s = self->state;
  auto who = teller(self);
  if (s.unheard.contains(who))
    return;
  feedback_state::key key{news.component, news.name};
  auto at = s.reports.find(key);
  if (at == s.reports.end()) {
    // "As before" says nothing of a component that was never told: a table that left the file while
    // its last marks were still on the bus.
    if (news.state.empty())
      return;
    at = s.reports.try_emplace(key).first;
  }
  auto& known = at->second;
  s.tellers[std::move(key)] = who;
  bool changed = !news.state.empty() && (known.state != news.state || known.reason != news.reason);
  known.component = news.component;
  known.name = news.name;
  if (!news.kind.empty())
    known.kind = news.kind;
  if (!news.state.empty()) {
    known.state = news.state;
    known.reason = news.reason;
  }
  for (const auto& [name, value] : news.figures)
    known.figures[name] = value;
  for (const auto& [name, value] : news.texts)
    known.texts[name] = value;
  if (!changed)
    return;
  known.figures["since_us"] = now_us();
  log_change(known);
  show(self, known);
}

/// Its metrics stay, as Prometheus expects of a series, but no state of it is 1 any more and nothing
/// is behind here.
void drop(feedback_pointer self, const std::string& component, const std::string& name) {
  auto& s = self->state;
  const auto* owner = component == "flow" ? "flow" : "source";
  for (auto at = s.reports.begin(); at != s.reports.end();) {
    auto& [key, r] = *at;
    bool is_part = (r.component == "sink" || r.component == "table") &&
                   r.texts.contains(owner) && r.texts.at(owner) == name;
    if (!is_part && key != feedback_state::key{component, name}) {
      ++at;
      continue;
    }
    if (auto told = s.tellers.find(key); is_part && told->second != caf::invalid_actor_id)
      s.unheard.insert(told->second);
    s.tellers.erase(key);
    r.state.clear();
    show(self, r);
    at = s.reports.erase(at);
  }
  if (component == "flow")
    for (auto* gauge :
         {&s.metrics->lag_rows({.flow = name}), &s.metrics->lag_seconds({.flow = name}),
          &s.metrics->queue_rows({.flow = name})})
      gauge->Set(0);
  ops::logger(component + "." + name)->info("has left this node");
}

/// As it is told to whoever lists: with the latency that only the histogram of this node knows.
runtime::report listed(feedback_pointer self, runtime::report r) {
  if (r.component != "flow")
    return r;
  auto latency = ops::counts(self->state.metrics->end_to_end_latency({r.name}));
  if (auto p50 = ops::quantile(latency, 0.5))
    r.figures["latency_p50_us"] = int64_t(*p50 * 1e6);
  if (auto p99 = ops::quantile(latency, 0.99))
    r.figures["latency_p99_us"] = int64_t(*p99 * 1e6);
  return r;
}

} // namespace

runtime::feedback_actor::behavior_type feedback_actor(feedback_pointer self,
                                                      std::shared_ptr<ops::metrics> metrics) {
  self->state.metrics = std::move(metrics);
  return {
      [self](runtime::atom::status, const runtime::report& news) { merge(self, news); },
      [self](runtime::atom::drop, const std::string& component, const std::string& name) {
        drop(self, component, name);
      },
      [self](runtime::atom::list) {
        std::vector<runtime::report> all;
        all.reserve(self->state.reports.size());
        for (const auto& [key, r] : self->state.reports)
          all.push_back(listed(self, r));
        return all;
      },
  };
}

} // namespace rtdp::heartbeat
