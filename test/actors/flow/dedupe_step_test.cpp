#include "test/actors/flow/rows.hpp"
#include "test/actors/flow/stateful_flow.hpp"
#include "test/support/temp_folder.hpp"

#include <iostream>

using namespace rtdp;
using namespace rtdp::test;

namespace {

/// A dedupe step by `qty` within 10 ms; a row's ums_ts_ is its ums_id_ in milliseconds.
class dedupe_rig {
public:
  dedupe_rig() {
    auto opened = state::keyed_state::open({.path = disk_.file("f.db")});
    REQUIRE(opened);
    data_ = std::move(*opened);
    data_->begin(1, 0);
    step_ = step_of("dedupe", "{keys: [qty], within: 10ms}");
    step_->with_state()->attach({data_.get(), 0, [] { return int64_t{0}; }});
  }

  std::string run(const std::vector<row>& rows) {
    flow::batches out;
    std::vector<flow::refused_row> refused;
    auto failed = step_->with_state()->take({orders(rows)}, out, refused);
    REQUIRE_MESSAGE(!failed, failed.text());
    REQUIRE(out.size() == 1);
    data_->commit();
    REQUIRE_FALSE(data_->committed(data_->point().version));
    REQUIRE_FALSE(data_->flush(true));
    return shown(out[0]);
  }

  size_t kept() {
    size_t n = 0;
    REQUIRE_FALSE(data_->each(std::string("\0\1", 2), [&](auto, auto) { return ++n > 0; }));
    return n;
  }

private:
  temp_folder disk_;
  std::unique_ptr<state::keyed_state> data_;
  std::unique_ptr<flow::step> step_;
};

} // namespace

TEST_CASE("a key goes through once within the time, counted from the row that did") {
  dedupe_rig r;
  CHECK(r.run({{1, 'i', 1, "a"}, {2, 'i', 2, "b"}, {3, 'i', 3, "a"}}) == "i 1 a, i 2 b");
  CHECK(r.run({{10, 'i', 4, "a"}}) == "");
  CHECK(r.run({{11, 'i', 5, "a"}}) == "i 11 a");
  CHECK(r.run({{20, 'i', 6, "a"}}) == "");
}

TEST_CASE("nulls are equal, updates and deletes go through") {
  dedupe_rig r;
  CHECK(r.run({{1, 'i', 1, {}}, {2, 'i', 2, {}}}) == "i 1 null");
  CHECK(r.run({{3, 'u', 1, "a"}, {4, 'u', 2, "a"}, {5, 'd', 1, {}}, {6, 'i', 3, "a"}}) ==
        "u 3 a, u 4 a, d 5 null, i 6 a");
}

TEST_CASE("the same row again goes through: a dead letter that is replayed") {
  dedupe_rig r;
  r.run({{1, 'i', 1, "a"}});
  CHECK(r.run({{1, 'i', 1, "a"}}) == "i 1 a");
  CHECK(r.run({{2, 'i', 2, "a"}}) == "");
}

TEST_CASE("a row that comes late neither hides one in time nor is forgotten at once") {
  dedupe_rig r;
  r.run({{100, 'i', 1, "a"}});
  CHECK(r.run({{50, 'i', 2, "a"}, {51, 'i', 3, "b"}}) == "i 50 a, i 51 b");
  CHECK(r.run({{101, 'i', 4, "a"}, {52, 'i', 5, "b"}}) == "");
}

TEST_CASE("keys that are old enough are forgotten, some with each batch") {
  dedupe_rig r;
  for (int64_t n = 1; n <= 1000; ++n)
    r.run({{n * 3, 'i', n, std::to_string(n)}});
  // Four keys are remembered; looking comes around within as many batches as there are keys.
  CHECK(r.kept() < 20);
}

TEST_CASE("a key that is no column is told before the first row") {
  auto out = step_of("dedupe", "{keys: [event]}")->prepare(orders_schema());
  REQUIRE_FALSE(out);
  CHECK(out.error().text() == "no column is named event");
}
