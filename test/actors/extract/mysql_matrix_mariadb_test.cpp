/// Every type: a value reads the same from a snapshot as from the log, and as the server prints it.
#include "test/actors/extract/mysql_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

struct column {
  std::string type;
  ums::type becomes;
  /// As SQL expressions.
  std::vector<std::string> values;
};

std::vector<column> numbers_and_times() {
  using ums::type;
  return {
      {"tinyint", type::int_, {"-128", "0", "127"}},
      {"tinyint unsigned", type::int_, {"0", "255"}},
      {"tinyint(1)", type::int_, {"true", "5"}},
      {"smallint", type::int_, {"-32768", "32767"}},
      {"smallint unsigned", type::int_, {"65535"}},
      {"mediumint", type::int_, {"-8388608", "-1", "8388607"}},
      {"mediumint unsigned", type::int_, {"16777215"}},
      {"int", type::int_, {"-2147483648", "2147483647"}},
      {"int unsigned", type::long_, {"0", "4294967295"}},
      {"int(5) zerofill", type::long_, {"42"}},
      {"bigint", type::long_, {"-9223372036854775808", "9223372036854775807"}},
      {"bigint unsigned", type::decimal, {"0", "18446744073709551615"}},
      {"decimal(65,30)",
       type::decimal,
       {"0", "-0.5", "12345678901234567890123456789012345.123456789012345678901234567890",
        "-99999999999999999999999999999999999.999999999999999999999999999999", "1e-30"}},
      {"decimal(10,0)", type::decimal, {"-1234567890", "7"}},
      {"decimal(10,10)", type::decimal, {"0.0000000001", "-0.9999999999"}},
      {"decimal(6,2) zerofill", type::decimal, {"1.2", "0"}},
      {"float", type::float_, {"0.1", "-3.402823466e38", "16777217", "1.17549e-38"}},
      {"float(7,3)", type::float_, {"1234.567"}},
      {"double", type::double_, {"0.1", "1.7976931348623157e308", "-5e-324", "1e22"}},
      {"double(10,2)", type::double_, {"-12345678.91"}},
      {"bit(1)", type::int_, {"0", "1"}},
      {"bit(17)", type::int_, {"b'10000000000000001'"}},
      {"bit(40)", type::long_, {"1099511627775"}},
      {"bit(64)", type::decimal, {"18446744073709551615", "0"}},
      {"year", type::int_, {"1901", "2155", "0"}},
      {"date", type::date, {"'1000-01-01'", "'9999-12-31'", "'2024-02-29'"}},
      {"datetime", type::datetime, {"'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'"}},
      {"datetime(3)", type::datetime, {"'2026-11-22 10:13:24.213'"}},
      {"datetime(6)", type::datetime, {"'2026-11-22 10:13:24.000001'", "'1969-12-31 23:59:59.5'"}},
      {"timestamp null", type::datetime, {"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"}},
      {"timestamp(5) null", type::datetime, {"'2026-03-29 01:30:00.12345'"}},
      {"time", type::string, {"'-838:59:59'", "'00:00:00'", "'838:59:59'"}},
      {"time(1)", type::string, {"'-00:00:00.1'", "'12:34:56.7'"}},
      {"time(4)", type::string, {"'-12:34:56.7891'"}},
      {"time(6)", type::string, {"'-838:59:59.999999'", "'01:02:03.000004'"}},
  };
}

std::vector<column> texts_and_bytes() {
  using ums::type;
  return {
      {"char(10)", type::string, {"'x'", "''", "'ä€😀'", "'pad  '"}},
      {"char(5) character set ucs2", type::string, {"'ä€'", "''"}},
      {"char(200) character set utf8mb4", type::string, {"repeat('😀', 200)"}},
      {"varchar(20)", type::string, {"'x '", "'a\\tb\\\\c\\n'", "''"}},
      {"varchar(400) character set latin1", type::string, {"'Grüße €\\u'", "repeat('ÿ', 300)"}},
      {"varchar(20) character set cp1251", type::string, {"'Привет'"}},
      {"varchar(20) character set sjis", type::string, {"'日本'"}},
      {"varchar(20) character set gbk", type::string, {"'中文'"}},
      {"varchar(20) character set utf16", type::string, {"'a😀'"}},
      {"varchar(20) character set utf8mb3", type::string, {"'ä€'"}},
      {"tinytext", type::string, {"'t'"}},
      {"text character set latin1", type::string, {"repeat('é', 9000)"}},
      {"mediumtext", type::string, {"repeat('y', 70000)"}},
      {"longtext", type::string, {"''"}},
      {"json", type::string, {"'{\"a\":  [1, null, \"ä\"]}'"}},
      {"binary(8)", type::binary, {"x'0102000000000000'", "x'00'", "''"}},
      {"binary(255)", type::binary, {"x'ff'"}},
      {"varbinary(300)", type::binary, {"x'00ff10'", "''", "repeat(x'ab00', 150)"}},
      {"tinyblob", type::binary, {"x'00'"}},
      {"blob", type::binary, {"repeat(x'00ff', 3000)"}},
      {"longblob", type::binary, {"''"}},
      {"enum('a','it''s','ä,b')", type::string, {"'a'", "'it''s'", "'ä,b'", "'wrong'"}},
      {"enum('é','z') character set latin1", type::string, {"'é'"}},
      {"set('x','y','z')", type::string, {"'x,z'", "''", "'x,y,z'"}},
      {"uuid",
       type::string,
       {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a00'", "'00000000-0000-0000-0000-000000000000'",
        "'6ccd780c-baba-1026-9564-5b8c656024db'", "'0190163d-8694-739b-aea5-966c26f8ad91'"}},
      {"inet4", type::string, {"'1.2.0.0'", "'255.255.255.255'"}},
      {"inet6",
       type::string,
       {"'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.1'", "'1::'"}},
      {"geometry", type::binary, {"st_geomfromtext('POINT(1 2)')"}},
      {"point", type::binary, {"st_geomfromtext('POINT(-1.5 0)', 4326)"}},
  };
}

