/// A node without actors: lists and dead letters that the test fills, calls that it can look at.
#pragma once

#include "runtime/ops/control.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rtdp::ops::test {

class fake_node : public control {
public:
  std::map<component_class, std::vector<component>> lists;
  std::vector<letter> letters;
  std::vector<alarm> told;
  std::vector<std::string> reasons;
  /// "start orders", "rewind orders to 42", in the order in which they came.
  std::vector<std::string> calls;
  /// What every call that changes something answers.
  error answer;
  /// What every list answers.
  error list_answer;

  node_info node() override { return {"n1", "0.1.0", 1'795'342'404'000'000}; }
  readiness ready() override { return {reasons}; }
  result<std::vector<component>> list(component_class c) override {
    if (list_answer)
      return list_answer;
    return lists[c];
  }
  result<std::vector<component>> components() override {
    if (list_answer)
      return list_answer;
    std::vector<component> all;
    for (auto c : all_classes)
      all.insert(all.end(), lists[c].begin(), lists[c].end());
    return all;
  }

  cluster_view seen;
  /// Called with each order, before its answer: a test lets the cluster act.
  std::function<void(const cluster_order&)> on_order = [](const cluster_order&) {};
  result<cluster_view> cluster() override {
    if (list_answer)
      return list_answer;
    return seen;
  }
  result<std::string> order(const cluster_order& o) override {
    if (auto e = called(o.verb + " " + o.name + (o.to.empty() ? "" : " to " + o.to) + o.text))
      return e;
    on_order(o);
    return o.verb + " of " + o.name + " is under way";
  }

  error start(component_class c, const std::string& name) override {
    return called(std::string("start ") + to_string(c) + " " + name);
  }
  error stop(component_class c, const std::string& name) override {
    return called(std::string("stop ") + to_string(c) + " " + name);
  }
  error rewind_flow(const std::string& name, const std::string& to) override {
    return called("rewind " + name + " to " + to);
  }

  result<std::string> snapshot(const snapshot_order& o) override {
    if (auto e = called(o.verb + " snapshot " + o.table + " of " + o.source + " where " + o.where +
                        (o.sweep ? " sweep" : "")))
      return e;
    return "postgres.shop.public." + o.table + ".0.0.0";
  }

  /// By name.
  std::map<std::string, table_history> histories;
  result<std::optional<table_history>> versions_of(const std::string& name) override {
    auto at = histories.find(name);
    return at == histories.end() ? std::optional<table_history>() : std::optional(at->second);
  }
  result<std::optional<table_comparison>> compare_versions(const std::string& name, int64_t from,
                                                           int64_t to) override {
    calls.push_back("compare " + name + " " + std::to_string(from) + " " + std::to_string(to));
    if (answer)
      return answer;
    auto at = histories.find(name);
    if (at == histories.end())
      return std::optional<table_comparison>();
    return std::optional(table_comparison{name, from, to, at->second.versions.back().changes});
  }

  result<std::vector<letter>> dead_letters(const std::string& of, int64_t limit) override {
    std::vector<letter> found;
    for (const auto& l : letters)
      if ((of.empty() || l.component == of) && int64_t(found.size()) < limit)
        found.push_back(l);
    return found;
  }
  result<std::optional<letter>> dead_letter(int64_t id) override {
    for (const auto& l : letters)
      if (l.id == id)
        return std::optional(l);
    return std::optional<letter>();
  }
  result<std::vector<alarm>> alarms() override {
    if (list_answer)
      return list_answer;
    return told;
  }
  error drop_dead_letter(int64_t id) override {
    std::erase_if(letters, [id](const letter& l) { return l.id == id; });
    return called("drop " + std::to_string(id));
  }
  error replay_dead_letter(int64_t id) override { return called("replay " + std::to_string(id)); }
  result<int64_t> replay_dead_letters(const std::string& of) override {
    if (auto e = called("replay all " + of))
      return e;
    return int64_t(letters.size());
  }

private:
  error called(std::string what) {
    calls.push_back(std::move(what));
    return answer;
  }
};

inline component a_flow(const std::string& name, state s = state::running,
                        const std::string& reason = "") {
  component c{component_class::flow, name, "sync", s, reason, "n1", 1'795'342'404'000'000, {}};
  c.set(facts::source, "sqlite.shop.main." + name).set(facts::sink, "dw." + name);
  c.set(facts::rows_in, int64_t{120'000}).set(facts::rows_out, int64_t{119'500});
  c.set(facts::lag_rows, int64_t{500}).set(facts::lag_seconds, 0.25);
  c.set(facts::latency_p50_ms, 4.2).set(facts::latency_p99_ms, 17.5);
  c.set(facts::dead_letters, int64_t{0}).set(facts::epoch, int64_t{3});
  return c;
}

/// A cluster of n1, which leads, and n2.
inline cluster_view a_cluster() {
  cluster_view v;
  v.clustered = true;
  v.leader = "n1";
  v.revision = 3;
  v.nodes = {{"n1", "running", "", "0.1.0", true, 415, 50 << 20, 20'000, 2, 1,
              1'795'342'404'000'000},
             {"n2", "lost", "no beat for 1.5 s", "0.1.0", false, -1, -1, -1, 0, 0, 0}};
  v.plan = {{"flow.orders", "n1", "n2", "n1 works at 90%, n2 at 10%"}};
  v.flows = {"orders", "a/b"};
  return v;
}

inline drift a_drift(const std::string& step, int64_t started_us = 1'795'342'404'000'000) {
  drift d{"orders", "n1", "n2", step, "", 4, started_us, 0, 0};
  if (step == "done" || step == "failed" || step == "cancelled")
    d.ended_us = started_us + 900'000;
  if (step == "done")
    d.pause_us = 84'000;
  return d;
}

inline letter a_letter(int64_t id, const std::string& component = "flow.orders") {
  return {id,
          component,
          "sqlite.shop.main.orders.0.0.0",
          "shop.orders",
          0,
          41,
          "no such column",
          R"({"a":1})",
          1'795'342'404'213'456};
}

} // namespace rtdp::ops::test
