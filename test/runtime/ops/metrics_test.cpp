#include "runtime/ops/metrics.hpp"

#include <doctest/doctest.h>
#include <prometheus/check_names.h>

#include <algorithm>
#include <set>
#include <thread>

using namespace rtdp::ops;

namespace {

bool holds(const std::string& text, const std::string& line) {
  return text.find(line + "\n") != std::string::npos;
}

} // namespace

TEST_CASE("the metrics are those that DESIGN §7 promises, by name and type") {
  std::set<std::string> promised = {"counter rtdp_rows_in_total",
                                    "counter rtdp_rows_out_total",
                                    "counter rtdp_bytes_in_total",
                                    "counter rtdp_bytes_out_total",
                                    "counter rtdp_dead_letters_total",
                                    "counter rtdp_retries_total",
                                    "counter rtdp_errors_total",
                                    "gauge rtdp_lag_rows",
                                    "gauge rtdp_lag_seconds",
                                    "histogram rtdp_stage_latency_seconds",
                                    "histogram rtdp_end_to_end_latency_seconds",
                                    "gauge rtdp_queue_rows",
                                    "gauge rtdp_checkpoint_age_seconds",
                                    "gauge rtdp_snapshot_rows_done",
                                    "gauge rtdp_snapshot_eta_seconds",
                                    "gauge rtdp_snapshot_rows_estimated",
                                    "gauge rtdp_slot_retained_bytes",
                                    "gauge rtdp_component_state",
                                    "gauge rtdp_alarms_open",
                                    "gauge rtdp_flow_epoch",
                                    "counter rtdp_drifts_total",
                                    "histogram rtdp_drift_pause_seconds",
                                    "counter rtdp_fenced_writes_total",
                                    "counter rtdp_failovers_total",
                                    "gauge rtdp_node_up",
                                    "gauge rtdp_leader"};
  std::set<std::string> declared;
  for (const auto& d : metrics::declared())
    declared.insert(d.type + " " + d.name);
  CHECK(declared == promised);
  CHECK(metrics::declared().size() == promised.size());
}

TEST_CASE("names and labels are valid, counters end in _total, everything has a help") {
  for (const auto& d : metrics::declared()) {
    CHECK_MESSAGE(prometheus::CheckMetricName(d.name), d.name);
    CHECK_MESSAGE((d.type == "counter") == d.name.ends_with("_total"), d.name);
    CHECK_MESSAGE(!d.help.empty(), d.name);
    for (const auto& label : d.labels)
      CHECK_MESSAGE(prometheus::CheckLabelName(label), label);
  }
}

TEST_CASE("a series is found again, carries its node and leaves empty labels out") {
  metrics m("n1");
  auto& rows = m.rows_in({.flow = "orders"});
  CHECK(&rows == &m.rows_in({.flow = "orders"}));
  CHECK(&rows != &m.rows_in({.flow = "other"}));
  rows.Increment(1000);
  m.lag_seconds({.source = "shop", .table = "public.orders"}).Set(0.5);
  auto text = m.text();
  CHECK(holds(text, R"(rtdp_rows_in_total{node="n1",flow="orders"} 1000)"));
  CHECK(holds(text, R"(rtdp_lag_seconds{node="n1",source="shop",table="public.orders"} 0.5)"));
  CHECK(holds(text, "# TYPE rtdp_rows_in_total counter"));
}

TEST_CASE("a node tells how it sees the others, and whether it leads") {
  metrics m("n1");
  m.node_up({.peer = "n2"}).Set(0);
  m.leader({}).Set(1);
  m.failovers({.component = "flow.orders"}).Increment();
  auto text = m.text();
  CHECK(holds(text, R"(rtdp_node_up{node="n1",peer="n2"} 0)"));
  CHECK(holds(text, R"(rtdp_leader{node="n1"} 1)"));
  CHECK(holds(text, R"(rtdp_failovers_total{node="n1",component="flow.orders"} 1)"));
}

TEST_CASE("label values may hold anything") {
  metrics m("n1");
  m.errors({.source = "a\"b\\c\nd"}).Increment();
  CHECK(holds(m.text(), R"(rtdp_errors_total{node="n1",source="a\"b\\c\nd"} 1)"));
}

TEST_CASE("a component is in one state") {
  metrics m("n1");
  m.set_state(component_class::flow, "orders", state::starting);
  m.set_state(component_class::flow, "orders", state::failed);
  auto text = m.text();
  auto line = [](const char* s) {
    return std::string(R"(rtdp_component_state{node="n1",component="flow.orders",state=")") + s +
           "\"}";
  };
  CHECK(holds(text, line("failed") + " 1"));
  CHECK(holds(text, line("starting") + " 0"));
  CHECK(holds(text, line("new") + " 0"));
}

TEST_CASE("the latency buckets rise from 0.5 ms to 60 s and have the promised bounds") {
  const auto& b = latency_buckets();
  CHECK(b.front() == 0.0005);
  CHECK(b.back() == 60);
  CHECK(std::is_sorted(b.begin(), b.end()));
  for (double bound : {0.02, 0.05, 0.1, 0.3})
    CHECK(std::binary_search(b.begin(), b.end(), bound));
}

TEST_CASE("a quantile lies in the bucket of the true one") {
  metrics m("n1");
  auto& h = m.end_to_end_latency({.flow = "orders"});
  CHECK_FALSE(quantile(counts(h), 0.99));
  for (int i = 0; i < 100; ++i)
    h.Observe(i < 98 ? 0.0016 : 0.018);
  CHECK(*quantile(counts(h), 0.5) == doctest::Approx(0.001 + 0.001 * 50 / 98));
  CHECK(*quantile(counts(h), 0.99) == doctest::Approx(0.0175));
  CHECK(*quantile(counts(h), 0.001) > 0.001);
}

TEST_CASE("a value above the last bucket counts as its bound") {
  metrics m("n1");
  auto& h = m.drift_pause({.flow = "orders"});
  h.Observe(1000);
  CHECK(*quantile(counts(h), 0.5) == 60);
}

TEST_CASE("a recent quantile forgets what came before") {
  metrics m("n1");
  auto& h = m.stage_latency({.flow = "orders", .stage = "sink"});
  for (int i = 0; i < 1000; ++i)
    h.Observe(40);
  auto earlier = counts(h);
  h.Observe(0.0045);
  auto recent = since(earlier, counts(h));
  CHECK(recent.sample_count == 1);
  CHECK(recent.sample_sum == doctest::Approx(0.0045));
  CHECK(*quantile(recent, 0.99) == doctest::Approx(0.00499));
}

TEST_CASE("threads may count and read at the same time") {
  metrics m("n1");
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&m, t] {
      for (int i = 0; i < 500; ++i) {
        m.rows_out({.flow = "f" + std::to_string(i % 10)}).Increment();
        m.end_to_end_latency({.flow = "f"}).Observe(0.001 * t);
        if (i % 100 == 0)
          m.text();
      }
    });
  threads.clear();
  double sum = 0;
  for (int i = 0; i < 10; ++i)
    sum += m.rows_out({.flow = "f" + std::to_string(i)}).Value();
  CHECK(sum == 2000);
  CHECK(counts(m.end_to_end_latency({.flow = "f"})).sample_count == 2000);
}
