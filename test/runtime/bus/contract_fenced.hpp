/// What every kind of bus promises of its fenced producers, and of where a reader stands. Part of
/// contract.hpp.
#pragma once

#include "test/runtime/bus/contract.hpp"

namespace rtdp::bus::contract {

/// An id that no test used before.
inline std::string make_id() {
  static int count = 0;
  return "id-" + std::to_string(getpid()) + "-" + std::to_string(now_us()) + "." +
         std::to_string(++count);
}

/// Everything that comes within `wait`.
inline std::vector<std::string> values_within(reader& r, std::chrono::milliseconds wait) {
  std::vector<message> got;
  for (auto until = clock::now() + wait; clock::now() < until;)
    require_ok(r.poll(10ms, 1 << 20, got));
  std::vector<std::string> values;
  for (const auto& m : got)
    values.push_back(m.value);
  return values;
}

inline std::vector<std::string> values_of(const std::vector<message>& messages) {
  std::vector<std::string> values;
  for (const auto& m : messages)
    values.push_back(m.value);
  return values;
}

/// What `send` and then `flush` answer.
inline error write(producer& w, const partition& p, const std::string& value) {
  if (auto failed = w.send(p, "k", value))
    return failed;
  return w.flush(10s);
}

/// The values of everything that the partition holds. It is read up to a message that is written
/// here, which is seen when all transactions before it have ended: where the log ends at this
/// moment says nothing, because a broker marks a transaction only after it has answered `flush`.
inline std::vector<std::string> all_of(bus& b, const partition& p) {
  const std::string last = "the last one";
  require_ok(write(*take(b.make_producer("test")), p, last));
  auto r = reader_at(b, {{p, 0}});
  std::vector<message> got;
  auto is_read = [&] { return !got.empty() && got.back().value == last; };
  for (auto until = clock::now() + 10s; !is_read() && clock::now() < until;)
    require_ok(r->poll(20ms, 1 << 20, got));
  REQUIRE(is_read());
  got.pop_back();
  return values_of(got);
}

using texts = std::vector<std::string>;

TEST_CASE("a transaction is seen whole when it is flushed, and not before") {
  auto b = open_bus();
  partition one{make_topic(*b, {.partitions = 2}), 1}, two{make_topic(*b), 0};
  auto r = reader_at(*b, {{one, 0}, {two, 0}});
  auto w = take(b->make_fenced_producer(make_id()));
  for (int i = 0; i < 10; ++i)
    require_ok(w->send(i % 2 == 0 ? one : two, "", std::to_string(i)));
  // 9 MB in all, more than a producer holds back of itself.
  for (int i = 0; i < 20; ++i)
    require_ok(w->send(one, "", std::string(450'000, 'x')));
  CHECK(values_within(*r, 300ms).empty());
  require_ok(w->flush(10s));
  auto got = read(*r, 30);
  REQUIRE(got.size() == 30);
  std::map<std::string, texts> by_topic;
  for (const auto& m : got)
    by_topic[*m.topic].push_back(m.value.substr(0, 1));
  by_topic[one.topic].resize(5);
  CHECK(by_topic[one.topic] == texts{"0", "2", "4", "6", "8"});
  CHECK(by_topic[two.topic] == texts{"1", "3", "5", "7", "9"});
}

TEST_CASE("whoever takes an id fences its owner, of whom nothing is seen that was not flushed") {
  auto b = open_bus(), other = open_bus();
  partition p{make_topic(*b), 0};
  auto id = make_id();
  auto first = take(b->make_fenced_producer(id));
  require_ok(write(*first, p, "1"));
  require_ok(first->send(p, "", "never"));
  auto second = take(other->make_fenced_producer(id));
  require_ok(write(*second, p, "2"));
  auto fenced = write(*first, p, "never");
  CAPTURE(fenced.text());
  CHECK(fenced == ec::fenced);
  CHECK(fenced.text().find(id) != std::string::npos);
  CHECK(first->send(p, "", "never") == ec::fenced);
  CHECK(first->flush(1s) == ec::fenced);
  require_ok(write(*second, p, "3"));
  first.reset();
  require_ok(write(*second, p, "4"));
  CHECK(all_of(*b, p) == texts{"1", "2", "3", "4"});
}

TEST_CASE("an owner that was idle when its id was taken is fenced all the same") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto id = make_id();
  auto first = take(b->make_fenced_producer(id)), second = take(b->make_fenced_producer(id));
  CHECK(write(*first, p, "never") == ec::fenced);
  require_ok(second->flush(1s));
  require_ok(write(*second, p, "1"));
  auto third = take(b->make_fenced_producer(id));
  CHECK(write(*second, p, "never") == ec::fenced);
  CHECK(all_of(*b, p) == texts{"1"});
}

TEST_CASE("owners of different ids, and plain producers, do not fence each other") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto one = take(b->make_fenced_producer(make_id()));
  auto two = take(b->make_fenced_producer(make_id()));
  auto plain = take(b->make_producer("test"));
  for (int i = 0; i < 5; ++i)
    for (auto* w : {one.get(), two.get(), plain.get()})
      require_ok(write(*w, p, std::to_string(i)));
  CHECK(all_of(*b, p).size() == 15);
}

TEST_CASE("a producer that is dropped leaves nothing of what it had not flushed") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_fenced_producer(make_id()));
  require_ok(write(*w, p, "1"));
  require_ok(w->send(p, "", "never"));
  w.reset();
  // Nobody has to take the id for what comes behind to be seen.
  require_ok(write(*take(b->make_producer("test")), p, "2"));
  CHECK(values_of(read(*reader_at(*b, {{p, 0}}), 2)) == texts{"1", "2"});
}

