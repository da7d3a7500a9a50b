#include "actors/flow/reading.hpp"
#include "test/actors/flow/memory_bus.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;
using namespace std::chrono_literals;

namespace {

const std::string topic = "rtdp.shop";

/// A STREAM's work over an embedded bus with one topic.
struct reading_fixture {
  explicit reading_fixture(size_t queue_batches = 8, size_t queue_bytes = 64 << 20) {
    auto kinds = bus::kinds();
    auto at =
        std::find_if(kinds.begin(), kinds.end(), [](auto& k) { return k.spec.name == "embedded"; });
    REQUIRE(at != kinds.end());
    bus = at->make(at->spec.defaults(), folder.path());
    REQUIRE(!bus->open());
    REQUIRE(!bus->create_topic(topic, {}));
    auto made = bus->make_producer("test");
    REQUIRE(bool(made));
    producer = std::move(*made);
    settings.name = "main";
    settings.queue_batches = queue_batches;
    settings.queue_bytes = queue_bytes;
    work = std::make_unique<reading>(settings, bus, folder.path());
  }

  void send(const std::string& key, const std::string& value) {
    REQUIRE(!producer->send({topic, 0}, key, value));
    REQUIRE(!producer->flush(5s));
  }
  void send(const ums::batch_ptr& b) {
    std::string value;
    REQUIRE(!ums::write(*b, value));
    send(ums::message_key(b->kind, b->schema->name), value);
  }
  void send(const std::vector<row>& rows, const std::string& table = "orders") {
    send(batch_of(orders_schema(table), rows));
  }

  error join(const std::string& flow, const std::string& pattern = "sqlite.shop.main.orders",
             int64_t from = 0) {
    return work->join(flow, *ums::ns::parse(pattern), {topic}, {{topic + "/0", from}});
  }
  void read() { REQUIRE(!work->read(0ms)); }

  /// "i 1 5 >0 | …": rows of each queued batch and the offset behind it.
  std::string take_all(const std::string& flow) {
    std::string out;
    for (auto b = work->next(flow); b.data; b = work->next(flow))
      out += (out.empty() ? "" : " | ") + shown(b.data) + " >" + std::to_string(b.next_offset);
    return out;
  }

  temp_folder folder;
  std::shared_ptr<bus::bus> bus;
  std::unique_ptr<bus::producer> producer;
  reading_settings settings;
  std::unique_ptr<reading> work;
};

} // namespace

TEST_CASE("a message is decoded once for all the flows that want it") {
  reading_fixture f;
  f.send({{1, 'i', 7, "5"}, {2, 'u', 7, "6"}});
  REQUIRE(!f.join("a"));
  REQUIRE(!f.join("b", "sqlite.shop"));
  f.read();
  CHECK(f.work->readers() == 1);
  CHECK(f.work->rows() == 2);
  auto a = f.work->next("a"), b = f.work->next("b");
  CHECK(shown(a.data) == "i 1 5, u 2 6");
  CHECK(a.data == b.data);
  CHECK(a.partition == topic + "/0");
  CHECK(a.first_offset == 0);
  CHECK(a.next_offset == 1);
  CHECK(!f.work->next("a").data);
}

TEST_CASE("messages whose key nobody wants are not decoded") {
  reading_fixture f;
  REQUIRE(!f.join("a"));
  f.send(ums::message_key(ums::protocol::increment_data, orders_name("other")), "no UMS at all");
  f.send({{1, 'i', 7, "5"}});
  f.read();
  CHECK(f.work->dead_letters() == 0);
  CHECK(f.take_all("a") == "i 1 5 >2");
}

TEST_CASE("a key that became wanted by a flow which came later is decoded for it") {
  reading_fixture f;
  f.send({{1, 'i', 7, "5"}}, "other");
  REQUIRE(!f.join("a"));
  f.read();
  REQUIRE(!f.join("b", "sqlite.shop.main.other", 1));
  f.send({{2, 'i', 8, "5"}}, "other");
  f.read();
  CHECK(f.work->readers() == 1);
  CHECK(f.take_all("a") == "");
  CHECK(f.take_all("b") == "i 2 5 >2");
}

TEST_CASE("tables pass each other within a read, rows of a table do not") {
  reading_fixture f;
  REQUIRE(!f.join("a", "sqlite.shop"));
  f.send({{1, 'i', 1, "1"}});
  f.send({{2, 'i', 1, "1"}}, "other");
  f.send({{3, 'u', 1, "2"}});
  f.send({{4, 'u', 1, "2"}}, "other");
  f.send({{5, 'd', 1}});
  f.read();
  // Only the last batch of a read completes its offsets.
  CHECK(f.take_all("a") == "i 1 1, u 3 2, d 5 null >0 | i 2 1, u 4 2 >5");
}

