#include "test/runtime/ums/messages.hpp"

#include <doctest/doctest.h>

namespace rtdp::ums {

namespace {

constexpr std::string_view good = R"(["1","2026-11-22 10:13:24","i","one"])";
constexpr std::string_view no_id = R"([null,"2026-11-22 10:13:24","i","none"])";

std::string message(std::string_view protocol, std::string_view fields, std::string_view payload) {
  return R"({"protocol":{"type":")" + std::string(protocol) +
         R"("},"schema":{"namespace":"p.s.d.t.0.0.0","fields":[)" + std::string(fields) +
         R"(]},"payload":)" + std::string(payload) + "}";
}

constexpr std::string_view system_fields =
    R"({"name":"ums_id_","type":"long"},{"name":"ums_ts_","type":"datetime"},)"
    R"({"name":"ums_op_","type":"string"})";

/// A message of one column behind the system ones.
std::string one_cell(std::string_view type, std::string_view cell) {
  return message("data_increment_data",
                 std::string(system_fields) + R"(,{"name":"x","type":")" + std::string(type) +
                     R"("})",
                 R"([{"tuple":["1","2026-11-22 10:13:24","i",)" + std::string(cell) + "]}]");
}

std::string read_cell(std::string_view type, std::string_view cell) {
  auto r = read_all(one_cell(type, cell));
  REQUIRE_MESSAGE(!r.failed, r.failed.text());
  return r.bad.empty() ? shown_cell(r.batches.at(0).columns.at(3), 0) : "bad: " + r.bad[0].reason;
}

} // namespace

TEST_CASE("messages of one schema and kind share a batch up to the limit of rows") {
  reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  auto three = orders({good, good, good});
  for (int i = 0; i < 3; ++i)
    REQUIRE_FALSE(from.read(three, into, bad, 6));
  REQUIRE(into.size() == 2);
  CHECK(into[0].rows() == 6);
  CHECK(into[1].rows() == 3);
  CHECK(into[0].schema == into[1].schema);

  // The same schema written with a blank more is equal, so its rows go on in the same batch.
  auto spaced = three;
  spaced.insert(spaced.find("\"fields\""), " ");
  REQUIRE_FALSE(from.read(spaced, into, bad, 6));
  CHECK(into.size() == 2);

  auto other = three;
  other.replace(other.find("data_increment_data"), 19, "data_initial_data");
  REQUIRE_FALSE(from.read(other, into, bad, 100));
  REQUIRE(into.size() == 3);
  CHECK(into[2].kind == protocol::initial_data);
}

TEST_CASE("a bad tuple is set aside with its bytes and the others stay") {
  auto r = read_all(orders({good, no_id, R"(["2"])", good}));
  REQUIRE_FALSE(r.failed);
  CHECK(r.batches.at(0).rows() == 2);
  REQUIRE(r.bad.size() == 2);
  CHECK(r.bad[0].index == 1);
  CHECK(r.bad[0].bytes == R"({"tuple":)" + std::string(no_id) + "}");
  CHECK(r.bad[0].reason == "field ums_id_: expected a value, found null");
  CHECK(r.bad[1].index == 2);
  CHECK(r.bad[1].reason == "expected 4 values, found 1");

  auto none = read_all(orders({no_id}));
  CHECK_FALSE(none.failed);
  CHECK(none.batches.empty());
  CHECK(none.bad.size() == 1);
}

TEST_CASE("a bad row leaves the null bits of its neighbours as they were") {
  constexpr std::string_view null_note = R"(["1","2026-11-22 10:13:24","i",null])";
  // Its note is null and its one value more is wrong.
  constexpr std::string_view too_long = R"(["1","2026-11-22 10:13:24","i",null,"more"])";
  reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  for (int i = 0; i < 130; ++i) {
    REQUIRE_FALSE(from.read(orders({too_long, i % 2 ? null_note : good}), into, bad));
    CHECK(into.back().columns[3].has_nulls() == (i > 0));
  }
  REQUIRE(into.size() == 1);
  for (size_t i = 0; i < 130; ++i)
    CHECK(into[0].columns[3].is_null(i) == (i % 2 == 1));
  CHECK(bad.size() == 130);
}

