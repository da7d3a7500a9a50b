/// Properties over random histories: nothing is lost or doubled, and any stored position gives the
/// same rows with the same ids again.
#include "test/actors/extract/postgres_fixture.hpp"

#include <random>
#include <set>
#include <thread>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

/// Tables as the batches say they are: key → column → text.
class model {
public:
  void apply(const std::vector<ums::batch>& batches) {
    std::map<int64_t, std::vector<std::pair<const ums::batch*, size_t>>> by_id;
    for (const auto& b : batches)
      for (size_t i = 0; i < b.rows(); ++i)
        by_id[b.columns[0].ints()[i]].emplace_back(&b, i);
    for (auto& entry : by_id) {
      auto id = entry.first;
      CHECK_MESSAGE(ids_.insert(id).second, "id " << id << " came twice");
      for (auto [b, row] : entry.second)
        apply(*b, row);
    }
  }
  std::string dump(const std::string& table) {
    std::string out;
    for (auto& [key, row] : tables_[table]) {
      for (auto& [name, value] : row)
        out += name + "=" + value + " ";
      out += "\n";
    }
    return out;
  }
  size_t problems = 0;

private:
  using row_values = std::map<std::string, std::string>;

  void apply(const ums::batch& b, size_t row) {
    auto& table = tables_[b.schema->name[ums::ns::table]];
    if (b.kind == ums::protocol::increment_truncate)
      table.clear();
    if (!b.carries_rows())
      return;
    row_values values;
    std::string key;
    for (size_t i = ums::system_columns; i < b.columns.size(); ++i) {
      std::string text = "NULL";
      if (!b.columns[i].is_null(row)) {
        text.clear();
        ums::append_cell(b.columns[i], row, text);
      }
      if (b.schema->fields[i].key)
        key += text + "|";
      values[b.schema->fields[i].name] = text;
    }
    bool there = table.count(key) == 1;
    switch (b.op(row)) {
    case 'i':
      // A chunk of a snapshot brings rows again that changes brought before it, and changes come
      // before the chunk that has their row.
      problems += there && b.kind == ums::protocol::increment_data;
      table[key] = values;
      break;
    case 'u':
      for (auto& [name, value] : values)
        table[key][name] = value;
      break;
    case 'd':
      table.erase(key);
      break;
    default:
      break;
    }
  }

  std::map<std::string, std::map<std::string, row_values>> tables_;
  std::set<int64_t> ids_;
};

constexpr auto columns = "a int, b text, n numeric(12,2), note text, primary key (a, b)";

/// One random transaction; some of it is rolled back, some leaves a large value untouched.
std::string transaction(std::mt19937& random, const std::string& schema) {
  std::string sql = "begin;";
  auto changes = 1 + random() % 12;
  for (size_t i = 0; i < changes; ++i) {
    auto table = schema + (random() % 2 == 0 ? ".w" : ".x");
    auto a = std::to_string(random() % 40), other = std::to_string(random() % 40);
    auto where = " where a = " + a;
    switch (random() % 9) {
    case 0:
    case 1:
    case 2:
      sql += "insert into " + table + " values (" + a + ", 'b" + std::to_string(random() % 3) +
             "', random() * 1000, repeat('z', " + std::to_string(random() % 2 * 4000) + " + " +
             other + ")) on conflict do nothing;";
      break;
    case 3:
    case 4:
      sql += "update " + table + " set n = n + 1" + where + ";";
      break;
    case 5:
      sql += "update " + table + " set note = md5('" + other + "')" + where + ";";
      break;
    case 6:
      sql += "savepoint s; update " + table + " set b = b || 'r'" + where + "; rollback to s;";
      break;
    case 7:
      sql +=
          "update " + table + " set a = " + other + " + 1000, b = b || a || random()" + where + ";";
      break;
    default:
      sql += "delete from " + table + where + ";";
      break;
    }
  }
  return sql + (random() % 8 == 0 ? "rollback" : "commit");
}

void make_tables(source& s) {
  for (auto name : {"w", "x"}) {
    s.table(name, columns);
    s.run(std::string("alter table ") + name + " alter note set storage external");
  }
}

/// The lines that only one side has; short, since rows are not.
std::string differences(const std::string& source_rows, const std::string& model_rows) {
  auto split = [](const std::string& text) {
    std::set<std::string> out;
    for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1)
      out.insert(text.substr(at, end - at));
    return out;
  };
  auto in_source = split(source_rows), in_model = split(model_rows);
  std::string out;
  for (const auto& l : in_source)
    if (in_model.count(l) == 0)
      out += "missing: " + l.substr(0, 60) + "… " + std::to_string(l.size()) + " bytes\n";
  for (const auto& l : in_model)
    if (in_source.count(l) == 0)
      out += "extra: " + l.substr(0, 60) + "… " + std::to_string(l.size()) + " bytes\n";
  return out;
}

std::string dump(source& s, const std::string& table) {
  std::string out;
  for (auto& r : s.db.run("select a, b, n, note from " + s.schema + "." + table + ""))
    out += "a=" + r[0] + " b=" + r[1] + " n=" + r[2] + " note=" + r[3] + " \n";
  return out;
}

} // namespace

TEST_CASE("with writers before, during and after the snapshot nothing is lost or doubled") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  for (int round = 0; round < 4; ++round) {
    source s;
    s.rows_max = 50;
    make_tables(s);
    std::atomic<bool> stop{false};
    std::atomic<int> done{0};
    std::vector<std::thread> writers;
    for (unsigned i = 0; i < 3; ++i)
      writers.emplace_back([&, i] {
        client c;
        std::mt19937 random(seed + unsigned(round) * 10 + i);
        while (!stop) {
          // A deadlock with the other writer rolls back, which is as good.
          if (!c.try_run(transaction(random, s.schema)))
            c.try_run("rollback");
          ++done;
        }
      });
    auto load = [&](int transactions) {
      auto until = done + transactions;
      while (done < until)
        s.driver ? s.step(5ms) : std::this_thread::yield();
    };
    load(100);
    REQUIRE(!s.open());
    load(200);
    // Again from the stored position, under load, snapshot or not.
    REQUIRE(!s.open());
    load(200);
    stop = true;
    for (auto& w : writers)
      w.join();
    s.drain();
    model m;
    m.apply(s.batches);
    CHECK(differences(dump(s, "w"), m.dump("w")) == "");
    CHECK(differences(dump(s, "x"), m.dump("x")) == "");
    CHECK(m.problems == 0);
    CHECK(s.bad.empty());
  }
}

TEST_CASE("every stored position gives the same rows with the same ids again") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  source s;
  s.rows_max = 37;
  s.confirming = false;
  make_tables(s);
  s.table("v", "id int primary key");
  REQUIRE(!s.open());
  s.drain();
  s.got.clear();
  s.stored.clear();
  std::mt19937 random(seed);
  for (int i = 0; i < 150; ++i)
    REQUIRE(s.db.try_run(transaction(random, s.schema)));
  s.run(
      "insert into v values (1); alter table v add n int; insert into v values (2, 2); truncate x");
  s.run("insert into v select generate_series(10, 500)");
  s.drain();
  auto all = s.got;
  auto places = s.stored;
  REQUIRE(places.size() > 10);
  for (size_t i = 0; i < places.size(); i += 3) {
    CAPTURE(places[i].position);
    s.position = places[i].position;
    s.next_id = places[i].next_id;
    s.got.clear();
    REQUIRE(!s.open());
    s.drain();
    CHECK(s.got == std::vector<std::string>(all.begin() + ptrdiff_t(places[i].lines), all.end()));
  }
}
