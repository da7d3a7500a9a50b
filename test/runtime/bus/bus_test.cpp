#include "test/runtime/bus/contract_fenced.hpp"
#include "test/support/temp_folder.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <sys/resource.h>

namespace rtdp::bus {

namespace contract {

/// One folder for all tests of this file.
const std::string& data_dir() {
  static test::temp_folder folder;
  return folder.path();
}

std::unique_ptr<bus> open_bus_with(const config::value& retention, int64_t retention_bytes,
                                   int64_t message_bytes_max = 1 << 20) {
  auto embedded = kind_named("embedded");
  auto settings = embedded.spec.defaults();
  settings.values["retention"] = retention;
  settings.values["retention_bytes"] = retention_bytes;
  settings.values["message_bytes_max"] = message_bytes_max;
  auto b = embedded.make(settings, data_dir());
  if (auto failed = b->open())
    FAIL(failed.text());
  return b;
}

std::unique_ptr<bus> open_bus() { return open_bus_with(0ms, 0); }

std::unique_ptr<bus> open_bus_for(int64_t message_bytes_max) {
  return open_bus_with(0ms, 0, message_bytes_max);
}

} // namespace contract

using namespace contract;

namespace {

int64_t bytes_of(const std::string& topic) {
  int64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(data_dir() + "/bus/" + topic))
    bytes += int64_t(file.file_size());
  return bytes;
}

TEST_CASE(
    "retention by size drops the oldest, gives no offset twice, and stops the file's growth") {
  auto b = open_bus_with(0ms, 1'000'000);
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  int64_t at_100 = 0;
  for (int i = 0; i < 400; ++i) {
    require_ok(w->send(p, "", std::string(100'000, 'x')));
    require_ok(w->flush(5s));
    if (i == 200)
      at_100 = bytes_of(p.topic);
  }
  auto held = take(b->ranges(p.topic))[0];
  CHECK(held.end == 400);
  CHECK(held.first == 390);
  CHECK(bytes_of(p.topic) <= at_100 * 11 / 10);
  CHECK(read(*reader_at(*b, {{p, held.first}}), 10).size() == 10);

  auto refused = refusal_of(*b, {{p, 3}});
  CHECK(refused == ec::rejected);
  CHECK(refused.text().find("offset 3 ") != std::string::npos);
  CHECK(refused.text().find("390 up to 400 ") != std::string::npos);
}

TEST_CASE("a reader that retention overtook is told so instead of skipping") {
  auto b = open_bus_with(0ms, 300'000);
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  auto r = reader_at(*b, {{p, 0}});
  for (int i = 0; i < 10; ++i) {
    require_ok(w->send(p, "", std::string(100'000, 'x')));
    require_ok(w->flush(5s));
  }
  std::vector<message> out;
  CHECK(r->poll(1s, 1 << 20, out) == ec::rejected);
  CHECK(out.empty());
}

TEST_CASE("retention by age drops what is older when something new comes") {
  auto b = open_bus_with(20ms, 0);
  partition p{make_topic(*b), 0}, kept{make_topic(*b, {.retention = 1h}), 0};
  auto w = take(b->make_producer("test"));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i)
      for (const auto& to : {p, kept})
        require_ok(w->send(to, "", "x"));
    require_ok(w->flush(5s));
    for (auto begin = clock::now(); clock::now() - begin < 30ms;)
      std::this_thread::yield();
  }
  CHECK(take(b->ranges(p.topic))[0].first == 10);
  CHECK(take(b->ranges(p.topic))[0].end == 20);
  CHECK(take(b->ranges(kept.topic))[0].first == 0);
}

TEST_CASE("a limit that was lowered is reached in bounded steps") {
  partition p{make_topic(*open_bus()), 0};
  auto fill = take(open_bus()->make_producer("test"));
  for (int i = 0; i < 1000; ++i)
    require_ok(fill->send(p, "", std::string(1000, 'x')));
  require_ok(fill->flush(5s));
  auto b = open_bus_with(0ms, 10'000);
  auto w = take(b->make_producer("test"));
  int64_t before = 0;
  for (int i = 0; i < 100; ++i) {
    require_ok(w->send(p, "", std::string(1000, 'x')));
    require_ok(w->flush(5s));
    auto first = take(b->ranges(p.topic))[0].first;
    CHECK(first - before <= 18);
    before = first;
  }
  CHECK(take(b->ranges(p.topic))[0].first == 1090);
}

TEST_CASE("a compacted topic keeps the last message of each key, and every offset below the end "
          "may be asked for") {
  auto b = open_bus_with(1ms, 1000);
  partition p{make_topic(*b, {.compact = true}), 0};
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 300; ++i)
    require_ok(w->send(p, "k" + std::to_string(i % 3), std::string(100, char('0' + i % 10))));
  require_ok(w->flush(5s));
  auto got = read(*reader_at(*b, {{p, 0}}), 3);
  REQUIRE(got.size() == 3);
  for (int i = 0; i < 3; ++i)
    CHECK(got[size_t(i)].offset == 297 + i);
  CHECK(read(*reader_at(*b, {{p, 298}}), 2).size() == 2);
  CHECK(take(b->ranges(p.topic))[0].first == 0);
}

TEST_CASE("while another writer holds the log, a full queue and a flush end in unavailable") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  require_ok(w->send(p, "", "first"));
  require_ok(w->flush(5s));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((data_dir() + "/bus/" + p.topic + "/0.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);

  error refused;
  int queued = 0;
  auto begin = clock::now();
  for (; !refused && queued < 100; ++queued)
    refused = w->send(p, "", std::string(1'000'000, 'x'));
  --queued;
  CHECK(refused == ec::unavailable);
  CHECK(queued == 4);
  CHECK(clock::now() - begin < 7s);
  CHECK(w->flush(10ms) == ec::unavailable);
  CHECK(w->send(p, "", "x") == ec::unavailable);
  sqlite3_close(other);

  auto again = take(b->make_producer("test"));
  require_ok(again->send(p, "", "second"));
  require_ok(again->flush(5s));
  CHECK(take(b->ranges(p.topic))[0].end == 2);
}

TEST_CASE(
    "a full disk is unavailable, loses nothing that was flushed, and goes on when it has room") {
  partition p{make_topic(*open_bus()), 0};
  // The limit on the size of a file stands for the end of the disk, for the child alone.
  test::child writer([&](const test::child::report& done) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    auto most = std::exchange(limit.rlim_cur, 3'000'000);
    setrlimit(RLIMIT_FSIZE, &limit);
    auto b = open_bus();
    int64_t flushed = 0;
    error full;
    auto w = take(b->make_producer("child"));
    for (; !full && flushed < 1000; ++flushed) {
      full = w->send(p, "", std::string(100'000, 'x'));
      full = full ? full : w->flush(5s);
    }
    done(--flushed);
    done(full == ec::unavailable);
    limit.rlim_cur = most;
    setrlimit(RLIMIT_FSIZE, &limit);
    w = take(b->make_producer("child"));
    auto failed = w->send(p, "", "last");
    done(!failed && !w->flush(5s));
  });
  auto flushed = writer.next();
  CHECK(flushed > 5);
  CHECK(flushed < 100);
  CHECK(writer.next() == 1);
  CHECK(writer.next() == 1);
  auto got = read(*reader_at(*open_bus(), {{p, 0}}), size_t(flushed) + 1);
  REQUIRE(got.size() == size_t(flushed) + 1);
  CHECK(got.back().value == "last");
}

TEST_CASE("two processes append to one partition, and both orders hold") {
  partition p{make_topic(*open_bus()), 0};
  auto write = [&](const std::string& name) {
    return [&, name](const test::child::report&) {
      auto w = open_bus()->make_producer(name);
      bool failed = !w;
      for (int i = 0; i < 100 && !failed; ++i)
        failed = (*w)->send(p, name, std::to_string(i)) || (*w)->flush(5s);
      _exit(failed ? 1 : 0);
    };
  };
  test::child one(write("one")), two(write("two"));
  CHECK(one.wait() == 0);
  CHECK(two.wait() == 0);
  std::map<std::string, int> next;
  for (const auto& m : read(*reader_at(*open_bus(), {{p, 0}}), 200))
    CHECK(m.value == std::to_string(next[m.key]++));
  CHECK(next == std::map<std::string, int>{{"one", 100}, {"two", 100}});
}

} // namespace
} // namespace rtdp::bus
