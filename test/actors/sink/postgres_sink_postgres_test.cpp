#include "test/actors/sink/postgres_store.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <random>

namespace rtdp::sink::test {

namespace {

using namespace std::chrono_literals;

/// One column `v` of each type, written and read back as PostgreSQL prints it.
struct type_case {
  ums::type type;
  std::string native;
  /// On the wire, and as the target shows it.
  std::vector<std::pair<std::string, std::string>> values;
};

const std::vector<type_case> types = {
    {ums::type::string,
     "",
     {{"", ""}, {"NULL", "NULL"}, {"\\N", "\\N"}, {"a\tb\nc\r\\", "a\tb\nc\r\\"}, {"ä€😀", "ä€😀"}}},
    {ums::type::int_, "", {{"-2147483648", "-2147483648"}, {"2147483647", "2147483647"}}},
    {ums::type::long_,
     "",
     {{"-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775807", "9223372036854775807"}}},
    {ums::type::int_, "smallint", {{"-32768", "-32768"}, {"32767", "32767"}}},
    {ums::type::float_,
     "",
     {{"NaN", "NaN"},
      {"Infinity", "Infinity"},
      {"-Infinity", "-Infinity"},
      {"0.1", "0.1"},
      {"1e-38", "1e-38"}}},
    {ums::type::double_,
     "",
     {{"NaN", "NaN"},
      {"-0", "-0"},
      {"0.1", "0.1"},
      {"1.7976931348623157e+308", "1.7976931348623157e+308"},
      {"5e-324", "5e-324"}}},
    {ums::type::boolean, "", {{"true", "t"}, {"false", "f"}}},
    {ums::type::date,
     "",
     {{"2024-02-29", "2024-02-29"},
      {"infinity", "infinity"},
      {"-infinity", "-infinity"},
      {"0001-01-01", "0001-01-01"},
      {"-0043-03-15", "0044-03-15 BC"},
      {"0000-12-31", "0001-12-31 BC"}}},
    {ums::type::datetime,
     "",
     {{"2026-11-22 10:13:24.213456", "2026-11-22 10:13:24.213456"},
      {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
      {"infinity", "infinity"},
      {"-infinity", "-infinity"},
      {"9999-12-31 23:59:59", "9999-12-31 23:59:59"},
      {"-0043-03-15 10:00:00.5", "0044-03-15 10:00:00.5 BC"}}},
    {ums::type::datetime,
     "timestamp with time zone",
     {{"2026-11-22 10:13:24.213456", "2026-11-22 10:13:24.213456+00"}}},
    {ums::type::decimal,
     "",
     {{"0.10", "0.10"},
      {"-12345678901234567890.123456789012345678901234567890",
       "-12345678901234567890.123456789012345678901234567890"},
      {"NaN", "NaN"},
      {"Infinity", "Infinity"}}},
    {ums::type::decimal, "numeric(6,2)", {{"1234.56", "1234.56"}}},
    {ums::type::binary, "", {{std::string("\0\\\n\xff", 4), "\\x005c0aff"}, {"", "\\x"}}},
    {ums::type::jsonobject, "", {{R"({"a": "\\ \n"})", R"({"a": "\\ \n"})"}}},
    {ums::type::jsonarray, "json", {{"[1,  2]", "[1,  2]"}}},
    {ums::type::string,
     "uuid",
     {{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}}},
    {ums::type::string, "interval", {{"-1 days +02:03:04", "-1 days +02:03:04"}}},
    {ums::type::string, "integer[]", {{"{1,NULL,3}", "{1,NULL,3}"}}},
    {ums::type::string, "time without time zone", {{"24:00:00", "24:00:00"}}},
    {ums::type::string, "bit varying(5)", {{"10101", "10101"}}},
    {ums::type::string, "inet", {{"::1/64", "::1/64"}}},
    {ums::type::string, "mood", {{"happy", "happy"}}},
};

/// Writes until it is done; two writers may meet in a deadlock, which is `unavailable`.
error write_again(driver& d, const ums::slice& rows, const fence& f) {
  error e;
  for (int i = 0; i < 50; ++i)
    if (e = d.write(rows, f); !(e == ec::unavailable))
      return e;
  return e;
}

} // namespace

TEST_CASE("every type arrives as it was sent, null included") {
  for (const auto& t : types) {
    CAPTURE(to_string(t.type));
    CAPTURE(t.native);
    postgres_store s;
    for (auto m : {mutation::iud, mutation::iud_clean}) {
      auto schema = schema_of(
          {column("id", ums::type::long_, true), column("v", t.type, false, t.native)}, "postgres");
      std::vector<row> rows{{'i', 1, {"0", {}}}};
      lines expected{"NULL"};
      for (const auto& [sent, shown] : t.values) {
        rows.push_back({'i', int64_t(rows.size() + 1), {std::to_string(rows.size()), sent}});
        expected.push_back(shown);
      }
      s.run("DROP TABLE IF EXISTS orders");
      writer w(s, to_orders(m));
      ok(w.write(batch_of(schema, rows)));
      CHECK(s.query("SELECT v FROM orders ORDER BY id") == expected);
    }
  }
}

TEST_CASE("native types are taken from PostgreSQL sources only, and only built-in ones") {
  postgres_store s;
  auto type_of = [&](const std::string& datastore, const std::string& native) {
    s.run("DROP TABLE IF EXISTS orders");
    auto schema = schema_of(
        {column("id", ums::type::long_, true), column("v", ums::type::string, false, native)},
        datastore);
    ok(writer(s, to_orders())->prepare(*schema));
    return s.query("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
                   "'orders'::regclass AND attname = 'v'")[0];
  };
  CHECK(type_of("postgres", "character varying(20)") == "character varying(20)");
  CHECK(type_of("postgres", "timestamp(3) with time zone") == "timestamp(3) with time zone");
  CHECK(type_of("mysql", "character varying(20)") == "text");
  CHECK(type_of("postgres", "mood") == "text");
  CHECK(type_of("postgres", "text); DROP TABLE orders; --") == "text");
  CHECK(type_of("postgres", "numeric(1); --)") == "text");
}

TEST_CASE("what PostgreSQL cannot hold is rejected with the column, and nothing is written") {
  postgres_store s;
  s.run("CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(5), qty smallint CHECK (qty < "
        "100))");
  writer w(s, to_orders());
  row good{'i', 1, {"1", "ann", "5"}};
  refused(w.write(batch_of(orders(), {good, {'i', 2, {"2", std::string("a\0b", 3), "5"}}})),
          ec::rejected, {"NUL", "\"name\"", "\"id\" = 2"});
  refused(w.write(batch_of(orders(), {good, {'i', 2, {"2", "too long", "5"}}})), ec::rejected,
          {"name", "22001"});
  refused(w.write(batch_of(orders(), {good, {'i', 2, {"2", "\xff", "5"}}})), ec::rejected,
          {"22021"});
  refused(w.write(batch_of(orders(), {good, {'i', 2, {"2", "bob", "70000"}}})), ec::rejected,
          {"qty", "22003"});
  refused(w.write(batch_of(orders(), {good, {'i', 2, {"2", "bob", "100"}}})), ec::rejected,
          {"qty", "23514"});
  CHECK(s.query("SELECT id FROM orders").empty());
  ok(w.write(batch_of(orders(), {good})));
}

TEST_CASE("a refusal in the middle of a long COPY says why") {
  postgres_store s;
  writer w(s, to_orders());
  std::vector<row> rows;
  for (int i = 0; i < 30'000; ++i)
    rows.push_back(
        {'i', i + 1, {std::to_string(i), i == 10 ? "\xff" : std::string(100, 'x'), "1"}});
  refused(w.write(batch_of(orders(), rows)), ec::rejected, {"22021"});
  rows[10].values[1] = "fine";
  rows[29'000].values[1] = std::string("a\0b", 3);
  refused(w.write(batch_of(orders(), rows)), ec::rejected, {"NUL"});
  rows[29'000].values[1] = "fine";
  ok(w.write(batch_of(orders(), rows)));
  CHECK(s.query("SELECT count(*) FROM orders") == lines{"30000"});
}

TEST_CASE("keys that are equal for the server but not as bytes are one row") {
  postgres_store s;
  auto schema = schema_of({column("id", ums::type::decimal, true), column("name")});
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    s.run("DROP TABLE IF EXISTS orders");
    writer w(s, to_orders(m));
    ok(w.write(batch_of(schema, {{'i', 1, {"1.0", "a"}},
                                 {'u', 2, {"1.00", "b"}},
                                 {'i', 3, {"2", "c"}},
                                 {'d', 4, {"2.0", {}}}})));
    ok(w.write(batch_of(schema, {{'u', 5, {"1.0", "d"}}, {'u', 6, {"1", "e"}}})));
    CHECK(s.query(std::string("SELECT name FROM orders") +
                  (m == mutation::iud ? " WHERE ums_active_ = 1" : "")) == lines{"e"});
  }
}

TEST_CASE("two writers with shuffled histories end in the same table") {
  auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (auto m : {mutation::iud, mutation::iud_clean})
    for (int round = 0; round < 5; ++round) {
      postgres_store s;
      std::vector<row> history;
      for (int64_t id = 1; id <= 400; ++id) {
        auto key = std::to_string(random() % 20);
        if (random() % 3 == 0)
          history.push_back({'d', id, {key, {}, {}}});
        else
          history.push_back({'i', id, {key, std::to_string(id), "1"}});
      }
      std::map<std::string, std::string> newest;
      for (const auto& r : history)
        newest[*r.values[0]] = r.op == 'd' ? "" : *r.values[1];
      lines expected;
      for (const auto& [key, id] : newest)
        if (!id.empty())
          expected.push_back(key + "|" + id);
      auto deliver = [&](const std::string& flow, uint32_t order) {
        std::mt19937 own(order);
        auto mine = history;
        std::shuffle(mine.begin(), mine.end(), own);
        auto b = batch_of(orders(), mine);
        auto d = s.make(to_orders(m));
        error e = d->connect();
        if (!e)
          if (auto taken = d->take(flow, 1); !taken)
            e = taken.error();
        for (size_t at = 0; at < b.rows() && !e;) {
          auto count = std::min<size_t>(1 + own() % 25, b.rows() - at);
          e = write_again(*d, {&b, at, count}, {flow, 1, ""});
          at += count;
        }
        return e;
      };
      auto other = std::async(std::launch::async, deliver, "a", uint32_t(random()));
      ok(deliver("b", uint32_t(random())));
      ok(other.get());
      CHECK(s.query(std::string("SELECT id::text COLLATE \"C\", name FROM orders") +
                    (m == mutation::iud ? " WHERE ums_active_ = 1" : "") + " ORDER BY 1") ==
            expected);
    }
}

namespace {

/// Holds the table, so that a write stops in its middle, with the fence in its hands.
class table_lock {
public:
  explicit table_lock(const postgres_store& s) : c_(postgres_store::open(s.url())) {
    REQUIRE(c_.run("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"));
  }
  void wait_for_writer() {
    for (;;) {
      auto r = c_.run("SELECT FROM pg_locks WHERE relation = 'orders'::regclass AND NOT granted");
      REQUIRE(r);
      if (!r->rows.empty())
        return;
      REQUIRE(c_.run("SELECT pg_sleep(0.01)"));
    }
  }

private:
  pg_connection c_;
};

} // namespace

TEST_CASE("a connection killed inside a write leaves nothing, and the write can be repeated") {
  for (auto m : {mutation::insert, mutation::iud, mutation::iud_clean}) {
    postgres_store s;
    writer w(s, to_orders(m));
    ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}}), "p1"));
    auto b = batch_of(orders(), {{'i', 2, {"2", "bob", "5"}}});
    {
      table_lock lock(s);
      auto written = std::async(std::launch::async, [&] {
        return w->write(ums::slice::all(b), {"orders", 1, "p2"});
      });
      lock.wait_for_writer();
      s.run("SELECT pg_terminate_backend(backend_pid) FROM rtdp_fence");
      refused(written.get(), ec::unavailable);
    }
    CHECK(s.query("SELECT id FROM orders") == lines{"1"});
    CHECK(s.query("SELECT progress FROM rtdp_fence") == lines{"p1"});
    refused(w->write(ums::slice::all(b), {"orders", 1, "p2"}), ec::unavailable, {"not connected"});
    ok(w->connect());
    ok(w.write(b, "p2"));
    CHECK(s.query("SELECT id FROM orders ORDER BY id") == lines{"1", "2"});
    CHECK(s.query("SELECT progress FROM rtdp_fence") == lines{"p2"});
  }
}