TEST_CASE("a flow completes the offsets of a read with its own last batch") {
  reading_fixture f;
  REQUIRE(!f.join("a"));
  REQUIRE(!f.join("b", "sqlite.shop.main.other"));
  f.send({{1, 'i', 1, "1"}});
  f.send({{2, 'i', 1, "1"}}, "other");
  f.read();
  CHECK(f.take_all("a") == "i 1 1 >2");
  CHECK(f.take_all("b") == "i 2 1 >2");
}

TEST_CASE("a flow that does not take its batches gets its own reader and delays nobody") {
  reading_fixture f(2);
  REQUIRE(!f.join("slow"));
  REQUIRE(!f.join("fast"));
  std::string seen;
  for (int64_t id = 1; id <= 6; ++id) {
    f.send({{id, 'i', id, "1"}});
    f.read();
    seen += f.take_all("fast") + "; ";
  }
  CHECK(seen == "i 1 1 >1; i 2 1 >2; i 3 1 >3; i 4 1 >4; i 5 1 >5; i 6 1 >6; ");
  CHECK(f.work->readers() == 2);
  CHECK(f.work->queued_rows("slow") == 2);
  CHECK(f.take_all("slow") == "i 1 1, i 2 1 >2");
  // It goes on where it stood, and the two meet again at the end.
  f.read();
  CHECK(f.take_all("slow") == "i 3 1, i 4 1, i 5 1, i 6 1 >6");
  f.read();
  CHECK(f.work->readers() == 1);
  f.send({{7, 'i', 7, "1"}});
  f.read();
  CHECK(f.take_all("slow") == "i 7 1 >7");
  CHECK(f.take_all("fast") == "i 7 1 >7");
}

TEST_CASE("a flow is read for while another one of its reader takes nothing at all") {
  reading_fixture f(2);
  REQUIRE(!f.join("warm"));
  REQUIRE(!f.join("runs"));
  for (int64_t id = 1; id <= 5; ++id) {
    f.send({{id, 'i', id, "1"}});
    // STREAM sleeps when this is false.
    REQUIRE(f.work->wants_to_read());
    f.read();
    CHECK(f.work->next("runs").data);
  }
}

TEST_CASE("small batches that piled up come as one, up to a change of table or kind") {
  reading_fixture f;
  REQUIRE(!f.join("a", "sqlite.shop"));
  REQUIRE(!f.join("b"));
  auto mark = std::make_shared<ums::batch>(*orders({{2, 'i', 8, "5"}}));
  mark->kind = ums::protocol::initial_data;
  auto one_by_one = [&f](auto&& what) {
    f.send(what);
    f.read();
  };
  one_by_one(orders({{1, 'i', 7, "5"}}));
  one_by_one(ums::batch_ptr(mark));
  one_by_one(orders({{3, 'i', 9, "5"}}));
  one_by_one(orders({{4, 'u', 9, "6"}, {5, 'd', 9}}));
  f.send({{6, 'i', 1, "1"}}, "other");
  f.read();
  one_by_one(orders({{7, 'i', 2, "1"}}));
  CHECK(f.take_all("a") == "i 1 5 >1 | i 2 5 >2 | i 3 5, u 4 6, d 5 null >4 | i 6 1 >5 | i 7 1 >6");
  CHECK(*f.work->at_end("a"));
  // What the other flow sees is its own.
  CHECK(f.take_all("b") == "i 1 5 >1 | i 2 5 >2 | i 3 5, u 4 6, d 5 null, i 7 1 >6");
}

TEST_CASE("nothing is read for a flow whose queue is full, by batches or by bytes") {
  auto by_batches = true;
  SUBCASE("batches") {}
  SUBCASE("bytes") { by_batches = false; }
  reading_fixture f(by_batches ? 2 : 1000, by_batches ? 64 << 20 : 64);
  REQUIRE(!f.join("a"));
  for (int64_t id = 1; id <= 5; ++id) {
    f.send({{id, 'i', id, "1"}});
    f.read();
  }
  CHECK(!f.work->wants_to_read());
  CHECK(f.work->queued_rows("a") == 2);
  f.take_all("a");
  CHECK(f.work->wants_to_read());
  f.read();
  CHECK(f.take_all("a") == "i 3 1, i 4 1, i 5 1 >5");
}

