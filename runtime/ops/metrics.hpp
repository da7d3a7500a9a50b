/// Every metric of the platform, declared once in metrics.def and counted by prometheus-cpp. One
/// object a node, owned by the composition root; any thread may use it.
///
/// `metrics.rows_in({.flow = "orders"})` finds or makes one series, under a lock. Callers do this
/// once, keep the reference (it lives as long as the metrics) and count batches, not rows:
/// incrementing takes an atomic addition, observing a histogram a lock of its own.
#pragma once

#include "runtime/ops/component.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ops {

// -- labels: each metric takes one of these, so a label that it does not have is no member -------

struct source_labels {
  std::string source{};
};

struct table_labels {
  std::string source{}, table{};
};

struct flow_labels {
  std::string flow{};
};

/// `stage`: "extract", "bus", "read", "step", "sink".
struct stage_labels {
  std::string source{}, flow{}, stage{};
};

/// Whatever the component is called in the lists; the others stay empty and are left out.
struct part_labels {
  std::string source{}, table{}, stream{}, flow{}, sink{};
};

/// `component`: "flow.orders", as in dead letters.
struct state_labels {
  std::string component{}, state{};
};

/// `component` as above; `condition`: "latency", "failed", …
struct alarm_labels {
  std::string component{}, condition{};
};

/// `component`: "flow.orders" or "source.shop".
struct component_labels {
  std::string component{};
};

/// Another node, as the one that tells sees it.
struct peer_labels {
  std::string peer{};
};

/// What there is once a node.
struct no_labels {};

// -- the metrics ----------------------------------------------------------------------------------

/// What metrics.def says about one metric.
struct metric_declaration {
  std::string name, type, help;
  std::vector<std::string> labels;
};

class metrics {
public:
  /// `node` stands in every series.
  explicit metrics(const std::string& node);

#define COUNTER(function, name, label_set, help)                                                   \
  prometheus::Counter& function(const label_set& labels);
#define GAUGE(function, name, label_set, help) prometheus::Gauge& function(const label_set& labels);
#define HISTOGRAM(function, name, label_set, help)                                                 \
  prometheus::Histogram& function(const label_set& labels);
#include "runtime/ops/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

  /// Sets the component's state to 1 and its other states to 0.
  void set_state(component_class c, const std::string& name, state s);

  /// The Prometheus text format, for GET /metrics.
  std::string text() const;

  /// The table itself, for the tests and for whoever documents it.
  static std::vector<metric_declaration> declared();

private:
  prometheus::Registry registry_;
#define COUNTER(function, name, label_set, help)                                                   \
  prometheus::Family<prometheus::Counter>* function##_;
#define GAUGE(function, name, label_set, help) prometheus::Family<prometheus::Gauge>* function##_;
#define HISTOGRAM(function, name, label_set, help)                                                 \
  prometheus::Family<prometheus::Histogram>* function##_;
#include "runtime/ops/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

// -- quantiles, for the lists and the status page -------------------------------------------------

/// What a histogram has counted, at one time.
using histogram_counts = prometheus::ClientMetric::Histogram;

/// Upper bounds in seconds of all histograms' buckets, 0.5 ms to 60 s, finest around the 20 ms that
/// a change may take.
const std::vector<double>& latency_buckets();

histogram_counts counts(const prometheus::Histogram& h);

/// What was counted since `earlier`, which must be of the same histogram.
histogram_counts since(const histogram_counts& earlier, const histogram_counts& later);

/// The q-quantile (0 < q < 1) in seconds, as if values were spread evenly in their bucket (like
/// PromQL's histogram_quantile): between two bucket bounds of the truth. Above the last bound it is
/// that bound. Nothing when nothing was counted.
std::optional<double> quantile(const histogram_counts& h, double q);

} // namespace rtdp::ops
