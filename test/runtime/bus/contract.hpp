/// What every kind of bus promises (runtime/bus/bus.hpp), as tests. A test executable includes this
/// once and defines `open_bus`; each test makes topics of its own, so they run in any order.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/time.hpp"
#include "test/support/child.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <random>
#include <thread>
#include <unistd.h>

namespace rtdp::bus::contract {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// An opened bus over the same storage each time, as another process would open it.
std::unique_ptr<bus> open_bus();
/// The same for messages of up to so many bytes.
std::unique_ptr<bus> open_bus_for(int64_t message_bytes_max);

inline kind kind_named(const std::string& name) {
  for (auto& k : kinds())
    if (k.spec.name == name)
      return k;
  FAIL("no bus named ", name);
  return {config::spec{"", ""}, false, nullptr};
}

/// A topic with a name that no test used before, here or in an earlier run.
inline std::string make_topic(bus& b, topic_options options = {}) {
  static int count = 0;
  auto name = "t-" + std::to_string(getpid()) + "-" + std::to_string(now_us()) + "." +
              std::to_string(++count);
  auto failed = b.create_topic(name, options);
  CAPTURE(failed.text());
  REQUIRE(!failed);
  return name;
}

/// Stops the test with the error's words.
inline void require_ok(const error& e) {
  CAPTURE(e.text());
  REQUIRE(!e);
}
template<class T>
T take(result<T> r) {
  if (!r)
    FAIL(r.error().text());
  return std::move(*r);
}

/// Reads until `count` messages came, at most 10 s.
inline std::vector<message> read(reader& r, size_t count) {
  std::vector<message> out;
  for (auto until = clock::now() + 10s; out.size() < count && clock::now() < until;)
    require_ok(r.poll(100ms, 1 << 20, out));
  return out;
}

inline std::unique_ptr<reader> reader_at(bus& b, const std::map<partition, int64_t>& from) {
  auto r = take(b.make_reader("test"));
  require_ok(r->assign(from));
  return r;
}

/// Polls until the reader refuses, at most 10 s.
inline error refusal_of(bus& b, const std::map<partition, int64_t>& from) {
  auto r = take(b.make_reader("test"));
  if (auto failed = r->assign(from))
    return failed;
  std::vector<message> out;
  for (auto until = clock::now() + 10s; clock::now() < until;)
    if (auto failed = r->poll(100ms, 1 << 20, out))
      return failed;
  return {};
}

TEST_CASE(
    "messages come back in order, with offsets from 0, keys, times and room behind the value") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto before = now_us() / 1000;
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 1000; ++i)
    require_ok(w->send(p, "key " + std::to_string(i), std::string(size_t(i) * 7 % 600, char(i))));
  require_ok(w->flush(10s));
  auto got = read(*reader_at(*b, {{p, 0}}), 1000);
  REQUIRE(got.size() == 1000);
  for (int i = 0; i < 1000; ++i) {
    const auto& m = got[size_t(i)];
    REQUIRE(m.offset == i);
    REQUIRE(m.key == "key " + std::to_string(i));
    REQUIRE(m.value == std::string(size_t(i) * 7 % 600, char(i)));
    REQUIRE(m.value.capacity() >= m.value.size() + 64);
    REQUIRE(*m.topic == p.topic);
    REQUIRE(m.index == 0);
    REQUIRE(m.timestamp_ms >= before);
    REQUIRE(m.timestamp_ms <= now_us() / 1000);
  }
}

TEST_CASE(
    "partitions and topics keep their own order and offsets, and a reader sees only its own") {
  auto b = open_bus();
  auto one = make_topic(*b, {.partitions = 3}), two = make_topic(*b);
  std::vector<partition> all{{one, 0}, {one, 1}, {one, 2}, {two, 0}};
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 400; ++i)
    require_ok(w->send(all[size_t(i % 4)], "", std::to_string(i)));
  require_ok(w->flush(10s));
  auto got = read(*reader_at(*b, {{all[0], 0}, {all[2], 50}, {all[3], 100}}), 150);
  REQUIRE(got.size() == 150);
  std::map<partition, int64_t> next{{all[0], 0}, {all[2], 50}};
  for (const auto& m : got) {
    partition p{*m.topic, m.index};
    REQUIRE(next.contains(p));
    CHECK(m.offset == next[p]++);
    CHECK(m.value == std::to_string(m.offset * 4 + p.index));
  }
  auto ranges = take(b->ranges(one));
  REQUIRE(ranges.size() == 3);
  for (const auto& r : ranges)
    CHECK((r.first == 0 && r.end == 100));
}