TEST_CASE("cells come as strings, numbers, booleans or, in JSON columns, as JSON") {
  CHECK(read_cell("int", "13") == "=13");
  CHECK(read_cell("int", "\"13\"") == "=13");
  CHECK(read_cell("int", R"("\u0031\u0033")") == "=13");
  CHECK(read_cell("int", "13.0") == "bad: field x: expected int, found \"13.0\"");
  CHECK(read_cell("long", "true") == "bad: field x: expected long, found \"true\"");
  CHECK(read_cell("decimal", "12.50") == "=12.50");
  CHECK(read_cell("string", "12.50") == "=12.50");
  CHECK(read_cell("boolean", "true") == "=true");
  CHECK(read_cell("boolean", "0") == "=false");
  CHECK(read_cell("string", "null") == "null");
  CHECK(read_cell("string", "\"null\"") == "=null");
  CHECK(read_cell("string", R"("a\/b\u00e9\ud83d\ude00\"\\\b\f\n\r\t")") == "=a/bé😀\"\\\b\f\n\r\t");
  CHECK(read_cell("string", R"("a\u0000b")") == std::string("=a\0b", 4));
  CHECK(read_cell("binary", R"("Zm9v\/w==")") == "=Zm9v/w==");
  CHECK(read_cell("jsonobject", R"( { "a" : [ 1 ] } )") == R"(={ "a" : [ 1 ] })");
  CHECK(read_cell("jsonarray", "[]") == "=[]");
  CHECK(read_cell("jsonarray", "{}") == "bad: field x: expected jsonarray, found \"{}\"");
  CHECK(read_cell("string", R"("\ude00")").starts_with("bad: field x: expected only escapes"));
  CHECK(read_cell("string", R"("\ud83dx")").starts_with("bad: field x: expected only escapes"));
  CHECK(read_cell("string", R"("\u00g0")").starts_with("bad: field x: expected only escapes"));
  CHECK(read_cell("date", R"("2026\u002d11-22")") == "=2026-11-22");
}

TEST_CASE("the value of an encoded field is not in the reason") {
  auto text = one_cell("int", "\"secret\"");
  text.insert(text.find(R"("type":"int")"), R"("encoded":true,)");
  auto r = read_all(text);
  REQUIRE(r.bad.size() == 1);
  CHECK(r.bad[0].reason == "field x: expected int, found another value (masked)");
}

TEST_CASE("the system columns come first, wherever the message has them") {
  auto r = read_all(message(
      "data_increment_data",
      R"({"name":"a","type":"int"},{"name":"ums_op_","type":"string"},{"name":"b","type":"int"},)"
      R"({"name":"ums_ts_","type":"datetime"},{"name":"ums_id_","type":"int"})",
      R"([{"tuple":[1,"u",2,"1970-01-01 00:00:01",77]}])"));
  REQUIRE_MESSAGE(!r.failed, r.failed.text());
  const auto& b = r.batches.at(0);
  CHECK(b.ids()[0] == 77);
  CHECK(b.schema->fields[0].type == type::long_);
  CHECK(b.timestamps()[0] == 1'000'000);
  CHECK(b.op(0) == 'u');
  CHECK(b.find("a")->ints()[0] == 1);
  CHECK(b.find("b")->ints()[0] == 2);
}

TEST_CASE("keys come in any order and unknown ones are ignored") {
  auto text = std::string(R"({"later":{"x":[1,{"y":null}]},"payload":[{"tuple":)") +
              std::string(good) + R"(}],"schema":{"unFields":["a"],"fields":[)" +
              std::string(system_fields) +
              R"(,{"default":1,"type":"string","name":"x"}],"namespace":"p.s"},)"
              R"("protocol":{"v":1,"type":"data_batch_data"}})";
  auto r = read_all(text);
  REQUIRE_MESSAGE(!r.failed, r.failed.text());
  CHECK(r.batches.at(0).kind == protocol::batch_data);
  CHECK(r.batches[0].rows() == 1);
}