TEST_CASE("what cannot be decoded becomes a dead letter, and the rest goes on") {
  reading_fixture f;
  REQUIRE(!f.join("a"));
  auto key = ums::message_key(ums::protocol::increment_data, orders_name());
  f.send({{1, 'i', 1, "1"}});
  f.send(key, "{poison");
  std::string value;
  REQUIRE(!ums::write(*orders({{2, 'i', 2, "1"}, {3, 'i', 3, "1"}}), value));
  auto at = value.find("\"2\"");
  REQUIRE(at != std::string::npos);
  f.send(key, value.replace(at, 3, "\"x\""));
  f.send("a key of somebody else", "of somebody else");
  f.send({{4, 'i', 4, "1"}});
  f.read();
  CHECK(f.take_all("a") == "i 1 1, i 3 1, i 4 1 >5");
  CHECK(f.work->dead_letters() == 3);
  auto store = state::dead_letter_store::open(f.folder.path());
  REQUIRE(bool(store));
  auto kept = store->list("stream.main");
  REQUIRE(bool(kept));
  REQUIRE(kept->size() == 3);
  const auto& poison = (*kept)[0];
  CHECK(poison.bytes == "{poison");
  CHECK(poison.offset == 1);
  CHECK(poison.topic == topic);
  CHECK(poison.ns == orders_name().text());
  CHECK(poison.reason != "");
  CHECK((*kept)[1].offset == 2);
  CHECK((*kept)[1].bytes.find("\"x\"") != std::string::npos);
  CHECK((*kept)[2].ns == "");
}

TEST_CASE("a flow knows how far it is behind and when it is at the end") {
  reading_fixture f;
  f.send({{1, 'i', 1, "1"}});
  f.send({{2, 'i', 2, "1"}});
  REQUIRE(!f.join("a"));
  CHECK(*f.work->messages_behind("a") == 2);
  CHECK(!*f.work->at_end("a"));
  f.read();
  CHECK(*f.work->messages_behind("a") == 0);
  CHECK(!*f.work->at_end("a"));
  f.take_all("a");
  CHECK(*f.work->at_end("a"));
  CHECK(!*f.work->at_end("unknown"));
  f.send({{3, 'i', 3, "1"}});
  CHECK(!*f.work->at_end("a"));
}

TEST_CASE("a flow begins at its offsets, and again from others when it joins again") {
  reading_fixture f;
  for (int64_t id = 1; id <= 3; ++id)
    f.send({{id, 'i', id, "1"}});
  REQUIRE(!f.join("a", "sqlite.shop", 2));
  f.read();
  CHECK(f.work->queued_rows("a") == 1);
  REQUIRE(!f.join("a", "sqlite.shop", 1));
  CHECK(f.work->queued_rows("a") == 0);
  f.read();
  CHECK(f.take_all("a") == "i 2 1, i 3 1 >3");
  f.work->leave("a");
  CHECK(f.work->readers() == 0);
  CHECK(!f.work->wants_to_read());
  CHECK(!f.work->next("a").data);
}

TEST_CASE("offsets that the bus does not hold are refused for that flow alone") {
  reading_fixture f;
  f.send({{1, 'i', 1, "1"}});
  REQUIRE(!f.join("good"));
  auto refused = f.join("bad", "sqlite.shop", 5);
  CHECK(refused == ec::rejected);
  CHECK(refused.text().find("stands at offset 5 of rtdp.shop/0, but the bus holds 0 to 1") !=
        std::string::npos);
  f.read();
  CHECK(f.take_all("good") == "i 1 1 >1");
}

TEST_CASE("a flow is at the end when only marks of transactions are behind its last message") {
  auto bus = std::make_shared<memory_bus>();
  reading work({.name = "main"}, bus, temp_folder().path());
  std::string value;
  auto b = batch_of(orders_schema("orders"), {{1, 'i', 7, "5"}});
  REQUIRE(!ums::write(*b, value));
  bus->send(ums::message_key(b->kind, b->schema->name), value);
  bus->marks = 2;
  REQUIRE(!work.join("a", *ums::ns::parse("sqlite.shop"), {topic}, {}));
  REQUIRE(!work.read(0ms));
  CHECK(work.next("a").data);
  CHECK(*work.messages_behind("a") == 2);
  CHECK(!*work.at_end("a"));
  bus->marks_read = true;
  REQUIRE(!work.read(0ms));
  CHECK(*work.messages_behind("a") == 0);
  CHECK(*work.rows_behind("a") == 0);
  CHECK(*work.at_end("a"));
}
