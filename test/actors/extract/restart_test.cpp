/// Random logs with snapshots in between, and deaths at every point: what the bus holds in the end.
#include "actors/extract/extraction.hpp"
#include "runtime/ums/codec.hpp"
#include "test/support/crashing_bus.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

constexpr int32_t partitions = 3;

ums::ns table_name(size_t table) { return {"scripted", "shop", "main", "t" + std::to_string(table)}; }

/// A database whose log grows while it is read, and whose tables change between two reads.
struct database {
  struct entry {
    size_t table = 0;
    /// 'i', 'u', 'd', 'b' (with the `u` behind it) or 't' for a truncate.
    char op = 'i';
    int64_t key = 0;
  };
  std::vector<entry> log;
  size_t chunks = 0;
  /// So much of the log is there by now.
  size_t available = 0;
  /// Rows that chunks gave, each with a number of its own: a chunk read again is another one.
  int64_t chunk_rows = 0;
};

/// Position: entries and chunks read.
class scripted final : public driver {
public:
  scripted(database& db, std::mt19937& random, bool replays)
      : db_(db), random_(random), replays_(replays) {}

  error open(const std::string& position) override {
    at_ = chunk_ = 0;
    if (!position.empty())
      REQUIRE(std::sscanf(position.c_str(), "%zu %zu", &at_, &chunk_) == 2);
    return {};
  }

  error read(collector& out, std::chrono::milliseconds) override {
    db_.available = std::min(db_.log.size(), db_.available + random_() % 40);
    // A `b` and its `u` are written and read as one.
    db_.available += db_.available > 0 && db_.log[db_.available - 1].op == 'b' ? 1 : 0;
    columns_ = {{.name = "id", .type = ums::type::long_, .key = true},
                {.name = "value", .type = ums::type::string}};
    for (auto left = 1 + random_() % 60; (left > 0 || pair_) && at_ < db_.available;
         left -= left > 0 ? 1 : 0) {
      log_row(out);
      if (random_() % 4 == 0 && !pair_)
        out.commit(position());
    }
    if (at_ < db_.available || chunk_ == db_.chunks || random_() % 3 > 0) {
      // Rows behind the last commit are legal: a transaction may be longer than one read.
      if (random_() % 3 > 0 || at_ == db_.log.size())
        out.commit(position());
      return {};
    }
    // As behind a watermark: every entry that was there before it has been handed over.
    out.commit(position());
    ++chunk_;
    auto table = out.table(table_name(random_() % 2), columns_);
    ums::batch rows{std::make_shared<ums::schema>(schema_of(table_name(0), columns_))};
    for (int i = 0; i < 20; ++i) {
      rows.columns[3].append_int(int64_t(random_() % 50));
      rows.columns[4].append_text("chunk " + std::to_string(++db_.chunk_rows));
    }
    auto first = out.next_id();
    out.chunk(table, std::move(rows), {}, 1);
    if (random_() % 2 == 0)
      out.sweep(table_name(0), 1, first);
    out.commit_and_settle(position());
    return {};
  }

  error confirm(const std::string&) override { return {}; }
  bool replays() const override { return replays_; }
  source_progress progress() const override {
    source_progress p;
    for (size_t t : {0, 1})
      p.tables.push_back({.name = table_name(t), .snapshot_done = true});
    p.idle = at_ == db_.log.size() && chunk_ == db_.chunks;
    return p;
  }

private:
  std::string position() const { return std::to_string(at_) + " " + std::to_string(chunk_); }

  void log_row(collector& out) {
    const auto& e = db_.log[at_];
    pair_ = e.op == 'b';
    if (e.op == 't') {
      out.truncate(table_name(e.table), 1);
    } else {
      auto& b = out.row(out.table(table_name(e.table), columns_), e.op, 1);
      b.columns[3].append_int(e.key);
      b.columns[4].append_text("entry " + std::to_string(at_));
    }
    ++at_;
  }

  database& db_;
  std::mt19937& random_;
  bool replays_;
  size_t at_ = 0, chunk_ = 0;
  /// A `b` stands alone so far.
  bool pair_ = false;
  std::vector<ums::field> columns_;
};

database made(std::mt19937& random, size_t chunks) {
  database db;
  db.chunks = chunks;
  while (db.log.size() < 1000) {
    database::entry e{.table = random() % 2, .op = "iiudb"[random() % 5],
                      .key = int64_t(random() % 50)};
    if (random() % 100 == 0)
      e.op = 't';
    db.log.push_back(e);
    if (e.op == 'b')
      db.log.push_back({.table = e.table, .op = 'u', .key = e.key});
  }
  return db;
}

struct seen_rows {
  /// Entries of the log by their value; more than one time each is a failure.
  std::map<std::string, int> entries;
  std::map<int64_t, std::string> payloads;
  /// Copies of the truncate with this id.
  std::map<int64_t, int> truncates;
};

/// Checks what must hold of each partition, and collects what must hold of all.
void look(const std::vector<bus::message>& messages, seen_rows& seen) {
  ums::reader decode;
  std::map<std::string, int64_t> last;
  for (const auto& m : messages) {
    std::vector<ums::batch> batches;
    std::vector<ums::bad_row> bad;
    REQUIRE_FALSE(decode.read(m.value, batches, bad));
    for (const auto& b : batches) {
      if (b.kind == ums::protocol::increment_heartbeat)
        continue;
      auto& above = last[b.schema->name.text()];
      for (size_t row = 0; row < b.rows(); ++row) {
        auto id = b.ids()[row];
        if (!b.carries_rows()) {
          CHECK(id > above);
          above = id;
          if (b.kind == ums::protocol::increment_truncate)
            ++seen.truncates[id];
          continue;
        }
        bool before = b.op(row) == 'b';
        CHECK(id > above);
        above = before ? id - 1 : id;
        std::string value(b.columns[4].text(row));
        ++seen.entries[value];
        if (auto [at, is_new] = seen.payloads.try_emplace(before ? -id : id, value); !is_new)
          CHECK_MESSAGE(at->second == value, "id " << id << " has two payloads");
      }
    }
  }
}