TEST_CASE("several readers get everything, also over a bus opened on its own") {
  auto b = open_bus(), other = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  auto first = reader_at(*b, {{p, 0}}), second = reader_at(*other, {{p, 0}});
  for (int i = 0; i < 100; ++i) {
    require_ok(w->send(p, "", std::to_string(i)));
    if (i % 10 == 9)
      require_ok(w->flush(10s));
  }
  for (auto* r : {first.get(), second.get()}) {
    auto got = read(*r, 100);
    REQUIRE(got.size() == 100);
    CHECK(got.back().value == "99");
  }
}

TEST_CASE("a reader goes where it is assigned, back and forth, and waits at the end") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 100; ++i)
    require_ok(w->send(p, "", std::to_string(i)));
  require_ok(w->flush(10s));
  auto r = reader_at(*b, {{p, 90}});
  CHECK(read(*r, 10).front().offset == 90);
  require_ok(r->assign({{p, 5}}));
  CHECK(read(*r, 95).front().offset == 5);
  require_ok(r->assign({{p, 100}}));
  std::vector<message> none;
  auto begin = clock::now();
  require_ok(r->poll(0ms, 1 << 20, none));
  require_ok(r->poll(60ms, 1 << 20, none));
  CHECK(none.empty());
  CHECK(clock::now() - begin >= 60ms);
  require_ok(w->send(p, "", "last"));
  require_ok(w->flush(10s));
  CHECK(read(*r, 1).front().value == "last");
}

