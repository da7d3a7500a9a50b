#include "actors/flow/flow_report.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>

namespace rtdp::flow {

void tell(self_pointer self, std::string state, std::string reason) {
  auto& s = self->state;
  s.known.state = std::move(state);
  s.known.reason = std::move(reason);
  s.known.figures["dead_letters"] = s.dead_letters;
  if (!s.complete_until_us.empty()) {
    // The slowest source tells, so that one that stands still does not hide behind the others.
    auto oldest = std::min_element(s.complete_until_us.begin(), s.complete_until_us.end(),
                                   [](auto& a, auto& b) { return a.second < b.second; });
    auto lag = std::max<int64_t>(0, now_us() - oldest->second);
    s.known.figures["lag_us"] = lag;
    s.env.metrics->lag_seconds({.flow = s.settings.name}).Set(double(lag) / 1e6);
  }
  if (s.stored_us > 0)
    s.env.metrics->checkpoint_age({.flow = s.settings.name})
        .Set(double(now_us() - s.stored_us) / 1e6);
  s.known.texts["position"] = s.applied.text();
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
}

void tell_phase(self_pointer self) {
  auto& s = self->state;
  using phase = flow_state::phase;
  if (s.now == phase::ending)
    tell(self, "stopping", s.over.text());
  else if (s.stopping)
    tell(self, "stopping");
  else if (s.now == phase::running)
    tell(self, "running");
  else if (s.now == phase::frozen)
    tell(self, "drifting", "frozen: another node takes over");
  else if (s.now == phase::warm && s.unready == 0)
    tell(self, "suspended", "warm: ready to take over");
  else
    tell(self, "starting");
}

void observe(self_pointer self, const flow_state::under_way& u, int64_t done_us) {
  auto& s = self->state;
  const auto& d = u.what;
  const auto& name = s.settings.name;
  if (d.data->rows() == 0 || d.data->kind == ums::protocol::initial_data)
    return;
  auto committed_us = d.data->timestamps().back();
  s.env.metrics->end_to_end_latency({name}).Observe(double(done_us - committed_us) / 1e6);
  auto stage = [&s](const char* word, int64_t from_us, int64_t to_us) {
    s.env.metrics->stage_latency({.flow = s.settings.name, .stage = word})
        .Observe(double(std::max<int64_t>(0, to_us - from_us)) / 1e6);
  };
  stage("read", committed_us, d.read_us);
  // A replayed dead letter did not come from the bus.
  if (d.bus_us > 0) {
    stage("extract", committed_us, d.bus_us);
    stage("bus", d.bus_us, d.read_us);
  }
  stage("step", d.read_us, u.stepped_us);
  stage("sink", u.stepped_us, done_us);
}

namespace {

/// Time of the mark that has come through every partition of the delivery's topic, so that the
/// slowest one tells; nothing while one has brought none.
std::optional<int64_t> marked_everywhere(flow_state& s, const runtime::delivery& d) {
  auto topic = d.partition.substr(0, d.partition.rfind('/'));
  auto& marks = s.marks_us[topic];
  auto& last = marks[d.partition];
  last = std::max(last, d.data->timestamps().back());
  auto known = s.settings.partitions.find(topic);
  if (known != s.settings.partitions.end() && marks.size() < size_t(known->second))
    return {};
  auto slowest = std::min_element(marks.begin(), marks.end(),
                                  [](auto& a, auto& b) { return a.second < b.second; });
  return slowest->second;
}

} // namespace

void arrived(self_pointer self, const runtime::delivery& d) {
  auto& s = self->state;
  if (d.data->kind != ums::protocol::increment_heartbeat || d.data->rows() == 0)
    return;
  auto everywhere = marked_everywhere(s, d);
  if (!everywhere)
    return;
  auto marked_us = *everywhere;
  const auto& name = d.data->schema->name;
  auto& until_us = s.complete_until_us[name[ums::ns::instance]];
  until_us = std::max(until_us, marked_us);
  auto heartbeat = s.settings.heartbeats.find(name[ums::ns::instance]);
  if (heartbeat != s.settings.heartbeats.end())
    self->send(heartbeat->second, runtime::atom::seen_v, s.settings.name, name.text(), marked_us);
}

} // namespace rtdp::flow