extraction_settings settings_of(uint32_t seed, const std::string& data_dir) {
  extraction_settings s;
  s.name = "shop";
  s.to = routing({"rtdp.shop", int64_t(seed % 3)}, {.partitions = partitions});
  s.data_dir = data_dir;
  s.message_bytes = 700;
  s.flush_bytes = 4000;
  return s;
}

void check(test::crashing_bus& bus, const database& db, bool replays) {
  seen_rows seen;
  for (int32_t i = 0; i < partitions; ++i)
    look(bus.held({"rtdp.shop", i}), seen);
  size_t truncates = 0;
  for (size_t i = 0; i < db.log.size(); ++i)
    if (db.log[i].op == 't')
      ++truncates;
    else if (auto times = seen.entries["entry " + std::to_string(i)]; replays)
      CHECK_MESSAGE(times == 1, "entry " << i << " was published " << times << " times");
    else
      CHECK_MESSAGE(times >= 1, "entry " << i << " is missing");
  if (!replays)
    return;
  CHECK(seen.truncates.size() == truncates);
  for (const auto& [id, copies] : seen.truncates)
    CHECK_MESSAGE(copies == partitions, "truncate " << id << " has " << copies << " copies");
}

void run(uint32_t seed, bool replays) {
  CAPTURE(seed);
  std::mt19937 random(seed);
  test::temp_folder folder;
  auto bus = std::make_shared<test::crashing_bus>(folder.path(), random);
  auto db = made(random, 5);
  auto s = settings_of(seed, folder.path());
  bus->crash_each = 3;
  for (bool done = false; !done;) {
    extraction work(s, bus, [&] { return std::make_unique<scripted>(db, random, replays); });
    auto failed = work.open();
    REQUIRE_MESSAGE(!failed, failed.text());
    for (bool alive = true; alive && !done;) {
      // A kill without a word, too.
      alive = random() % 50 > 0 && (random() % 5 > 0 || !work.mark());
      alive = alive && bool(work.step(0ms));
      done = alive && work.idle() && !work.finish();
    }
  }
  CHECK(bus->crashes > 5);
  check(*bus, db, replays);
}

/// Three nodes, of which each may lose its folder. The one that had the source dies, or is frozen
/// and goes on when it has it no more.
void run_cluster(uint32_t seed) {
  CAPTURE(seed);
  std::mt19937 random(seed);
  test::temp_folder folder;
  auto bus = std::make_shared<test::crashing_bus>(folder.path(), random);
  auto db = made(random, 5);
  bus->crash_each = 4;
  std::vector<std::unique_ptr<test::temp_folder>> nodes(3);
  std::vector<std::unique_ptr<extraction>> frozen;
  int64_t epoch = 0;
  for (bool done = false; !done;) {
    auto node = random() % nodes.size();
    if (!nodes[node] || random() % 4 == 0) {
      frozen.clear();
      nodes[node] = std::make_unique<test::temp_folder>();
    }
    auto s = settings_of(seed, nodes[node]->path());
    s.clustered = true;
    s.self = {"n" + std::to_string(node), ++epoch};
    auto work = std::make_unique<extraction>(
        s, bus, [&] { return std::make_unique<scripted>(db, random, true); });
    // The first flush of a run says whose the source is; it may be the one that dies.
    error failed;
    do
      failed = work->open();
    while (failed == ec::unavailable);
    REQUIRE_MESSAGE(!failed, failed.text());
    for (const auto& zombie : frozen) {
      auto outcome = zombie->step(0ms);
      CHECK((outcome ? outcome->rows == 0 : outcome.error() == ec::fenced));
      CHECK(zombie->open() == ec::fenced);
    }
    frozen.clear();
    bool alive = true;
    while (alive && !done && random() % 20 > 0) {
      alive = (random() % 5 > 0 || !work->mark()) && work->step(0ms);
      done = alive && work->idle() && !work->finish();
    }
    if (alive)
      frozen.push_back(std::move(work));
  }
  CHECK(bus->crashes > 0);
  check(*bus, db, true);
}

} // namespace

TEST_CASE("after any death each row of the log is on the bus once, and ids only rise") {
  auto seed = std::random_device{}();
  std::cout << "restart_test: seed " << seed << '\n';
  for (uint32_t i = 0; i < 20; ++i)
    run(seed + i, true);
}

TEST_CASE("a source that goes from node to node, at any point, loses and doubles no row either") {
  auto seed = std::random_device{}();
  std::cout << "restart_test: seed " << seed << '\n';
  // A flush a step, and an opening that asks the bus several times: some seconds each.
  for (uint32_t i = 0; i < 3; ++i)
    run_cluster(seed + i);
}

TEST_CASE("a source that does not give the same again never gives an id twice") {
  auto seed = std::random_device{}();
  std::cout << "restart_test: seed " << seed << '\n';
  for (uint32_t i = 0; i < 5; ++i)
    run(seed + i, false);
}

} // namespace rtdp::extract