TEST_CASE("a poll takes about as many bytes as it may, and goes on where it stopped") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 20; ++i)
    require_ok(w->send(p, "", std::string(100'000, 'x')));
  require_ok(w->flush(10s));
  auto r = reader_at(*b, {{p, 0}});
  std::vector<message> got;
  for (auto until = clock::now() + 10s; got.size() < 20 && clock::now() < until;) {
    auto before = got.size();
    require_ok(r->poll(100ms, 250'000, got));
    CHECK(got.size() - before <= 4);
  }
  REQUIRE(got.size() == 20);
  for (size_t i = 0; i < got.size(); ++i)
    CHECK(got[i].offset == int64_t(i));
}

TEST_CASE("an offset behind the end is rejected, and the error names it and the end") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  require_ok(w->send(p, "", "x"));
  require_ok(w->flush(10s));
  auto refused = refusal_of(*b, {{p, 777}});
  CAPTURE(refused.text());
  CHECK(refused == ec::rejected);
  CHECK(refused.text().find("777") != std::string::npos);
  CHECK(refused.text().find("0 up to 1 ") != std::string::npos);
}

TEST_CASE("a reader without partitions waits and finds nothing") {
  auto b = open_bus();
  auto r = take(b->make_reader("test"));
  std::vector<message> none;
  auto begin = clock::now();
  require_ok(r->poll(30ms, 1 << 20, none));
  require_ok(r->assign({}));
  require_ok(r->poll(30ms, 1 << 20, none));
  CHECK(none.empty());
  CHECK(clock::now() - begin >= 60ms);
}

TEST_CASE("an unknown topic is rejected by its name, everywhere") {
  auto b = open_bus();
  partition p{"never-made", 0};
  auto ranges = b->ranges(p.topic);
  REQUIRE(!ranges);
  auto w = take(b->make_producer("test"));
  auto sent = w->send(p, "", "x");
  for (const auto& e : {ranges.error(), sent ? sent : w->flush(10s), refusal_of(*b, {{p, 0}})}) {
    CAPTURE(e.text());
    CHECK(e == ec::rejected);
    CHECK(e.text().find("never-made") != std::string::npos);
  }
  partition beyond{make_topic(*b, {.partitions = 2}), 2};
  auto offset = b->offset_at(beyond, 0);
  REQUIRE(!offset);
  CHECK(offset.error() == ec::rejected);
  CHECK(w->send(beyond, "", "x") == ec::rejected);
  CHECK(refusal_of(*b, {{beyond, 0}}) == ec::rejected);
}

TEST_CASE("creating a topic again changes nothing, and a name that cannot be is rejected") {
  auto b = open_bus();
  partition p{make_topic(*b, {.partitions = 2}), 1};
  auto w = take(b->make_producer("test"));
  require_ok(w->send(p, "", "x"));
  require_ok(w->flush(10s));
  require_ok(b->create_topic(p.topic, {.partitions = 5}));
  auto ranges = take(b->ranges(p.topic));
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[1].end == 1);
  for (const char* name : {"", "a/b", "..", "a b"})
    CHECK(b->create_topic(name, {}) == ec::rejected);
}

TEST_CASE("an offset is found by time") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  CHECK(take(b->offset_at(p, 0)) == 0);
  for (int i = 0; i < 20; ++i) {
    // The next message is at least one millisecond later; nothing is waited for but the clock.
    for (auto now = now_us() / 1000; now_us() / 1000 == now;)
      std::this_thread::yield();
    require_ok(w->send(p, "", std::to_string(i)));
  }
  require_ok(w->flush(10s));
  for (const auto& m : read(*reader_at(*b, {{p, 0}}), 20)) {
    CHECK(take(b->offset_at(p, m.timestamp_ms)) == m.offset);
    CHECK(take(b->offset_at(p, m.timestamp_ms + 1)) == m.offset + 1);
  }
  CHECK(take(b->offset_at(p, 0)) == 0);
}

TEST_CASE("messages of 5 MB and empty ones go through where the bus takes them") {
  auto b = open_bus_for(8 << 20);
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  std::mt19937_64 random(7);
  std::string large(5'000'000, '\0');
  for (auto& c : large)
    c = char(random());
  for (const auto& value : {large, std::string(), large})
    require_ok(w->send(p, "", value));
  require_ok(w->flush(30s));
  auto got = read(*reader_at(*b, {{p, 0}}), 3);
  REQUIRE(got.size() == 3);
  CHECK(got[0].value == large);
  CHECK(got[1].value.empty());
  CHECK(got[2].value == large);
}

TEST_CASE("what was sent is what is read, at random sizes and partitions") {
  auto seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  auto b = open_bus();
  auto topic = make_topic(*b, {.partitions = 3});
  std::map<partition, std::vector<std::string>> sent, got;
  auto w = take(b->make_producer("test"));
  size_t count = 500;
  for (size_t i = 0; i < count; ++i) {
    partition p{topic, int32_t(random() % 3)};
    auto size = random() % (random() % 10 == 0 ? 200'000 : 300);
    auto value = std::to_string(i) + std::string(size, char(random()));
    require_ok(w->send(p, std::to_string(i % 7), value));
    sent[p].push_back(value);
    if (random() % 20 == 0)
      require_ok(w->flush(10s));
  }
  require_ok(w->flush(10s));
  for (auto& m : read(*reader_at(*b, {{{topic, 0}, 0}, {{topic, 1}, 0}, {{topic, 2}, 0}}), count)) {
    auto& list = got[{*m.topic, m.index}];
    REQUIRE(m.offset == int64_t(list.size()));
    list.push_back(m.value);
  }
  CHECK(got == sent);
}

TEST_CASE("whatever was flushed is there after kill -9 of the writer, and nothing is torn") {
  std::string topic = make_topic(*open_bus());
  partition p{topic, 0};
  auto value_of = [](int64_t n) {
    return std::to_string(n) + std::string(size_t(n * 997 % 30'000), 'x');
  };
  test::child writer([&](const test::child::report& done) {
    auto b = open_bus();
    auto w = b->make_producer("child");
    for (int64_t n = 0; w; ++n) {
      if ((*w)->send(p, "", value_of(n)) || (n % 3 == 2 && (*w)->flush(10s)))
        return;
      if (n % 3 == 2)
        done(n);
    }
  });
  int64_t flushed = -1;
  for (int i = 0; i < 100; ++i)
    flushed = writer.next();
  writer.kill();
  for (auto more = writer.next(); more > 0; more = writer.next())
    flushed = more;
  REQUIRE(flushed >= 0);
  auto b = open_bus();
  auto held = take(b->ranges(topic))[0];
  CHECK(held.end > flushed);
  auto got = read(*reader_at(*b, {{p, 0}}), size_t(held.end));
  REQUIRE(int64_t(got.size()) == held.end);
  for (size_t n = 0; n < got.size(); ++n)
    REQUIRE(got[n].value == value_of(int64_t(n)));
}

TEST_CASE("an idle reader wakes when a message is flushed") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  auto r = reader_at(*b, {{p, 0}});
  std::vector<double> flush_ms, wake_ms;
  for (int i = 0; i < 300; ++i) {
    auto arrived = std::async(std::launch::async, [&] {
      std::vector<message> got;
      for (auto until = clock::now() + 5s; got.empty() && clock::now() < until;)
        if (r->poll(1s, 1 << 20, got))
          break;
      return clock::now();
    });
    auto sent = clock::now();
    require_ok(w->send(p, "k", "a small message"));
    require_ok(w->flush(5s));
    flush_ms.push_back(std::chrono::duration<double, std::milli>(clock::now() - sent).count());
    wake_ms.push_back(std::chrono::duration<double, std::milli>(arrived.get() - sent).count());
  }
  std::sort(flush_ms.begin(), flush_ms.end());
  std::sort(wake_ms.begin(), wake_ms.end());
  MESSAGE("flush of one small message: p50 ", flush_ms[150], " ms, p99 ", flush_ms[297], " ms");
  MESSAGE("send to read: p50 ", wake_ms[150], " ms, p99 ", wake_ms[297], " ms");
  CHECK(wake_ms[150] < 100);
}

} // namespace rtdp::bus::contract
