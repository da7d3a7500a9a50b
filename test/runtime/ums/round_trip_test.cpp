#include "test/runtime/ums/messages.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace rtdp::ums {

TEST_CASE("any batch survives write and read, value by value") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  any_batch random(seed);
  for (int round = 0; round < 500; ++round) {
    auto b = random.make();
    std::string text;
    auto e = write(b, text);
    REQUIRE_MESSAGE(!e, e.text());
    auto r = read_all(text);
    REQUIRE_MESSAGE(!r.failed, r.failed.text());
    REQUIRE_MESSAGE(r.bad.empty(), r.bad[0].reason);
    if (b.rows() == 0) {
      CHECK(r.batches.empty());
      continue;
    }
    REQUIRE(r.batches.size() == 1);
    const auto& back = r.batches[0];
    CHECK(*back.schema == *b.schema);
    CHECK(shown(back) == shown(b));
    for (size_t i = 0; i < b.columns.size(); ++i) {
      CHECK(std::ranges::equal(back.columns[i].ints(), b.columns[i].ints()));
      CHECK(back.columns[i].arena() == b.columns[i].arena());
    }
    std::string again;
    REQUIRE_FALSE(write(back, again));
    CHECK(again == text);
  }
}

TEST_CASE("a batch written in pieces that fit is the same batch when all are read") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  any_batch random(seed);
  for (int round = 0; round < 100; ++round) {
    auto b = random.make();
    reader from;
    std::vector<batch> into;
    std::vector<bad_row> bad;
    for (size_t first = 0; first < b.rows();) {
      auto count = rows_that_fit(b, first, 1 + random.below(5000));
      std::string text;
      REQUIRE_FALSE(write({&b, first, count}, text));
      REQUIRE_FALSE(from.read(text, into, bad));
      first += count;
    }
    CHECK(bad.empty());
    CHECK(into.size() == (b.rows() > 0 ? 1 : 0));
    if (!into.empty())
      CHECK(shown(into[0]) == shown(b));
  }
}

TEST_CASE("the bytes of a bad row, put back into a message, are bad for the same reason") {
  auto r = read_all(orders({R"(["x", "2026-11-22 10:13:24" ,"i",null ])"}));
  REQUIRE(r.bad.size() == 1);
  auto text = orders({});
  text.insert(text.size() - 2, r.bad[0].bytes);
  auto again = read_all(text);
  REQUIRE(again.bad.size() == 1);
  CHECK(again.bad[0].reason == r.bad[0].reason);
  CHECK(again.bad[0].bytes == r.bad[0].bytes);
}

} // namespace rtdp::ums
