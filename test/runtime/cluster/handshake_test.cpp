#include "runtime/cluster/handshake.hpp"

#include <doctest/doctest.h>

#include <cctype>
#include <set>

namespace rtdp::cluster::test {

namespace {

runtime::hello hello_of(const std::string& node, uint32_t min, uint32_t max) {
  return {node, "0." + std::to_string(max) + ".0", min, max, "boot of " + node};
}

} // namespace

TEST_CASE("this program accepts another of its kind") {
  auto mine = current_hello("n1", "0.1.0", boot_id());
  auto theirs = current_hello("n2", "0.1.0", boot_id());
  CHECK_FALSE(accept(mine, theirs, nullptr));
  CHECK_FALSE(accept(theirs, mine, nullptr));
  CHECK(agreed(mine, theirs) == protocol_max);
  CHECK(protocol_min <= protocol_max);
}

TEST_CASE("two nodes speak the highest version that both know") {
  auto old = hello_of("n1", 2, 3), young = hello_of("n2", 3, 5);
  CHECK_FALSE(accept(old, young, nullptr));
  CHECK(agreed(old, young) == 3);
  CHECK(agreed(young, old) == 3);
}

TEST_CASE("nodes without a common version refuse each other and tell whom to upgrade") {
  auto old = hello_of("n1", 1, 2), young = hello_of("n2", 3, 4), younger = hello_of("n3", 5, 5);
  CHECK(accept(old, young, nullptr) == ec::rejected);
  CHECK(accept(old, young, nullptr).text() ==
        "no common version of the cluster protocol: n1 (rtdp 0.2.0) speaks versions 1 to 2, "
        "n2 (rtdp 0.4.0) speaks versions 3 to 4; upgrade n1");
  CHECK(accept(younger, young, nullptr).text() ==
        "no common version of the cluster protocol: n3 (rtdp 0.5.0) speaks version 5, "
        "n2 (rtdp 0.4.0) speaks versions 3 to 4; upgrade n2");
}

TEST_CASE("two nodes of one name refuse each other") {
  auto mine = hello_of("n1", 1, 1), theirs = mine;
  theirs.boot = "another";
  CHECK(accept(mine, theirs, nullptr) == ec::rejected);
  CHECK(accept(mine, theirs, nullptr).text() ==
        "two nodes are named n1; give one of them another name");
}

TEST_CASE("a node that reached itself says so") {
  auto mine = hello_of("n1", 1, 1);
  CHECK(accept(mine, mine, nullptr).text() ==
        "n1 reached itself; give each node its own `listen`");
}

TEST_CASE("a node under the name of a living one is refused, under that of a lost one it is not") {
  auto mine = hello_of("n1", 1, 1), theirs = hello_of("n2", 1, 1);
  known_peer other{"another", true}, same{theirs.boot, true}, lost{"another", false};
  CHECK(accept(mine, theirs, &other) == ec::rejected);
  CHECK(accept(mine, theirs, &other).text() ==
        "two nodes are named n2; give one of them another name");
  CHECK_FALSE(accept(mine, theirs, &same));
  CHECK_FALSE(accept(mine, theirs, &lost));
}

TEST_CASE("a hello that says nothing is refused") {
  auto mine = hello_of("n1", 1, 1), nameless = hello_of("", 1, 1), odd = hello_of("n2", 2, 1);
  auto unborn = hello_of("n2", 1, 1);
  unborn.boot.clear();
  CHECK(accept(mine, nameless, nullptr) == ec::rejected);
  CHECK(accept(mine, odd, nullptr) == ec::rejected);
  CHECK(accept(mine, unborn, nullptr) == ec::rejected);
}

TEST_CASE("each boot id is another one, of 128 bits in hex") {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) {
    auto id = boot_id();
    CHECK(id.size() == 32);
    for (char c : id)
      CHECK(std::isxdigit(static_cast<unsigned char>(c)));
    all.insert(id);
  }
  CHECK(all.size() == 100);
}

} // namespace rtdp::cluster::test
