/// What `catalog_topic` promises, over whichever bus: a test executable includes this once and
/// defines `open_bus`. The topic and the leader's id are the same for all tests of a bus, as they
/// are for a cluster; each test begins where the others have stopped.
#pragma once

#include "runtime/cluster/catalog_topic.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace rtdp::cluster::test {

using namespace std::chrono_literals;
using texts = std::vector<std::string>;

/// The bus of another node over the same storage.
std::shared_ptr<bus::bus> open_bus();

inline void require_ok(const error& e) {
  CAPTURE(e.text());
  REQUIRE(!e);
}

/// One node's view of the catalog.
struct node {
  explicit node(const std::string& name)
      : log(open_bus(), name, [this](texts records) {
          learned.insert(learned.end(), records.begin(), records.end());
        }) {
    require_ok(log.open());
  }
  /// Reads until a record is learned, or for 10 s.
  void read_up_to(const std::string& record) {
    for (int i = 0; i < 500 && (learned.empty() || learned.back() != record); ++i)
      require_ok(log.read(20ms));
  }
  /// What was learned behind the record.
  texts behind(const std::string& record) const {
    auto at = std::find(learned.begin(), learned.end(), record);
    REQUIRE(at != learned.end());
    return {at + 1, learned.end()};
  }

  texts learned;
  catalog_topic log;
};

/// A record that no other test has: its learning shows where a test begins.
inline std::string begin_here(node& n) {
  static int count = 0;
  auto mark = "begin\n" + std::to_string(++count);
  require_ok(n.log.claim());
  require_ok(n.log.append({mark}));
  return mark;
}

TEST_CASE("what one node appends is learned by it before the answer, and by the others in order") {
  node a("a"), b("b");
  auto mark = begin_here(a);
  require_ok(a.log.append({"p\n1", "q\n2", "r\n3"}));
  CHECK(a.behind(mark) == texts{"p\n1", "q\n2", "r\n3"});
  require_ok(a.log.append({"s\n"}));
  require_ok(a.log.append({"z\nsome\nlines"}));
  CHECK(a.behind(mark) == texts{"p\n1", "q\n2", "r\n3", "s\n", "z\nsome\nlines"});
  b.read_up_to("z\nsome\nlines");
  CHECK(b.behind(mark) == a.behind(mark));
}

TEST_CASE("a node may append after it has claimed, and until another one does") {
  node a("a"), b("b");
  CHECK(a.log.append({"x\nnever"}) == ec::fenced);
  auto mark = begin_here(a);
  require_ok(b.log.claim());
  // It has learned everything by then.
  CHECK(b.behind(mark).empty());
  auto fenced = a.log.append({"x\nnever"});
  CAPTURE(fenced.text());
  CHECK(fenced == ec::fenced);
  CHECK(a.log.append({"x\nnever"}) == ec::fenced);
  require_ok(b.log.append({"x\n1"}));
  require_ok(a.log.claim());
  CHECK(a.behind(mark) == texts{"x\n1"});
  require_ok(a.log.append({"x\n2"}));
  CHECK(b.log.append({"x\nnever"}) == ec::fenced);
  b.read_up_to("x\n2");
  CHECK(b.behind(mark) == texts{"x\n1", "x\n2"});
}

TEST_CASE("a record without a key or a value is refused, and nothing is appended") {
  node a("a");
  auto mark = begin_here(a);
  CHECK(a.log.append({"x\n1", "no line break"}) == ec::rejected);
  CHECK(a.log.append({"\nno key"}) == ec::rejected);
  require_ok(a.log.append({"x\n2"}));
  CHECK(a.behind(mark) == texts{"x\n2"});
}

TEST_CASE("nodes that claim from each other at random lose, double and reorder no record") {
  auto seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  node a("a"), b("b");
  auto mark = begin_here(a);
  auto* leads = &a;
  texts appended;
  std::vector<double> claim_ms, append_ms;
  auto ms_since = [](auto begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
  };
  for (int i = 0; i < 60; ++i) {
    auto* who = random() % 2 == 0 ? &a : &b;
    auto begin = std::chrono::steady_clock::now();
    if (random() % 4 == 0) {
      require_ok(who->log.claim());
      claim_ms.push_back(ms_since(begin));
      CHECK(who->behind(mark) == appended);
      leads = who;
      continue;
    }
    texts records;
    for (auto n = 1 + random() % 3; n > 0; --n)
      records.push_back("k" + std::to_string(i) + "." + std::to_string(n) + "\nvalue");
    auto failed = who->log.append(records);
    CAPTURE(failed.text());
    REQUIRE(failed == (who == leads ? ec::ok : ec::fenced));
    if (failed)
      continue;
    append_ms.push_back(ms_since(begin));
    appended.insert(appended.end(), records.begin(), records.end());
    CHECK(who->behind(mark) == appended);
  }
  require_ok(a.log.claim());
  require_ok(b.log.claim());
  CHECK(a.behind(mark) == appended);
  CHECK(b.behind(mark) == appended);
  for (auto* list : {&claim_ms, &append_ms})
    std::sort(list->begin(), list->end());
  if (!claim_ms.empty() && !append_ms.empty())
    MESSAGE("claim: p50 ", claim_ms[claim_ms.size() / 2], " ms, most ", claim_ms.back(),
            " ms; append: p50 ", append_ms[append_ms.size() / 2], " ms, most ", append_ms.back(),
            " ms");
}

} // namespace rtdp::cluster::test
