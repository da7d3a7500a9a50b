#include "runtime/state/sqlite.hpp"
#include "test/actors/sink/contract_shards.hpp"
#include "test/actors/sink/contract_tables.hpp"
#include "test/actors/sink/contract_writes.hpp"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace rtdp::sink::test {

namespace {

class sqlite_store final : public store {
public:
  sqlite_store() {
    // Fresh for each store; doctest runs tests one after the other.
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("rtdp-sink-" + std::to_string(getpid()) + "-" + std::to_string(++count));
    std::filesystem::create_directories(folder_);
    auto db = state::database::open(path());
    REQUIRE(db);
    db_ = std::move(*db);
  }
  ~sqlite_store() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<driver> make(const target& to) override {
    for (const auto& k : kinds())
      if (k.spec.name == "sqlite") {
        auto settings = k.spec.defaults();
        settings.values["path"] = path();
        return k.make(settings, to);
      }
    return nullptr;
  }
  void run(const std::string& sql) override { ok(db_.exec(sql)); }
  lines query(const std::string& sql) override {
    auto s = db_.prepare(sql);
    REQUIRE_MESSAGE(s, s.error().text());
    lines all;
    for (;;) {
      auto found = s->step();
      REQUIRE_MESSAGE(found, found.error().text());
      if (!*found)
        return all;
      auto& line = all.emplace_back();
      for (int i = 0; i < sqlite3_column_count(s->handle()); ++i) {
        line += i ? "|" : "";
        line += s->is_null(i) ? "NULL" : s->text(i);
      }
    }
  }

private:
  std::string path() const { return (folder_ / "target.db").string(); }
  std::filesystem::path folder_;
  state::database db_;
};

} // namespace

std::unique_ptr<store> the_store() { return std::make_unique<sqlite_store>(); }

TEST_CASE("every kind of sink says what it is and what its settings mean") {
  for (const auto& k : kinds()) {
    CAPTURE(k.spec.name);
    CHECK(k.spec.summary.size() > 20);
    CHECK(k.spec.summary.back() == '.');
    for (const auto& f : k.spec.fields) {
      CAPTURE(f.name);
      CHECK(f.doc.size() > 10);
    }
  }
}

TEST_CASE("a sink without a store takes every row and leaves progress to the checkpoint") {
  for (const auto& k : kinds()) {
    if (k.spec.name != "blackhole")
      continue;
    auto d = k.make(k.spec.defaults(), to_orders());
    ok(d->connect());
    CHECK(!d->transactional());
    auto taken = d->take("orders", 1);
    REQUIRE(taken);
    CHECK(taken->empty());
    auto b = batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}});
    ok(d->prepare(*b.schema));
    ok(d->write(ums::slice::all(b), {"orders", 1, "p"}));
  }
}

} // namespace rtdp::sink::test
