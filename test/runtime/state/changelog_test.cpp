#include "runtime/state/changelog.hpp"
#include "runtime/state/changelog_encoder.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::state;

namespace {

/// Records by hand, one an offset.
class written_log {
public:
  void change(state_point of, state_point from, int64_t piece = 0, int64_t pieces = 1) {
    record_header h;
    h.of = of;
    h.from = h.committed = from;
    h.piece = piece;
    h.pieces = pieces;
    add(h);
  }
  void snapshot(state_point of, state_point from, int64_t part, bool is_last) {
    record_header h;
    h.kind = record_kind::snapshot;
    h.of = of;
    h.from = from;
    h.part = part;
    h.is_last = is_last;
    add(h);
  }

  /// "3 4 5", "from nothing: 0 1", or what is missing.
  std::string way(state_point have, state_point wanted) {
    auto plan = index.way(have, wanted);
    if (!plan)
      return plan.error().text();
    std::string out = plan->from_nothing ? "from nothing:" : "";
    for (auto offset : plan->offsets)
      out += (out.empty() ? "" : " ") + std::to_string(offset);
    return out;
  }

  changelog_index index;

private:
  void add(const record_header& h) {
    auto key = std::to_string(offset_);
    REQUIRE_FALSE(index.add(offset_++, key, encode(h, "x")));
  }
  int64_t offset_ = 0;
};

} // namespace

TEST_CASE("a header comes back as it was") {
  record_header h;
  h.kind = record_kind::snapshot;
  h.of = {7, 3};
  h.from = {5, 1};
  h.committed = {7, 2};
  h.last_id = INT64_MAX;
  h.part = 4;
  h.is_last = false;
  h.piece = 1;
  h.pieces = 2;
  auto message = encode(h, "bytes\nand more");
  auto back = decode(message);
  REQUIRE(back);
  CHECK(back->bytes == "bytes\nand more");
  CHECK(encode(back->header, back->bytes) == message);
  CHECK_FALSE(decode("something else"));
  CHECK_FALSE(decode("{}\n"));
}

TEST_CASE("the way leads through the incarnations that the target's one came from") {
  written_log l;
  l.change({1, 1}, {});
  l.change({1, 2}, {});
  l.change({1, 3}, {});
  l.change({2, 3}, {1, 2});
  l.change({2, 4}, {1, 2});
  CHECK(l.way({}, {2, 4}) == "from nothing: 0 1 3 4");
  CHECK(l.way({1, 1}, {2, 4}) == "1 3 4");
  CHECK(l.way({2, 3}, {2, 4}) == "4");
  CHECK(l.way({2, 4}, {2, 4}) == "");
  // What was written on a branch that came to nothing is of no use.
  CHECK(l.way({1, 3}, {2, 4}) == "from nothing: 0 1 3 4");
  CHECK(l.way({1, 3}, {}) == "from nothing:");
}

TEST_CASE("what a frozen incarnation appends later leads nowhere that the target names") {
  written_log l;
  l.change({1, 1}, {});
  l.change({2, 2}, {1, 1});
  l.change({1, 2}, {});
  l.change({2, 3}, {1, 1});
  CHECK(l.way({}, {2, 3}) == "from nothing: 0 1 3");
}

TEST_CASE("a snapshot stands for all before it, once it is complete") {
  written_log l;
  l.change({1, 5}, {});
  l.snapshot({1, 5}, {}, 0, false);
  l.change({1, 6}, {});
  CHECK(l.way({}, {1, 6}).find("does not hold what leads to state 1/1") != std::string::npos);
  l.snapshot({1, 5}, {}, 1, true);
  CHECK(l.way({}, {1, 6}) == "from nothing: 1 3 2");
  CHECK(l.way({}, {1, 5}) == "from nothing: 1 3");
  CHECK(l.way({1, 5}, {1, 6}) == "2");
  // Of a file that the log does not lead on from, nothing is kept.
  CHECK(l.way({9, 5}, {1, 6}) == "from nothing: 1 3 2");
  CHECK_FALSE(l.index.way({}, {1, 7}));
  CHECK_FALSE(l.index.way({}, {1, 4}));
}

TEST_CASE("a record in pieces counts when all of them are there") {
  written_log l;
  l.change({1, 1}, {}, 0, 2);
  CHECK_FALSE(l.index.way({}, {1, 1}));
  l.change({1, 1}, {}, 1, 2);
  CHECK(l.way({}, {1, 1}) == "from nothing: 0 1");
}

TEST_CASE("what the records say of the target and of ids is known") {
  written_log l;
  record_header h;
  h.of = {1, 4};
  h.committed = {1, 3};
  h.last_id = 70;
  REQUIRE_FALSE(l.index.add(0, "a", encode(h, "")));
  h.of = {1, 5};
  h.committed = {1, 2};
  h.last_id = 60;
  REQUIRE_FALSE(l.index.add(1, "b", encode(h, "")));
  CHECK(l.index.last_committed() == state_point{1, 3});
  CHECK(l.index.last_id() == 70);
  CHECK(l.index.keys() == std::set<std::string>{"a", "b"});
  REQUIRE_FALSE(l.index.add(2, "a", ""));
  CHECK(l.index.keys() == std::set<std::string>{"b"});
}

TEST_CASE("after any number of snapshots a compacted log leads to the newest state") {
  test::temp_folder folder;
  auto data = keyed_state::open({.path = folder.file("s.db"), .memory_bytes = 0, .changed_keys = 0});
  REQUIRE(data);
  (*data)->begin(9, 0);
  changelog_encoder encoder({.message_bytes = 3000, .snapshot_bytes = 1}, 9, {}, 0, {"old"});
  // A compacted topic: of each key the last record.
  std::map<std::string, std::pair<int64_t, std::string>> held{{"old", {0, "x"}}};
  size_t most = 0, snapshots = 0;
  int64_t offset = 1;
  for (int i = 0; i < 3000; ++i) {
    (*data)->put(std::string("\0\1", 2) + std::to_string(i % 100), std::string(200, 'v'));
    auto changes = (*data)->commit();
    auto records = encoder.encode(**data, *changes, 0);
    encoder.snapshot(**data, 0, records);
    for (auto& r : records) {
      snapshots += r.key.find("/s/") != std::string::npos;
      held[r.key] = {offset++, std::move(r.value)};
    }
    encoder.committed((*data)->point());
    REQUIRE_FALSE((*data)->committed((*data)->point().version));
    REQUIRE_FALSE((*data)->flush(true));
    size_t bytes = 0;
    std::map<int64_t, std::pair<std::string, std::string>> ordered;
    for (const auto& [key, r] : held) {
      bytes += r.second.size();
      ordered[r.first] = {key, r.second};
    }
    most = std::max(most, bytes);
    if (i % 10 != 0)
      continue;
    changelog_index index;
    for (const auto& [at, r] : ordered)
      if (r.first != "old")
        REQUIRE_FALSE(index.add(at, r.first, r.second));
    auto way = index.way({}, (*data)->point());
    REQUIRE_MESSAGE(bool(way), way.error().text());
  }
  CHECK(snapshots > 20);
  // Bounded, though 3000 changes of 200 bytes and more went through.
  CHECK(most < 600'000);
  CHECK(held["old"].second.empty());
}
