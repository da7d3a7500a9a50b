#include "runtime/ops/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <sstream>

namespace rtdp::ops {
namespace {

using prometheus::Labels;

/// Name and value of each label, in the order of the struct.
using pairs = std::vector<std::pair<const char*, const std::string*>>;

pairs pairs_of(const source_labels& l) { return {{"source", &l.source}}; }
pairs pairs_of(const table_labels& l) { return {{"source", &l.source}, {"table", &l.table}}; }
pairs pairs_of(const flow_labels& l) { return {{"flow", &l.flow}}; }
pairs pairs_of(const stage_labels& l) {
  return {{"source", &l.source}, {"flow", &l.flow}, {"stage", &l.stage}};
}
pairs pairs_of(const part_labels& l) {
  return {{"source", &l.source},
          {"table", &l.table},
          {"stream", &l.stream},
          {"flow", &l.flow},
          {"sink", &l.sink}};
}
pairs pairs_of(const state_labels& l) { return {{"component", &l.component}, {"state", &l.state}}; }
pairs pairs_of(const alarm_labels& l) {
  return {{"component", &l.component}, {"condition", &l.condition}};
}
pairs pairs_of(const component_labels& l) { return {{"component", &l.component}}; }
pairs pairs_of(const peer_labels& l) { return {{"peer", &l.peer}}; }
pairs pairs_of(const no_labels&) { return {}; }

template<class T>
Labels given(const T& labels) {
  Labels out;
  for (const auto& [name, value] : pairs_of(labels))
    if (!value->empty())
      out.emplace(name, *value);
  return out;
}

template<class T>
std::vector<std::string> names() {
  T empty;
  std::vector<std::string> out;
  for (const auto& [name, value] : pairs_of(empty))
    out.emplace_back(name);
  return out;
}

} // namespace

metrics::metrics(const std::string& node) {
  const Labels everywhere = {{"node", node}};
#define COUNTER(function, name, label_set, help)                                                   \
  function##_ =                                                                                    \
      &prometheus::BuildCounter().Name(name).Help(help).Labels(everywhere).Register(registry_);
#define GAUGE(function, name, label_set, help)                                                     \
  function##_ =                                                                                    \
      &prometheus::BuildGauge().Name(name).Help(help).Labels(everywhere).Register(registry_);
#define HISTOGRAM(function, name, label_set, help)                                                 \
  function##_ =                                                                                    \
      &prometheus::BuildHistogram().Name(name).Help(help).Labels(everywhere).Register(registry_);
#include "runtime/ops/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
}

#define COUNTER(function, name, label_set, help)                                                   \
  prometheus::Counter& metrics::function(const label_set& labels) {                                \
    return function##_->Add(given(labels));                                                        \
  }
#define GAUGE(function, name, label_set, help)                                                     \
  prometheus::Gauge& metrics::function(const label_set& labels) {                                  \
    return function##_->Add(given(labels));                                                        \
  }
#define HISTOGRAM(function, name, label_set, help)                                                 \
  prometheus::Histogram& metrics::function(const label_set& labels) {                              \
    return function##_->Add(given(labels), latency_buckets());                                     \
  }
#include "runtime/ops/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

void metrics::set_state(component_class c, const std::string& name, state s) {
  auto component = std::string(to_string(c)) + "." + name;
  for (auto other : all_states)
    component_state({.component = component, .state = to_string(other)}).Set(other == s ? 1 : 0);
}

std::string metrics::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, registry_.Collect());
  return out.str();
}

std::vector<metric_declaration> metrics::declared() {
  return {
#define COUNTER(function, name, label_set, help) {name, "counter", help, names<label_set>()},
#define GAUGE(function, name, label_set, help) {name, "gauge", help, names<label_set>()},
#define HISTOGRAM(function, name, label_set, help) {name, "histogram", help, names<label_set>()},
#include "runtime/ops/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
  };
}

const std::vector<double>& latency_buckets() {
  static const std::vector<double> bounds = {
      0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05,
      0.075,  0.1,   0.2,   0.3,   0.5,   1,     2,      5,    10,    30,   60};
  return bounds;
}

histogram_counts counts(const prometheus::Histogram& h) { return h.Collect().histogram; }

histogram_counts since(const histogram_counts& earlier, const histogram_counts& later) {
  auto out = later;
  out.sample_count -= earlier.sample_count;
  out.sample_sum -= earlier.sample_sum;
  for (size_t i = 0; i < std::min(out.bucket.size(), earlier.bucket.size()); ++i)
    out.bucket[i].cumulative_count -= earlier.bucket[i].cumulative_count;
  return out;
}

std::optional<double> quantile(const histogram_counts& h, double q) {
  // The last bucket is +Inf: its count is of all values.
  auto total = h.bucket.empty() ? 0 : h.bucket.back().cumulative_count;
  if (total == 0)
    return std::nullopt;
  auto rank = q * double(total);
  double below_bound = 0, below_count = 0;
  for (size_t i = 0; i + 1 < h.bucket.size(); ++i) {
    const auto& b = h.bucket[i];
    auto inside = double(b.cumulative_count) - below_count;
    if (double(b.cumulative_count) >= rank && inside > 0)
      return below_bound + (b.upper_bound - below_bound) * (rank - below_count) / inside;
    below_bound = b.upper_bound;
    below_count = double(b.cumulative_count);
  }
  return below_bound;
}

} // namespace rtdp::ops
