#include "test/runtime/ums/messages.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace rtdp::ums {

namespace {

std::string date_text(int64_t days) {
  std::string out;
  append_date(days, out);
  return out;
}

std::string datetime_text(int64_t micros) {
  std::string out;
  append_datetime(micros, out);
  return out;
}

std::string real_text(double value, bool is_float = false) {
  std::string out;
  append_real(value, is_float, out);
  return out;
}

bool takes(type t, std::string_view text) {
  column c(t);
  bool taken = append_parsed(c, text);
  CHECK(c.size() == (taken ? 1 : 0));
  return taken;
}

} // namespace

TEST_CASE("dates are written as ISO 8601, with a sign outside the years 1 to 9999") {
  CHECK(date_text(0) == "1970-01-01");
  CHECK(date_text(-1) == "1969-12-31");
  CHECK(date_text(20779) == "2026-11-22");
  CHECK(date_text(-719'162) == "0001-01-01");
  CHECK(date_text(-719'163) == "+0000-12-31");
  CHECK(date_text(-735'160) == "-0043-03-15");
  CHECK(date_text(2'932'896) == "9999-12-31");
  CHECK(date_text(2'932'897) == "+10000-01-01");
  CHECK(date_text(plus_infinity) == "infinity");
  CHECK(date_text(minus_infinity) == "-infinity");
  for (auto text : {"1970-01-01", "0001-01-01", "+0000-12-31", "-0043-03-15", "+10000-01-01",
                    "+5874897-12-31", "2024-02-29", "infinity", "-infinity"})
    CHECK(date_text(parse_date(text).value()) == text);
  for (auto text : {"", "2026", "2026-11", "2026-13-01", "2026-00-01", "2026-02-29", "2026-04-31",
                    "2026-11-00", "26-11-22", "12026-11-22", "2026-11-22 ", "2026-11-22 00:00:00",
                    "2026/11/22", "Infinity", "+99999999999999999-01-01", "0000-00-00"})
    CHECK_MESSAGE(!parse_date(text), text);
}

TEST_CASE("every day of twelve centuries is the day that std::chrono says") {
  using namespace std::chrono;
  for (auto day = sys_days(year{1500} / 1 / 1); day < sys_days(year{2700} / 1 / 1);
       day += days{1}) {
    year_month_day d(day);
    char text[16];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", int(d.year()), unsigned(d.month()),
                  unsigned(d.day()));
    auto count = day.time_since_epoch().count();
    REQUIRE(date_text(count) == text);
    REQUIRE(parse_date(text) == count);
    REQUIRE(parse_datetime(text + std::string(" 23:59:59.999999")) ==
            count * 86'400'000'000 + 86'399'999'999);
  }
}

TEST_CASE("datetimes keep their microseconds") {
  CHECK(datetime_text(0) == "1970-01-01 00:00:00");
  CHECK(datetime_text(-1) == "1969-12-31 23:59:59.999999");
  CHECK(datetime_text(1'795'342'404'213'456) == "2026-11-22 10:13:24.213456");
  CHECK(datetime_text(1'795'342'404'210'000) == "2026-11-22 10:13:24.210000");
  CHECK(datetime_text(plus_infinity) == "infinity");
  CHECK(datetime_text(minus_infinity) == "-infinity");
  for (int64_t micros : {minus_infinity + 1, plus_infinity - 1, int64_t{-1}, int64_t{1}})
    CHECK(parse_datetime(datetime_text(micros)) == micros);
}

TEST_CASE("datetimes are read with blank or T, any fraction and any zone") {
  constexpr int64_t at = 1'795'342'404'000'000;
  const std::pair<const char*, int64_t> cases[] = {
      {"2026-11-22 10:13:24", at},
      {"2026-11-22T10:13:24", at},
      {"2026-11-22 10:13:24.2", at + 200'000},
      {"2026-11-22 10:13:24.213", at + 213'000},
      {"2026-11-22T10:13:24.213456", at + 213'456},
      {"2026-11-22 10:13:24.213456789", at + 213'456},
      {"2026-11-22 10:13:24Z", at},
      {"2026-11-22 12:13:24+02", at},
      {"2026-11-22 12:13:24+0200", at},
      {"2026-11-22T04:43:24.5-05:30", at + 500'000},
      {"2026-11-22 10:13:24.213456+00", at + 213'456},
      {"2026-11-22 11:06:52+00:53:28", at},
      {"infinity", plus_infinity},
      {"-infinity", minus_infinity},
      {"-0043-03-15 00:00:00", -735'160 * int64_t{86'400'000'000}},
  };
  for (const auto& c : cases)
    CHECK_MESSAGE(parse_datetime(c.first) == c.second, c.first);
  for (auto text : {"",
                    "2026-11-22",
                    "2026-11-22 ",
                    "2026-11-22 10:13",
                    "2026-11-22 24:00:00",
                    "2026-11-22 10:60:24",
                    "2026-11-22 10:13:60",
                    "2026-11-22 10:13:24.",
                    "2026-11-22 10:13:24.1234567890",
                    "2026-11-22 10:13:24 +02",
                    "2026-11-22 10:13:24+2",
                    "2026-11-22 10:13:24+24",
                    "2026-11-22 10:13:24+02:60",
                    "2026-11-22 10:13:24+02:",
                    "2026-02-29 10:13:24.213456",
                    "2026-11-22 10:13:24.21345x",
                    "2026-11-22 10:13:2:.213456",
                    "2026-11-22x10:13:24.213456",
                    "+294247-01-10 04:00:54.775807",
                    "+294247-01-10 04:00:54.775808",
                    "-292277-01-09 04:00:54.775807",
                    "\xb2"
                    "026-11-22 10:13:24.213456",
                    "+5874897-12-31 00:00:00"})
    CHECK_MESSAGE(!parse_datetime(text), text);
}

TEST_CASE("a canonical datetime with any one character changed is read as the slow way would, or "
          "not at all") {
  std::string text = "2026-11-22 10:13:24.213456";
  for (size_t i = 0; i < text.size(); ++i)
    for (int c = 0; c < 256; ++c) {
      auto changed = text;
      changed[i] = char(c);
      if (c == 'Z' || c == '+' || c == '-')
        continue;
      // A zone of 0 keeps the value and takes the slow way.
      REQUIRE(parse_datetime(changed) == parse_datetime(changed + "Z"));
    }
}

TEST_CASE("reals are written as short as they read back") {
  CHECK(real_text(0.1) == "0.1");
  CHECK(real_text(double(0.1F), true) == "0.1");
  CHECK(real_text(double(0.1F)) == "0.10000000149011612");
  CHECK(real_text(0.1, true) == "0.1");
  CHECK(real_text(-0.0) == "-0");
  CHECK(real_text(1e300, true) == "1e+300");
  CHECK(real_text(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  CHECK(real_text(-std::numeric_limits<double>::infinity(), true) == "-Infinity");
  CHECK(parse_real("1e308") == 1e308);
  CHECK(parse_real("-.5") == -0.5);
  CHECK(parse_real("5e-324") == 5e-324);
  CHECK(std::isnan(parse_real("NaN").value()));
  CHECK(parse_real("-Infinity") == -std::numeric_limits<double>::infinity());
  for (auto text : {"", "-", "inf", "nan", "INFINITY", "-NaN", "1e999", "0x10", "1,5", " 1", "1 ",
                    "+1", "--1", "nan(1)", "-inf"})
    CHECK_MESSAGE(!parse_real(text), text);
}

TEST_CASE("a cell that is not of its column's type is refused and appends nothing") {
  for (auto text : {"0", "-2147483648", "2147483647"})
    CHECK(takes(type::int_, text));
  for (auto text : {"", "-", "2147483648", "1.0", "1e3", "+1", " 1", "1 ", "0x1", "true"})
    CHECK_FALSE(takes(type::int_, text));
  CHECK(takes(type::long_, "-9223372036854775808"));
  CHECK_FALSE(takes(type::long_, "9223372036854775808"));
  CHECK(takes(type::boolean, "true"));
  CHECK(takes(type::boolean, "0"));
  CHECK_FALSE(takes(type::boolean, "yes"));
  CHECK_FALSE(takes(type::boolean, "2"));
  CHECK_FALSE(takes(type::float_, "1e300"));
  CHECK(takes(type::double_, "1e300"));
}

TEST_CASE("a decimal keeps its text exactly") {
  for (std::string_view text :
       {"0", "-0.00", "+1", "1.", ".5", "1E+400", "1e-400", "NaN", "Infinity", "-Infinity",
        "123456789012345678901234567890123456789.000000000000000000000000000001"}) {
    column c(type::decimal);
    REQUIRE_MESSAGE(append_parsed(c, text), text);
    CHECK(c.text(0) == text);
  }
  for (auto text :
       {"", ".", "-", "1.2.3", "1e", "1e+", "1,5", " 1", "0x1", "nan", "inf", "--1", "1e1.5", "e5"})
    CHECK_FALSE_MESSAGE(takes(type::decimal, text), text);
}

TEST_CASE("binary is base64 of RFC 4648, section 10, and only the canonical form") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"Zg==", "f"},
                                                         {"Zm8=", "fo"},
                                                         {"Zm9v", "foo"},
                                                         {"Zm9vYg==", "foob"},
                                                         {"Zm9vYmE=", "fooba"},
                                                         {"Zm9vYmFy", "foobar"}};
  for (auto [text, bytes] : vectors) {
    column c(type::binary);
    REQUIRE(append_parsed(c, text));
    CHECK(c.text(0) == bytes);
    std::string back;
    append_cell(c, 0, back);
    CHECK(back == text);
  }
  for (auto text :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Z===", "Zm9v\n", "Zm-v", "Zm9\xff"})
    CHECK_FALSE_MESSAGE(takes(type::binary, text), text);
}

} // namespace rtdp::ums
