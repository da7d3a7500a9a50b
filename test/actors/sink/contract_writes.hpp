/// The part of the sink contract about rows: what each mutation makes of them, in any order.
#pragma once

#include "test/actors/sink/contract.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace rtdp::sink::test {

TEST_CASE("every change is appended with mutation i") {
  auto s = the_store();
  writer w(*s, to_orders(mutation::insert));
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}},
                                 {'b', 2, {"1", "ann", "5"}},
                                 {'u', 2, {"1", "ann", "6"}},
                                 {'d', 3, {"1", {}, {}}}})));
  CHECK(s->query("SELECT ums_id_, ums_op_, id, name, qty FROM orders ORDER BY ums_id_") ==
        lines{"1|i|1|ann|5", "2|u|1|ann|6", "3|d|1|NULL|NULL"});
}

TEST_CASE("mutation iud keeps one row a key, and a delete leaves its values and a mark") {
  auto s = the_store();
  writer w(*s, to_orders());
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}, {'i', 2, {"2", "bob", {}}}})));
  ok(w.write(batch_of(orders(), {{'u', 3, {"1", "ann", "6"}},
                                 {'d', 4, {"2", {}, {}}},
                                 {'i', 5, {"3", "cy", "1"}},
                                 {'d', 6, {"4", {}, {}}}})));
  CHECK(s->query("SELECT id, name, qty, ums_id_, ums_active_ FROM orders ORDER BY id") ==
        lines{"1|ann|6|3|1", "2|bob|NULL|4|0", "3|cy|1|5|1", "4|NULL|NULL|6|0"});
}

TEST_CASE("mutation iud_clean shows business columns only, and a delete removes the row") {
  auto s = the_store();
  writer w(*s, to_orders(mutation::iud_clean));
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}, {'i', 2, {"2", "bob", {}}}})));
  ok(w.write(batch_of(orders(), {{'u', 3, {"1", "ann", "6"}}, {'d', 4, {"2", {}, {}}}})));
  CHECK(s->query("SELECT * FROM orders") == lines{"1|ann|6"});
  CHECK(s->query("SELECT * FROM orders_ums_ ORDER BY id") == lines{"1|3|1", "2|4|0"});
}

TEST_CASE("a replayed insert does not bring a deleted row back") {
  auto s = the_store();
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    writer w(*s, to_orders(m));
    auto insert = batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}});
    ok(w.write(insert));
    ok(w.write(batch_of(orders(), {{'d', 2, {"1", {}, {}}}})));
    ok(w.write(insert));
    CHECK(live_rows(*s, m).empty());
    ok(w.write(batch_of(orders(), {{'i', 3, {"1", "eve", "7"}}})));
    CHECK(live_rows(*s, m) == lines{"1|eve|7"});
  }
}

/// A history as a source would write it: ids grow, an insert only where there is no row.
inline std::vector<row> random_history(std::mt19937& random, size_t length, int64_t first_id = 1) {
  std::vector<row> history;
  std::map<int, bool> there;
  for (size_t i = 0; i < length; ++i) {
    int key = int(random() % 12);
    auto id = first_id + int64_t(i);
    auto name = std::string(1, char('a' + random() % 26)) + "\\\t\n'\"";
    auto qty = random() % 4 ? std::optional(std::to_string(random() % 100)) : std::nullopt;
    if (there[key] && random() % 3 == 0) {
      history.push_back({'d', id, {std::to_string(key), {}, {}}});
      there[key] = false;
      continue;
    }
    history.push_back({there[key] ? 'u' : 'i', id, {std::to_string(key), name, qty}});
    there[key] = true;
  }
  return history;
}

inline lines expected_rows(const std::vector<row>& history) {
  std::map<int, std::string> table;
  for (const auto& r : history) {
    auto key = std::stoi(*r.values[0]);
    if (r.op == 'd')
      table.erase(key);
    else
      table[key] = *r.values[0] + "|" + *r.values[1] + "|" + r.values[2].value_or("NULL");
  }
  lines all;
  for (auto& [key, text] : table)
    all.push_back(text);
  return all;
}

TEST_CASE("any order, repetition and partition of a history ends in the same table") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  auto s = the_store();
  for (auto m : {mutation::iud, mutation::iud_clean})
    for (int round = 0; round < 12; ++round) {
      s->run("DROP TABLE IF EXISTS orders");
      s->run("DROP TABLE IF EXISTS orders_ums_");
      writer w(*s, to_orders(m));
      auto history = random_history(random, 60);
      auto delivered = history;
      for (size_t i = 0; i < 20; ++i)
        delivered.push_back(history[random() % history.size()]);
      std::shuffle(delivered.begin(), delivered.end(), random);
      auto b = batch_of(orders(), delivered);
      for (size_t at = 0; at < b.rows();) {
        auto count = std::min<size_t>(1 + random() % 30, b.rows() - at);
        ok(w.write({&b, at, count}));
        at += count;
      }
      CHECK(live_rows(*s, m) == expected_rows(history));
    }
}