std::vector<column> matrix() {
  auto all = numbers_and_times(), more = texts_and_bytes();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Id and value of each row, sorted.
std::vector<std::string> values_of(const std::vector<ums::batch>& batches) {
  std::vector<std::string> out;
  for (const auto& b : batches)
    for (size_t i = 0; b.carries_rows() && i < b.rows(); ++i) {
      auto text = line(b, i);
      out.push_back(text.substr(text.find(' ', text.find(" i ") + 3)));
      out.back() = b.schema->name[ums::ns::table] + out.back();
    }
  std::sort(out.begin(), out.end());
  return out;
}

void compare(const std::vector<std::string>& from_log, const std::vector<std::string>& other) {
  CHECK(from_log.size() == other.size());
  size_t differ = 0;
  for (size_t i = 0; i < std::min(from_log.size(), other.size()); ++i)
    if (from_log[i] != other[i] && ++differ < 20)
      MESSAGE("log " << from_log[i].substr(0, 200) << "; other " << other[i].substr(0, 200));
  CHECK(differ == 0);
  MESSAGE("cells=" << from_log.size() << ", differ=" << differ);
}

void run_matrix(source& s) {
  auto types = matrix();
  std::string inserts;
  for (size_t i = 0; i < types.size(); ++i) {
    auto table = "m" + std::to_string(i);
    s.table(table, "id int primary key, v " + types[i].type);
    auto values = types[i].values;
    values.emplace_back("null");
    for (size_t k = 0; k < values.size(); ++k)
      inserts += "insert into " + table + " values (" + std::to_string(k) + ", " + values[k] + ");";
  }
  s.run(inserts);
  REQUIRE(!s.open());
  s.drain();
  auto from_snapshot = values_of(s.batches);
  for (auto& b : s.batches) {
    auto& type = types.at(std::stoul(b.schema->name[ums::ns::table].substr(1)));
    CAPTURE(type.type);
    CHECK(b.schema->fields.at(4).type == type.becomes);
    CHECK(b.kind == ums::protocol::initial_data);
  }
  s.batches.clear();
  for (size_t i = 0; i < types.size(); ++i)
    s.run("delete from m" + std::to_string(i));
  s.drain();
  s.batches.clear();
  s.run(inserts);
  s.drain();
  compare(values_of(s.batches), from_snapshot);
  for (auto& b : s.bad)
    MESSAGE(b.table.text() << ": " << b.reason);
  CHECK(s.bad.empty());
  // What the server itself prints for the text types.
  auto all = values_of(s.batches);
  for (size_t i = 0; i < types.size(); ++i)
    if (types[i].becomes == ums::type::string || types[i].becomes == ums::type::decimal)
      for (auto& r : s.db.run("select id, v from m" + std::to_string(i))) {
        if (types[i].type.find("bit") == 0 || types[i].type.find("zerofill") != std::string::npos)
          continue;
        auto expected = "m" + std::to_string(i) + " id=" + r[0] + " v=" + r[1];
        CHECK_MESSAGE(std::count(all.begin(), all.end(), expected) == 1,
                      types[i].type << ": expected " << expected.substr(0, 200));
      }
}

} // namespace

TEST_CASE("every type reads the same from a snapshot as from the log, in a far time zone") {
  source s;
  s.run("set global time_zone = '+05:45'");
  run_matrix(s);
  s.run("set global time_zone = 'SYSTEM'");
}

TEST_CASE("the same when the log names its columns") {
  source s;
  s.run("set global binlog_row_metadata = 'FULL'");
  run_matrix(s);
  s.run("set global binlog_row_metadata = 'NO_LOG'");
}

TEST_CASE("dates that are none are dead letters, null or text, as the setting says") {
  for (std::string how : {"reject", "null", "text"}) {
    CAPTURE(how);
    source s;
    s.settings.values["zero_dates"] = how;
    s.table("z", "id int primary key, d date, t datetime(2), s timestamp null");
    auto inserts = "insert into z values (1, '0000-00-00', '2026-01-01', '2026-01-01'), "
                   "(2, '2026-01-01', '0000-00-00 00:00:00', null), (3, '2026-01-01', '2026-00-15', "
                   "null), (4, null, null, '0000-00-00 00:00:00'), (5, '2026-01-02', '2026-01-01 "
                   "01:02:03.45', '2026-01-01 00:00:07')";
    s.run(std::string("set sql_mode = 'ALLOW_INVALID_DATES'; ") + inserts);
    REQUIRE(!s.open());
    s.drain();
    auto from_snapshot = values_of(s.batches);
    auto bad = s.bad.size();
    s.batches.clear();
    s.run("delete from z");
    s.drain();
    s.batches.clear();
    s.bad.clear();
    s.run(inserts);
    s.drain();
    CHECK(values_of(s.batches) == from_snapshot);
    CHECK(s.bad.size() == bad);
    CHECK(from_snapshot.size() == (how == "reject" ? 1 : 5));
    CHECK(bad == (how == "reject" ? 4 : 0));
    if (how == "text")
      CHECK(from_snapshot[2] == "z id=3 d=2026-01-01 t=2026-00-15 00:00:00.00 s=NULL");
    if (how == "null")
      CHECK(from_snapshot[0] == "z id=1 d=NULL t=2026-01-01 00:00:00 s=2026-01-01 00:00:00");
  }
}
