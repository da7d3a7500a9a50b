/// CATALOG's log beside a real broker: RTDP_TEST_KAFKA, set by test/services/with kafka.
#include "test/runtime/cluster/catalog_topic_cases.hpp"

#include <csignal>
#include <cstdlib>

namespace rtdp::cluster::test {

std::shared_ptr<bus::bus> open_bus() {
  const char* broker = std::getenv("RTDP_TEST_KAFKA");
  if (broker == nullptr)
    FAIL("RTDP_TEST_KAFKA is not set; run this by test/services/with kafka -- …");
  for (const auto& k : bus::kinds())
    if (k.spec.name == "kafka") {
      auto settings = k.spec.defaults();
      settings.values["brokers"] = std::string(broker);
      std::shared_ptr<bus::bus> made = k.make(settings, "");
      require_ok(made->open());
      return made;
    }
  FAIL("there is no Kafka bus");
  return nullptr;
}

namespace {

TEST_CASE("while Kafka does not answer an append is unavailable, and a claim learns what became of "
          "it") {
  node a("a"), b("b");
  auto mark = begin_here(a);
  require_ok(a.log.append({"x\n1"}));
  auto broker = pid_t(std::stol(std::getenv("RTDP_TEST_KAFKA_PID")));
  REQUIRE(::kill(broker, SIGSTOP) == 0);
  auto begin = std::chrono::steady_clock::now();
  auto failed = a.log.append({"x\nperhaps"});
  auto took = std::chrono::steady_clock::now() - begin;
  ::kill(broker, SIGCONT);
  CAPTURE(failed.text());
  CHECK(failed == ec::unavailable);
  CHECK(took < 15s);
  CHECK(a.log.append({"x\nnever"}) == ec::fenced);
  require_ok(b.log.claim());
  require_ok(b.log.append({"x\n2"}));
  auto learned = b.behind(mark);
  if (learned.size() != 2)
    CHECK(learned == texts{"x\n1", "x\nperhaps", "x\n2"});
  else
    CHECK(learned == texts{"x\n1", "x\n2"});
  require_ok(a.log.open());
  a.read_up_to("x\n2");
  CHECK(a.behind(mark) == learned);
}

} // namespace
} // namespace rtdp::cluster::test
