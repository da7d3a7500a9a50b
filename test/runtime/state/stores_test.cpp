#include "runtime/state/checkpoint.hpp"
#include "runtime/state/dead_letters.hpp"
#include "runtime/state/store.hpp"
#include "test/support/child.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::state {
namespace {

using values = std::map<std::string, std::string>;

dead_letter letter_at(int64_t offset, std::string bytes) {
  return {0,
          "flow.orders",
          "sqlite.shop.main.orders.0.0.0",
          "orders",
          0,
          offset,
          "not a number",
          std::move(bytes),
          1'700'000'000'000'000};
}

TEST_CASE("a checkpoint is there after reopening, by component, and other values stay") {
  test::temp_folder folder;
  using namespace std::string_literals;
  {
    auto store = checkpoint_store::open(folder.path());
    REQUIRE(store);
    REQUIRE(!store->save("source.shop", {{"position", "0/15431E8\0x"s}, {"empty", ""}}));
    REQUIRE(!store->save("source.shop", {{"next_id", "7"}}));
    REQUIRE(!store->save("flow.orders", {{"position", "9"}}));
  }
  auto store = checkpoint_store::open(folder.path());
  REQUIRE(store);
  CHECK(*store->load("source.shop") ==
        values{{"position", "0/15431E8\0x"s}, {"empty", ""}, {"next_id", "7"}});
  REQUIRE(!store->save("source.shop", {{"next_id", "8"}}));
  CHECK((*store->load("source.shop"))["next_id"] == "8");
  REQUIRE(!store->forget("source.shop"));
  CHECK(store->load("source.shop")->empty());
  CHECK(store->load("flow.orders")->size() == 1);
  CHECK(store->load("unknown")->empty());
}

TEST_CASE("of a checkpoint all values are saved or none, whatever kills the writer") {
  test::temp_folder folder;
  test::child writer([&](const test::child::report& done) {
    auto store = checkpoint_store::open(folder.path());
    for (int64_t i = 1; store; ++i) {
      auto text = std::to_string(i);
      if (store->save("source.shop", {{"position", text}, {"next_id", text}, {"pad", text}}))
        return;
      done(i);
    }
  });
  int64_t saved = 0;
  for (int i = 0; i < 100; ++i)
    saved = writer.next();
  writer.kill();
  for (auto more = writer.next(); more > 0; more = writer.next())
    saved = more;
  auto store = checkpoint_store::open(folder.path());
  REQUIRE(store);
  auto found = store->load("source.shop");
  REQUIRE(found);
  CHECK(std::stoll((*found)["position"]) >= saved);
  CHECK((*found)["position"] == (*found)["next_id"]);
  CHECK((*found)["position"] == (*found)["pad"]);
}

TEST_CASE("a store of another layout version is refused and says both versions") {
  test::temp_folder folder;
  REQUIRE(open_store(folder.file("state.db"), 99, "CREATE TABLE other(i)"));
  auto store = checkpoint_store::open(folder.path());
  REQUIRE(!store);
  CHECK(store.error() == ec::rejected);
  CHECK(store.error().text().find("version 99") != std::string::npos);
}

TEST_CASE("dead letters keep bytes, reason and position until they are dropped") {
  test::temp_folder folder;
  using namespace std::string_literals;
  auto store = dead_letter_store::open(folder.path());
  REQUIRE(store);
  REQUIRE(!store->add({letter_at(5, "{\0}"s), letter_at(6, "")}));
  auto listed = store->list();
  REQUIRE(listed);
  REQUIRE(listed->size() == 2);
  const auto& first = listed->front();
  CHECK(first.component == "flow.orders");
  CHECK(first.ns == "sqlite.shop.main.orders.0.0.0");
  CHECK(first.topic == "orders");
  CHECK(first.offset == 5);
  CHECK(first.reason == "not a number");
  CHECK(first.bytes == "{\0}"s);
  CHECK(first.at_us == 1'700'000'000'000'000);
  CHECK((*store->find(first.id))->bytes == first.bytes);
  CHECK(store->list("flow.other")->empty());
  CHECK(store->list("flow.orders", 1)->size() == 1);

  REQUIRE(!store->drop(first.id));
  CHECK(!*store->find(first.id));
  CHECK(store->drop(first.id) == ec::rejected);
  CHECK(*store->count() == 1);
}

TEST_CASE("a replayed batch does not multiply its dead letters, and ids are never given twice") {
  test::temp_folder folder;
  auto store = dead_letter_store::open(folder.path());
  REQUIRE(store);
  REQUIRE(!store->add({letter_at(5, "a"), letter_at(5, "b"), letter_at(5, "a")}));
  REQUIRE(!store->add({letter_at(5, "a"), letter_at(6, "a")}));
  CHECK(*store->count() == 3);
  auto last = store->list()->back().id;
  REQUIRE(!store->drop(last));
  REQUIRE(!store->add({letter_at(6, "a")}));
  CHECK(store->list()->back().id > last);
}

} // namespace
} // namespace rtdp::state
