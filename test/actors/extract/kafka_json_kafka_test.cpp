/// Beside a real broker: RTDP_TEST_KAFKA, set by test/services/with kafka.
#include "runtime/bus/bus.hpp"
#include "runtime/core/time.hpp"
#include "test/actors/extract/driving.hpp"

#include <algorithm>
#include <cstdlib>

namespace rtdp::extract {

namespace {

using namespace rtdp::test;

std::unique_ptr<bus::bus> open_bus() {
  const char* broker = std::getenv("RTDP_TEST_KAFKA");
  if (broker == nullptr)
    FAIL("RTDP_TEST_KAFKA is not set; run this by test/services/with kafka -- …");
  for (const auto& k : bus::kinds()) {
    if (k.spec.name != "kafka")
      continue;
    auto settings = k.spec.defaults();
    settings.values["brokers"] = std::string(broker);
    auto b = k.make(settings, "");
    auto failed = b->open();
    REQUIRE_MESSAGE(!failed, failed.text());
    return b;
  }
  return nullptr;
}

/// A topic of its own for each test.
struct topic {
  std::string name = "clicks-" + std::to_string(now_us());
  std::unique_ptr<bus::bus> at = open_bus();
  std::unique_ptr<bus::producer> to;

  explicit topic(int partitions = 2) {
    REQUIRE_FALSE(at->create_topic(name, {.partitions = partitions}));
    auto made = at->make_producer("test");
    REQUIRE(made);
    to = std::move(*made);
  }
  void send(int partition, const std::string& key, const std::string& value) {
    REQUIRE_FALSE(to->send({name, partition}, key, value));
    REQUIRE_FALSE(to->flush(10s));
  }
  std::unique_ptr<driver> source(const std::string& more = "") const {
    return make_source("kafka_json",
                       std::string("{brokers: '") + std::getenv("RTDP_TEST_KAFKA") +
                           "', topics: [" + name +
                           "], tables: [{name: clicks, columns: [{name: n, type: long}, "
                           "{name: key, from: '@key'}, {name: at, from: '@timestamp', type: "
                           "datetime}, {name: gone, from: '@tombstone', type: boolean}]}]" +
                           more + "}");
  }
};

std::vector<seen_row> read_from(const topic& t, std::string& position, const std::string& more = "",
                                int64_t next_id = 1) {
  drive d(t.source(more), position, next_id);
  auto failed = d.source->open(position);
  REQUIRE_MESSAGE(!failed, failed.text());
  std::vector<seen_row> all;
  do {
    auto rows = rows_of(d.step(100ms).batches);
    all.insert(all.end(), rows.begin(), rows.end());
  } while (!d.source->progress().idle);
  position = d.position;
  return all;
}

std::vector<std::string> column(const std::vector<seen_row>& rows, const std::string& name) {
  std::vector<std::string> out;
  for (const auto& r : rows)
    out.push_back(r.cells.at(name));
  std::sort(out.begin(), out.end());
  return out;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("messages of every partition become rows, with their key and time") {
  topic t;
  auto before = now_us();
  t.send(0, "a", "{\"n\":1}");
  t.send(1, "b", "{\"n\":2}");
  t.send(1, "", "{\"n\":3}");
  std::string position;
  auto rows = read_from(t, position);
  CHECK(column(rows, "n") == texts{"1", "2", "3"});
  CHECK(column(rows, "key") == texts{"NULL", "a", "b"});
  for (const auto& r : rows) {
    auto at = ums::parse_datetime(r.cells.at("at"));
    REQUIRE(at);
    CHECK(*at >= before / 1000 * 1000);
    CHECK(*at <= now_us());
  }
  CHECK(position == t.name + "/0=1 " + t.name + "/1=2");
}

TEST_CASE("a run goes on at its offsets and gives none of the ids of the run before it again") {
  topic t;
  t.send(0, "a", "{\"n\":1}");
  std::string position;
  auto first = read_from(t, position);
  REQUIRE(first.size() == 1);
  t.send(0, "a", "{\"n\":2}");
  t.send(1, "a", "{\"n\":3}");
  auto second = read_from(t, position, "", first[0].id + 1);
  CHECK(column(second, "n") == texts{"2", "3"});
  for (const auto& r : second)
    CHECK(r.id > first[0].id + 1'000'000);
}

TEST_CASE("a first start at the end passes over what is there, and nothing that comes later") {
  topic t;
  t.send(0, "a", "{\"n\":1}");
  drive d(t.source(", from: end"), "", 1);
  REQUIRE_FALSE(d.source->open(""));
  t.send(0, "a", "{\"n\":2}");
  auto rows = read_all(d);
  while (rows.empty())
    rows = rows_of(d.step(100ms).batches);
  CHECK(column(rows, "n") == texts{"2"});
}

TEST_CASE("a tombstone is passed over, or is a row with its key") {
  topic t;
  t.send(0, "a", "{\"n\":1}");
  t.send(0, "a", "");
  std::string position;
  CHECK(read_from(t, position).size() == 1);
  position.clear();
  auto rows = read_from(t, position, ", tombstones: row");
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].cells.at("key") == "a");
  CHECK(rows[1].cells.at("n") == "NULL");
  CHECK(rows[1].cells.at("gone") == "true");
  CHECK(rows[0].cells.at("gone") == "false");
}

TEST_CASE("a message that is no JSON is kept and the others go on") {
  topic t;
  t.send(0, "a", "not json");
  t.send(0, "a", "{\"n\":2}");
  drive d(t.source(), "", 1);
  REQUIRE_FALSE(d.source->open(""));
  size_t rows = 0, bad = 0;
  do {
    auto taken = d.step(100ms);
    rows += taken.rows;
    bad += taken.bad.size();
  } while (!d.source->progress().idle);
  CHECK(rows == 1);
  CHECK(bad == 1);
}

TEST_CASE("an offset that the topic does not hold is refused, and both are named") {
  topic t(1);
  t.send(0, "a", "{\"n\":1}");
  drive d(t.source(), "", 1);
  REQUIRE_FALSE(d.source->open(t.name + "/0=1000"));
  error failed;
  while (!failed)
    failed = d.source->read(d.out, 100ms);
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("1000") != std::string::npos);
}

TEST_CASE("a topic that does not exist, and a position of something else, are refused") {
  topic t;
  auto source = t.source();
  CHECK(source->open("nonsense") == ec::rejected);
  auto nobody =
      make_source("kafka_json", std::string("{brokers: '") + std::getenv("RTDP_TEST_KAFKA") +
                                    "', topics: [no-such-topic], tables: [{name: t, "
                                    "columns: [{name: n}]}]}");
  CHECK(nobody->open("") == ec::rejected);
}

} // namespace rtdp::extract