TEST_CASE("a message that is not UMS is an error that takes nothing") {
  auto whole = orders({good, no_id, good});
  reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  REQUIRE_FALSE(from.read(whole, into, bad));
  auto before = shown(into.at(0));
  auto refused = [&](std::string_view text) {
    auto e = from.read(text, into, bad);
    CHECK(e == ec::rejected);
    CHECK(into.size() == 1);
    CHECK(shown(into[0]) == before);
    CHECK(bad.size() == 1);
    return e.text();
  };
  // Cut anywhere, it is no message; some of these end inside the last of several tuples.
  for (size_t n = 0; n < whole.size(); ++n)
    refused(std::string_view(whole).substr(0, n));
  CHECK(refused("[]") == "message, byte 0: expected a UMS message, an object");
  CHECK(refused("{}") == "message: no protocol, so it is not UMS");
  CHECK(refused(whole + "{}").find("expected the end of the message") != std::string::npos);
  CHECK(refused(R"({"protocol":{"type":"data_increment_data"}})") ==
        "message: no schema, so it is not UMS");
  CHECK(
      refused(R"({"protocol":{"type":"feedback_flow_stats"}})") ==
      R"(message, byte 12: expected a protocol.type that carries data, found "feedback_flow_stats")");
  CHECK(refused("[\"\xff\"]").starts_with("not JSON"));
  CHECK(refused(message("data_increment_data", R"({"name":"id","type":"long"})", "[]")) ==
        "message of data_increment_data: the schema has no ums_id_");
  CHECK(refused(message("data_increment_data", R"({"name":"ums_id_","type":"date"})", "[]"))
            .find("expected ums_id_ of type long, found date") != std::string::npos);
  CHECK(refused(message("data_increment_data", R"({"name":"x","type":"varchar"})", "[]"))
            .find(R"(a UMS type for field "x", found "varchar")") != std::string::npos);
  CHECK(refused(message("data_increment_data",
                        R"({"name":"x","type":"int"},{"name":"x","type":"int"})", "[]"))
            .find("found two named \"x\"") != std::string::npos);
  CHECK(refused(message("data_increment_data", system_fields, "null")) ==
        "message of data_increment_data: no payload");
  CHECK(refused(message("data_increment_data", system_fields, "5")).find("payload as an array") !=
        std::string::npos);
  CHECK(refused(R"({"schema":{"namespace":"a..b"},"protocol":{"type":"data_increment_data"}})")
            .find("the instance is empty") != std::string::npos);
  auto twice = whole;
  twice.back() = ',';
  CHECK(refused(twice + R"("payload":[]})").find("found a second payload") != std::string::npos);
  CHECK(refused(one_cell("int", "NaN")).find("expected JSON in payload") != std::string::npos);
  CHECK(refused(one_cell("int", "1 2")).find("expected JSON in payload") != std::string::npos);
  CHECK(refused(std::string(1000, '[')).starts_with("message, byte 0"));
  CHECK(refused(one_cell("jsonarray", std::string(80, '[') + std::string(80, ']')))
            .find("expected JSON in payload") != std::string::npos);
}

TEST_CASE("a heartbeat needs neither fields nor payload") {
  auto r = read_all(
      R"({"protocol":{"type":"data_increment_heartbeat"},"schema":{"namespace":"mysql.db1"}})");
  REQUIRE_FALSE(r.failed);
  REQUIRE(r.batches.size() == 1);
  CHECK(r.batches[0].rows() == 0);
  CHECK_FALSE(r.batches[0].carries_rows());
}

TEST_CASE("a reader serves more schemas than it keeps") {
  reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 1500; ++i) {
      auto text = orders({good});
      text.insert(text.find("orders"), std::to_string(i));
      REQUIRE_FALSE(from.read(text, into, bad));
      CHECK(into.back().schema->name[ns::table] == std::to_string(i) + "orders");
    }
  CHECK(into.size() == 3000);
}

TEST_CASE("a message right before unreadable memory is read without touching it") {
  // No capacity behind the text: the sanitizers would tell.
  auto text = orders({good});
  std::vector<char> exact(text.begin(), text.end());
  auto r = read_all({exact.data(), exact.size()});
  CHECK_FALSE(r.failed);
  CHECK(r.batches.at(0).rows() == 1);
}

} // namespace rtdp::ums
