#include "runtime/state/changes.hpp"

#include <doctest/doctest.h>

#include <random>
#include <tuple>

namespace rtdp::state {
namespace {

using entry = std::tuple<std::string, std::string, bool>;

std::vector<entry> read(std::string_view changes) {
  std::vector<entry> all;
  auto begins = entries_of(changes);
  REQUIRE(begins);
  for (auto begin : *begins) {
    auto at = entry_at(changes, begin);
    all.emplace_back(at.key, at.value, at.gone);
  }
  return all;
}

TEST_CASE("each entry is found where it begins, whatever its key and value are") {
  auto seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  std::vector<entry> put;
  std::string changes;
  for (int i = 0; i < 200; ++i) {
    // Lengths of one byte and of two; bytes that are marks of entries too.
    std::string key(random() % 300, "pe\0"[random() % 3]), value(random() % 300, 'p');
    bool gone = random() % 3 == 0;
    if (gone)
      append_erase(key, changes);
    else
      append_put(key, value, changes);
    put.emplace_back(key, gone ? "" : value, gone);
  }
  CHECK(read(changes) == put);
  CHECK(read("").empty());
}

TEST_CASE("changes that are cut anywhere within an entry are refused as a whole") {
  std::string changes;
  append_put("key", "value", changes);
  auto one = changes.size();
  append_erase("another", changes);
  for (size_t size = 1; size < changes.size(); ++size) {
    CAPTURE(size);
    auto begins = entries_of(std::string_view(changes).substr(0, size));
    CHECK(bool(begins) == (size == one));
  }
  auto none = entries_of("x");
  REQUIRE(!none);
  CHECK(none.error() == ec::rejected);
}

} // namespace
} // namespace rtdp::state
