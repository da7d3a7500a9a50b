#include "actors/heartbeat/feedback_actor.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ops/component.hpp"
#include "runtime/ops/log.hpp"

namespace rtdp::heartbeat {

namespace {

using self_pointer = runtime::feedback_actor::stateful_pointer<feedback_state>;

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

void merge(self_pointer self, const runtime::report& news) {
  auto& reports = self->state.reports;
  // "As before" says nothing of a component that was never told: a table that left the file while
  // its last marks were still on the bus.
  if (news.state.empty() && !reports.contains({news.component, news.name}))
    return;
  auto& known = reports[{news.component, news.name}];
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
  for (auto state : ops::all_states)
    self->state.metrics
        ->component_state({known.component + "." + known.name, ops::to_string(state)})
        .Set(known.state == ops::to_string(state));
}

} // namespace

runtime::feedback_actor::behavior_type feedback_actor(self_pointer self,
                                                      std::shared_ptr<ops::metrics> metrics) {
  self->state.metrics = std::move(metrics);
  return {
      [self](runtime::atom::status, const runtime::report& news) { merge(self, news); },
      [self](runtime::atom::list) {
        std::vector<runtime::report> all;
        for (const auto& [key, r] : self->state.reports)
          all.push_back(r);
        return all;
      },
  };
}

} // namespace rtdp::heartbeat