TEST_CASE("a new owner ends the session of an old one that hangs inside a write") {
  postgres_store s;
  writer old(s, to_orders(), 1);
  ok(old.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}}), "p1"));
  auto b = batch_of(orders(), {{'i', 2, {"2", "bob", "5"}}});
  {
    table_lock lock(s);
    auto written = std::async(std::launch::async, [&] {
      return old->write(ums::slice::all(b), {"orders", 1, "p2"});
    });
    lock.wait_for_writer();
    auto begin = std::chrono::steady_clock::now();
    writer fresh(s, to_orders(), 2);
    CHECK(fresh.progress() == "p1");
    // 300 ms of waiting for the lock, then the end of the session; the rest is for a busy machine.
    CHECK(std::chrono::steady_clock::now() - begin < 3s);
    refused(written.get(), ec::unavailable);
  }
  ok(old->connect());
  refused(old->write(ums::slice::all(b), {"orders", 1, "p2"}), ec::fenced);
  CHECK(s.query("SELECT id FROM orders") == lines{"1"});
}

TEST_CASE(
    "a refused login is final, an unreachable server is not, and no message tells the password") {
  target to = to_orders();
  auto connect = [&](const std::string& url) {
    return postgres_store::make_at(url, to)->connect();
  };
  auto url = test_url();
  auto with = [&](const std::string& what, const std::string& by) {
    auto changed = url;
    return changed.replace(changed.find(what), what.size(), by);
  };
  refused(connect(with(":rtdp@", ":s3cret@")), ec::rejected, {"password authentication failed"});
  refused(connect(with("/test", "/nowhere")), ec::rejected, {"nowhere"});
  refused(connect("postgresql://rtdp:s3cret@127.0.0.1:1/test"), ec::unavailable, {"127.0.0.1"});
  auto e = connect("postgresql://rtdp:s3cr%zzet@127.0.0.1/test");
  refused(e, ec::rejected, {"malformed"});
  CHECK(e.text().find("s3cr") == std::string::npos);
}

TEST_CASE("a boolean fits a number column of somebody else's table") {
  postgres_store s;
  s.run("CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v smallint)");
  auto schema = schema_of({column("id", ums::type::long_, true), column("v", ums::type::boolean)});
  writer w(s, to_orders(mutation::iud_clean));
  ok(w.write(batch_of(schema, {{'i', 1, {"7", "true"}}, {'i', 2, {"8", "false"}}})));
  CHECK(s.query("SELECT id, v FROM orders ORDER BY id") == lines{"7|1", "8|0"});
}

} // namespace rtdp::sink::test
