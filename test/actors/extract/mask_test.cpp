#include "actors/extract/mask.hpp"
#include "actors/extract/mask_keyed.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <set>

namespace rtdp::extract {

namespace {

config::section item(const std::string& yaml) {
  config::spec spec("mask", "");
  spec.fields = mask_fields();
  config::section out;
  for (const auto& p : spec.parse(YAML::Load(yaml), "mask", out))
    FAIL(p.path << " " << p.text);
  return out;
}

mask_settings mask_by(const std::string& yaml) {
  auto m = read_mask(item("{column: c, " + yaml + "}"));
  REQUIRE_MESSAGE(m, (m ? "" : m.error().text()));
  return *m;
}

std::string refusal(const std::string& yaml) {
  auto m = read_mask(item("{column: c, " + yaml + "}"));
  return m ? "" : m.error().text();
}

/// A mask of a keyed kind: its salt may not stand in a file.
mask_settings keyed(const std::string& with, const std::string& salt = "salt and pepper") {
  auto given = item("{column: c, with: " + with + "}");
  given.values["salt"] = config::secret(salt);
  auto m = read_mask(given);
  REQUIRE(m);
  return *m;
}

ums::field field(ums::type t, bool key = false, std::string native = "native type") {
  return {.name = "c", .type = t, .nullable = false, .key = key, .native = std::move(native)};
}

struct outcome {
  std::vector<std::string> cells;
  std::vector<mask_failure> failures;
};

outcome run(const mask_settings& m, const ums::column& from) {
  auto f = masked(m, field(from.type()));
  REQUIRE(f);
  auto how = make_mask(m);
  REQUIRE(how);
  ums::column to(f->type);
  outcome out;
  (*how)->apply(from, to, out.failures);
  REQUIRE(to.size() == from.size());
  for (size_t row = 0; row < to.size(); ++row) {
    auto& text = out.cells.emplace_back();
    if (to.is_null(row))
      text = "NULL";
    else
      ums::append_cell(to, row, text);
  }
  return out;
}

/// "NULL" is a null.
ums::column column(ums::type t, const std::vector<std::string>& cells) {
  ums::column c(t);
  for (const auto& text : cells)
    if (text == "NULL")
      c.append_null();
    else
      REQUIRE(ums::append_parsed(c, text));
  return c;
}

std::vector<std::string> cells(const mask_settings& m, ums::type t,
                               const std::vector<std::string>& from) {
  auto out = run(m, column(t, from));
  CHECK(out.failures.empty());
  return out.cells;
}

using texts = std::vector<std::string>;
using enum ums::type;

} // namespace

TEST_CASE("replace and null hide every value, and a null stays null") {
  CHECK(cells(mask_by("with: replace"), string, {"a", "NULL", ""}) == texts{"***", "NULL", "***"});
  CHECK(cells(mask_by("with: replace, text: x"), long_, {"1", "NULL"}) == texts{"x", "NULL"});
  CHECK(cells(mask_by("with: 'null'"), decimal, {"1.5", "NULL"}) == texts{"NULL", "NULL"});
}

TEST_CASE("partial leaves characters at the ends and never shows a whole text") {
  auto ends = mask_by("with: partial, first: 1, last: 2");
  CHECK(cells(ends, string, {"secret", "abcd", "abc", "a", "", "NULL"}) ==
        texts{"s***et", "a*cd", "***", "*", "", "NULL"});
  CHECK(cells(ends, string, {"ä€😀ßé"}) == texts{"ä**ßé"});
  CHECK(cells(mask_by("with: partial, last: 2, fill: •"), string, {"1234"}) == texts{"••34"});
  auto broken = run(ends, column(string, {"fine", "br\xffken"}));
  CHECK(broken.cells == texts{"f*ne", "NULL"});
  REQUIRE(broken.failures.size() == 1);
  CHECK(broken.failures[0].row == 1);
}

TEST_CASE("sha256 is that of the salt and the text of the value, for any type") {
  // printf 'salt and pepper%s' ann@example.org | sha256sum
  auto m = keyed("sha256");
  CHECK(cells(m, string, {"ann@example.org", "NULL"}) ==
        texts{"441b8d12a5d8114f599f3472cb50714859c4288c64dd63ad6b3b48d21f75585e", "NULL"});
  CHECK(cells(m, long_, {"42"}) == cells(m, string, {"42"}));
  CHECK(cells(m, date, {"2026-11-22"}) == cells(m, string, {"2026-11-22"}));
  ums::column bytes(binary);
  bytes.append_text(std::string("42"));
  CHECK(run(m, bytes).cells == cells(m, string, {"42"}));
  CHECK(cells(keyed("sha256", "another salt"), string, {"42"}) != cells(m, string, {"42"}));
}

TEST_CASE("hmac is HMAC-SHA-256 under the salt") {
  // printf %s ann@example.org | openssl dgst -sha256 -hmac 'salt and pepper'
  CHECK(cells(keyed("hmac"), string, {"ann@example.org", "NULL", ""}) ==
        texts{"7f82dcc05381e3a38cc9d04a70a138d751a8437f90d349068ad1f1b3033ca916", "NULL",
              "936c140240a5ba383abd00d9f4f7317f2591741df417e1a831fd7fd724b6ff31"});
}

TEST_CASE("regex replaces each match, and a value without one goes on only if it may") {
  auto m = mask_by(R"(with: regex, pattern: '[^@]+@', replacement: 'x@')");
  auto out = run(m, column(string, {"ann@example.org", "no address", "NULL"}));
  CHECK(out.cells == texts{"x@example.org", "NULL", "NULL"});
  REQUIRE(out.failures.size() == 1);
  CHECK(out.failures[0].row == 1);
  CHECK(cells(mask_by("with: regex, pattern: a, unmatched: blank"), string, {"b", "aa"}) ==
        texts{"", ""});
  CHECK(cells(mask_by("with: regex, pattern: a, unmatched: pass"), string, {"b"}) == texts{"b"});
  CHECK(cells(mask_by(R"(with: regex, pattern: '(\d)\d*', replacement: '\1xx')"), string,
              {"12 and 345"}) == texts{"1xx and 3xx"});
  CHECK(refusal("with: regex, pattern: '('").find("missing )") != std::string::npos);
  CHECK(refusal("with: regex, pattern: a, replacement: '\\1'").find("replacement") == 0);
  CHECK(refusal("with: regex") == "regex needs a pattern");
}

TEST_CASE("date goes back to the beginning of its period, before 1970 too") {
  auto to = [](const char* unit) { return mask_by(std::string("with: date, to: ") + unit); };
  CHECK(cells(to("month"), date, {"1979-05-27", "-0043-03-15", "infinity", "NULL"}) ==
        texts{"1979-05-01", "-0043-03-01", "infinity", "NULL"});
  CHECK(cells(to("year"), date, {"1969-12-31"}) == texts{"1969-01-01"});
  CHECK(cells(to("day"), datetime, {"1969-12-31 23:59:59.999999"}) == texts{"1969-12-31 00:00:00"});
  CHECK(cells(to("hour"), datetime, {"2026-11-22 10:13:24.5"}) == texts{"2026-11-22 10:00:00"});
  CHECK(cells(to("minute"), datetime, {"2026-11-22 10:13:24"}) == texts{"2026-11-22 10:13:00"});
  CHECK(cells(to("year"), datetime, {"2026-11-22 10:13:24"}) == texts{"2026-01-01 00:00:00"});
  ums::column first(datetime);
  first.append_int(INT64_MIN + 1);
  CHECK(run(to("year"), first).failures.size() == 1);
}

TEST_CASE("digits keep length, sign, point and everything that is no digit") {
  auto m = keyed("digits");
  auto out = cells(m, string, {"+49 (30) 901820-0", "none", "", "NULL"});
  CHECK(out[0].size() == 17);
  for (size_t i = 0; i < out[0].size(); ++i) {
    bool digit = std::isdigit(static_cast<unsigned char>("+49 (30) 901820-0"[i])) != 0;
    CHECK((std::isdigit(static_cast<unsigned char>(out[0][i])) != 0) == digit);
  }
  CHECK(out[0] != "+49 (30) 901820-0");
  CHECK(out == cells(m, string, {"+49 (30) 901820-0", "none", "", "NULL"}));
  CHECK(out[0] != cells(keyed("digits", "another salt"), string, {"+49 (30) 901820-0"})[0]);
  for (const char* text : {"-12345.67", "0.05", "100", "0", "NaN"}) {
    auto masked_text = cells(m, decimal, {text})[0];
    CAPTURE(text);
    CHECK(masked_text.size() == std::string(text).size());
    CHECK(masked_text.find('.') == std::string(text).find('.'));
    CHECK((masked_text[0] == '0') == (text[0] == '0'));
  }
  std::string long_text(100, '7');
  CHECK(cells(m, string, {long_text})[0].size() == 100);
}

TEST_CASE("digits give different values different masks, whatever their length") {
  auto m = keyed("digits");
  texts numbers, padded;
  for (int i = -1100; i <= 11'000; ++i)
    numbers.push_back(std::to_string(i));
  for (int i = 0; i < 1000; ++i)
    padded.push_back(std::to_string(1000 + i).substr(1));
  auto images = cells(m, long_, numbers);
  CHECK(std::set<std::string>(images.begin(), images.end()).size() == numbers.size());
  for (size_t i = 0; i < images.size(); ++i)
    CHECK(images[i].size() == numbers[i].size());
  images = cells(m, string, padded);
  CHECK(std::set<std::string>(images.begin(), images.end()).size() == 1000);
  // The widest numbers stay numbers of their type.
  CHECK(cells(m, long_, {"9223372036854775807", "-9223372036854775808"})[1].size() == 20);
  CHECK(cells(m, int_, {"2147483647", "-2147483648", "1999999999"})[2].size() == 10);
}

TEST_CASE("a masked column says so, and keeps its native type only if every mask fits it") {
  auto f = masked(mask_by("with: replace"), field(long_));
  REQUIRE(f);
  CHECK(f->encoded);
  CHECK(f->type == string);
  CHECK(f->native.empty());
  CHECK(masked(keyed("hmac"), field(binary))->type == string);
  CHECK(masked(mask_by("with: 'null'"), field(binary))->nullable);
  CHECK(masked(mask_by("with: 'null'"), field(binary))->native == "native type");
  CHECK(masked(mask_by("with: date"), field(date))->native == "native type");
  CHECK(masked(keyed("digits"), field(decimal))->native == "native type");
  // 9999 in a smallint becomes a number of four digits, 32767 perhaps 99999.
  CHECK(masked(keyed("digits"), field(int_))->native.empty());
  CHECK(masked(mask_by("with: partial"), field(string))->native.empty());
}

TEST_CASE("a mask that does not go with the column's type is refused") {
  auto text_of = [](const result<ums::field>& f) { return f ? "" : f.error().text(); };
  CHECK(text_of(masked(mask_by("with: partial"), field(long_))) ==
        "column c is a long; partial takes string");
  CHECK(text_of(masked(mask_by("with: date"), field(string))) ==
        "column c is a string; date takes date and datetime");
  CHECK(text_of(masked(mask_by("with: date, to: hour"), field(date))).find("no hours") !=
        std::string::npos);
  CHECK_FALSE(masked(keyed("digits"), field(double_)));
  CHECK_FALSE(masked(keyed("digits"), field(jsonobject)));
}

TEST_CASE("a key takes only what keeps two keys two") {
  for (const char* with : {"replace", "'null'", "partial", "regex, pattern: a"})
    CHECK_FALSE(masked(mask_by(std::string("with: ") + with), field(string, true)));
  CHECK_FALSE(masked(mask_by("with: date"), field(date, true)));
  CHECK_FALSE(masked(keyed("digits"), field(decimal, true)));
  CHECK(masked(keyed("digits"), field(string, true)));
  CHECK(masked(keyed("digits"), field(long_, true))->key);
  CHECK(masked(keyed("sha256"), field(long_, true))->key);
}

TEST_CASE("a keyed mask without a salt is refused") {
  CHECK(refusal("with: sha256").find("needs salt") != std::string::npos);
  CHECK(refusal("with: hmac").find("needs salt") != std::string::npos);
  CHECK(refusal("with: digits").find("needs salt") != std::string::npos);
}

} // namespace rtdp::extract