TEST_CASE("what cannot be sent is refused, and the transaction goes on") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_fenced_producer(make_id()));
  require_ok(w->send(p, "", "1"));
  CHECK(w->send({"never-made", 0}, "", "x") == ec::rejected);
  CHECK(w->send({p.topic, 1}, "", "x") == ec::rejected);
  require_ok(w->send(p, "", "2"));
  require_ok(w->flush(10s));
  require_ok(w->flush(10s));
  CHECK(all_of(*b, p) == texts{"1", "2"});
}

TEST_CASE("an owner that is killed with a transaction open leaves nothing of it") {
  partition p{make_topic(*open_bus()), 0};
  auto id = make_id();
  test::child owner([&](const test::child::report& done) {
    auto b = open_bus();
    auto w = b->make_fenced_producer(id);
    if (!w || write(**w, p, "1") || (*w)->send(p, "", "never"))
      return;
    // The message has left the process by then, where it leaves it before the flush.
    (void)values_within(*take(b->make_reader("child")), 200ms);
    done(1);
    pause();
  });
  REQUIRE(owner.next() == 1);
  owner.kill();
  auto b = open_bus();
  auto begin = clock::now();
  auto w = take(b->make_fenced_producer(id));
  require_ok(write(*w, p, "2"));
  CHECK(values_of(read(*reader_at(*b, {{p, 0}}), 2)) == texts{"1", "2"});
  MESSAGE("seen after ", std::chrono::duration<double, std::milli>(clock::now() - begin).count(),
          " ms");
  CHECK(clock::now() - begin < 5s);
}

TEST_CASE("a reader stands at the end when nothing is left, whatever the last entries are") {
  auto b = open_bus();
  partition p{make_topic(*b, {.partitions = 2}), 0}, empty{p.topic, 1};
  auto r = reader_at(*b, {{p, 0}, {empty, 0}});
  CHECK(r->position(p) == 0);
  auto reaches_end = [&] {
    std::vector<message> any;
    auto end = take(b->ranges(p.topic));
    for (auto until = clock::now() + 10s; clock::now() < until && r->position(p) < end[0].end;)
      require_ok(r->poll(20ms, 1 << 20, any));
    CHECK(r->position(p) == end[0].end);
    CHECK(r->position(empty) == 0);
  };
  auto plain = take(b->make_producer("test"));
  auto w = take(b->make_fenced_producer(make_id()));
  for (int round = 0; round < 3; ++round) {
    require_ok(write(*plain, p, "x"));
    reaches_end();
    require_ok(write(*w, p, "y"));
    reaches_end();
  }
  require_ok(w->send(p, "", "never"));
  w.reset();
  reaches_end();
  auto end = r->position(p);
  require_ok(r->assign({{p, end}}));
  CHECK(r->position(p) == end);
  reaches_end();
}

TEST_CASE("owners that take an id from each other at random leave what they flushed, in order") {
  auto seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto id = make_id();
  std::vector<std::unique_ptr<producer>> owners(3);
  std::vector<texts> begun(3);
  size_t newest = 0;
  texts flushed;
  for (int i = 0; i < 60; ++i) {
    auto who = random() % owners.size();
    if (!owners[who] || random() % 8 == 0) {
      owners[who] = take(b->make_fenced_producer(id));
      begun[who].clear();
      newest = who;
    }
    begun[who].push_back(std::to_string(i));
    auto failed = owners[who]->send(p, "", begun[who].back());
    if (!failed && random() % 3 > 0)
      continue;
    failed = failed ? failed : owners[who]->flush(10s);
    CAPTURE(failed.text());
    REQUIRE(failed == (who == newest ? ec::ok : ec::fenced));
    if (!failed)
      flushed.insert(flushed.end(), begun[who].begin(), begun[who].end());
    else
      owners[who].reset();
    begun[who].clear();
  }
  owners.clear();
  require_ok(write(*take(b->make_fenced_producer(id)), p, "end"));
  flushed.push_back("end");
  CHECK(all_of(*b, p) == flushed);
}

TEST_CASE("a small transaction is flushed within 50 ms, one behind another and after a pause") {
  auto b = open_bus();
  partition p{make_topic(*b), 0}, q{make_topic(*b), 0};
  auto w = take(b->make_fenced_producer(make_id()));
  require_ok(write(*w, p, "warm"));
  auto idle = take(b->make_reader("test"));
  for (auto pause : {0ms, 30ms}) {
    std::vector<double> ms;
    for (int i = 0; i < 100; ++i) {
      std::vector<message> none;
      require_ok(idle->poll(pause, 1, none));
      auto begin = clock::now();
      require_ok(w->send(p, "k", "a small message"));
      require_ok(w->send(q, "k", "another"));
      require_ok(w->flush(5s));
      ms.push_back(std::chrono::duration<double, std::milli>(clock::now() - begin).count());
    }
    std::sort(ms.begin(), ms.end());
    MESSAGE("transaction after ", pause.count(), " ms: p50 ", ms[50], " ms, p99 ", ms[98], " ms");
    CHECK(ms[50] < 50);
  }
}

} // namespace rtdp::bus::contract
