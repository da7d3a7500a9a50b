#include "actors/flow/write_size.hpp"
#include "test/actors/flow/rows.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;

namespace {

constexpr int64_t ms = 1000;

/// The rows of a write behind `n` writes of as many rows as it says, each of which takes `us`.
size_t rows_behind(write_size& size, int n, int64_t us) {
  static int64_t now = 0;
  for (; n > 0; --n) {
    size.done(size.rows(), now, now + us);
    now += us;
  }
  return size.rows();
}

} // namespace

TEST_CASE("a write grows while the target is quick, and shrinks when it takes long") {
  write_size size;
  auto first = size.rows();
  CHECK(rows_behind(size, 1, 10 * ms) == first * 2);
  CHECK(rows_behind(size, 1, 40 * ms) == first * 2);
  CHECK(rows_behind(size, 1, 60 * ms) == first);
  CHECK(rows_behind(size, 20, 60 * ms) == 256);
  CHECK(rows_behind(size, 20, 10 * ms) == 65'536);
}

TEST_CASE("a write smaller than it could be says nothing of larger ones") {
  write_size size;
  auto first = size.rows();
  size.done(first / 2, 0, 1 * ms);
  CHECK(size.rows() == first);
  size.done(first / 2, 1 * ms, 400 * ms);
  CHECK(size.rows() == first);
}

TEST_CASE("a write takes from the end of the one before it on, not from when it was queued") {
  write_size size;
  auto first = size.rows();
  for (int64_t i = 1; i <= 8; ++i)
    size.done(first, 0, i * 40 * ms);
  CHECK(size.rows() == first);
}

TEST_CASE("a delivery is cut in order, and its last piece completes its offsets") {
  auto d = delivered(orders({{11, 'i', 1, "1"}, {12, 'u', 1, "2"}, {13, 'd', 1}}), 5);
  d.first_offset = 3;
  auto pieces = cut(d, 2);
  REQUIRE(pieces.size() == 2);
  CHECK(shown(pieces[0].data) == "i 11 1, u 12 2");
  CHECK(pieces[0].next_offset == 3);
  CHECK(shown(pieces[1].data).starts_with("d 13"));
  CHECK(pieces[1].next_offset == 5);
  CHECK(pieces[1].partition == d.partition);
}

TEST_CASE("what is small enough, or no rows, stays as it is") {
  auto small = delivered(orders({{11, 'i', 1, "1"}, {12, 'i', 2, "1"}}), 5);
  CHECK(cut(small, 2)[0].data == small.data);
  auto mark = delivered(sign(ums::protocol::increment_heartbeat, 12), 5);
  auto pieces = cut(mark, 0);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].data == mark.data);
  CHECK(pieces[0].next_offset == 5);
}