TEST_CASE("columns that a slice does not carry keep their values, replayed or not") {
  auto s = the_store();
  auto partial = schema_of({column("id", ums::type::long_, true), column("qty", ums::type::int_)});
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    writer w(*s, to_orders(m));
    std::vector<ums::batch> history;
    history.push_back(
        batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}, {'i', 2, {"2", "bob", "5"}}}));
    history.push_back(batch_of(partial, {{'u', 3, {"1", "6"}}, {'d', 4, {"2", {}}}}));
    history.push_back(
        batch_of(orders(), {{'i', 5, {"2", "bea", "1"}}, {'u', 6, {"1", "amy", "7"}}}));
    history.push_back(batch_of(partial, {{'u', 7, {"2", "2"}}}));
    for (size_t begin = 0; begin < history.size(); ++begin)
      for (size_t i = begin; i < history.size(); ++i)
        ok(w.write(history[i]));
    CHECK(live_rows(*s, m) == lines{"1|amy|7", "2|bea|2"});
  }
}

TEST_CASE("keys of several parts are not confused") {
  auto s = the_store();
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    auto to = to_orders(m);
    to.keys = {"b", "a"};
    writer w(*s, to);
    auto schema = schema_of({column("a"), column("b"), column("n", ums::type::int_)});
    ok(w.write(batch_of(schema, {{'i', 1, {"a_b", "c", "1"}},
                                 {'i', 2, {"a", "b_c", "2"}},
                                 {'i', 3, {"", "a_bc", "3"}},
                                 {'i', 4, {"a_bc", "", "4"}},
                                 {'d', 5, {"a", "b_c", {}}}})));
    CHECK(s->query(std::string("SELECT n FROM orders") +
                   (m == mutation::iud ? " WHERE ums_active_ = 1" : "") + " ORDER BY n") ==
          lines{"1", "3", "4"});
  }
}

TEST_CASE("a key with a null part is refused and nothing of its slice is written") {
  auto s = the_store();
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    writer w(*s, to_orders(m));
    refused(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}, {'i', 2, {{}, "bob", "5"}}})),
            ec::rejected, {"\"id\"", "null", "ums_id_ 2"});
    CHECK(s->query("SELECT id FROM orders").empty());
    s->run("DROP TABLE orders");
  }
}

TEST_CASE("a truncate empties the table and spares what came after it, also when replayed") {
  auto s = the_store();
  for (auto m : {mutation::insert, mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    s->run("DROP TABLE IF EXISTS orders_ums_");
    writer w(*s, to_orders(m));
    ok(w.write(truncate_of(1)));
    ok(w.write(batch_of(orders(), {{'i', 2, {"1", "ann", "5"}}, {'i', 3, {"2", "bob", "5"}}})));
    ok(w.write(truncate_of(4)));
    CHECK(s->query("SELECT id FROM orders").empty());
    ok(w.write(batch_of(orders(), {{'i', 5, {"1", "eve", "6"}}})));
    ok(w.write(truncate_of(4)));
    CHECK(s->query("SELECT id, name FROM orders") == lines{"1|eve"});
  }
}

TEST_CASE("a sweep takes what the snapshot did not meet, and leaves tombstones") {
  auto s = the_store();
  for (auto m : {mutation::insert, mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    s->run("DROP TABLE IF EXISTS orders_ums_");
    writer w(*s, to_orders(m));
    ok(w.write(sweep_of(1, 1)));
    ok(w.write(batch_of(orders(), {{'i', 2, {"1", "ann", "5"}},
                                   {'i', 3, {"2", "bob", "5"}},
                                   {'i', 4, {"3", "cid", "5"}},
                                   {'i', 10, {"2", "bob", "5"}}})));
    ok(w.write(sweep_of(12, 10)));
    auto rows = std::string("SELECT id FROM orders") +
                (m == mutation::iud ? " WHERE ums_active_ = 1" : "") + " ORDER BY id";
    if (m == mutation::insert) {
      CHECK(s->query(rows) == lines{"1", "2", "2", "3"});
      continue;
    }
    CHECK(s->query(rows) == lines{"2"});
    // What was before the snapshot stays away; what it gave, or the log since, wins.
    ok(w.write(batch_of(orders(), {{'i', 2, {"1", "ann", "5"}}, {'u', 8, {"3", "cid", "6"}}})));
    CHECK(s->query(rows) == lines{"2"});
    ok(w.write(batch_of(orders(), {{'i', 11, {"3", "cid", "7"}}})));
    CHECK(s->query(rows) == lines{"2", "3"});
    ok(w.write(sweep_of(12, 10)));
    CHECK(s->query(rows) == lines{"2", "3"});
  }
}

TEST_CASE("a truncate is refused when the flow forbids it") {
  auto s = the_store();
  auto to = to_orders();
  to.truncate = false;
  writer w(*s, to);
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}})));
  refused(w.write(truncate_of(2)), ec::rejected, {"truncate"});
  CHECK(s->query("SELECT id FROM orders") == lines{"1"});
}

} // namespace rtdp::sink::test
