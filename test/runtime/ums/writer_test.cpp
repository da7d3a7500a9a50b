#include "test/runtime/ums/messages.hpp"

#include <doctest/doctest.h>

namespace rtdp::ums {

namespace {

batch notes(std::initializer_list<std::string_view> texts, std::string_view ops = "") {
  batch b(table({{"note", type::string}}));
  for (auto text : texts) {
    auto row = b.rows();
    begin_row(b, int64_t(row) + 1, ops.empty() ? "i" : ops.substr(row, 1));
    b.columns[3].append_text(text);
  }
  return b;
}

std::string written(const slice& rows) {
  std::string out;
  auto e = write(rows, out);
  REQUIRE_MESSAGE(!e, e.text());
  return out;
}

std::string payload(const slice& rows) {
  auto out = written(rows);
  return out.substr(out.find("\"payload\""));
}

} // namespace

TEST_CASE("text is escaped as JSON asks and no further") {
  CHECK(payload(slice::all(notes({"é😀/\x7f", std::string_view("\0\x1f\"\\\n\r\t\b\f", 9)}))) ==
        "\"payload\":[{\"tuple\":[\"1\",\"1970-01-01 00:00:00.001000\",\"i\",\"é😀/\x7f\"]},"
        "{\"tuple\":[\"2\",\"1970-01-01 "
        "00:00:00.002000\",\"i\",\"\\u0000\\u001f\\\"\\\\\\n\\r\\t\\b\\f\"]}]}");
}

TEST_CASE("a character to escape is found wherever it stands") {
  for (size_t size = 1; size < 40; ++size)
    for (size_t at = 0; at < size; ++at)
      for (char c : {'"', '\\', '\n', '\0', '\x1f'}) {
        std::string text(size, 'a');
        text[at] = c;
        auto r = read_all(written(slice::all(notes({text, "b"}))));
        REQUIRE(r.batches.size() == 1);
        REQUIRE(r.batches[0].columns[3].text(0) == text);
        REQUIRE(r.batches[0].columns[3].text(1) == "b");
      }
}

TEST_CASE("a slice writes its rows and nothing of the others") {
  auto b = notes({"a", "b", "c", "d"});
  auto r = read_all(written({&b, 1, 2}));
  REQUIRE(r.batches.size() == 1);
  CHECK(r.batches[0].ids()[0] == 2);
  CHECK(r.batches[0].columns[3].text(1) == "c");
  CHECK(payload({&b, 4, 0}) == "\"payload\":[]}");
}

TEST_CASE("text that is not UTF-8 is refused with its column and row, and nothing is written") {
  // In the last case each half is wrong, although the bytes of both together are one character.
  for (auto [first, second, row] :
       {std::tuple{"fine", "\xff", "1"}, std::tuple{"caf\xc3", "x", "0"},
        std::tuple{"\xed\xa0\x80", "x", "0"}, std::tuple{"\xc3", "\xa9", "0"}}) {
    std::string out = "before";
    auto e = write(notes({first, second}), out);
    CHECK(e == ec::rejected);
    CHECK(e.text() ==
          std::string("field note, row ") + row +
              ": expected UTF-8, found other bytes; the source must convert or refuse them");
    CHECK(out == "before");
  }
  // The wrong row is outside of the slice.
  auto b = notes({"\xff", "fine"});
  CHECK(payload({&b, 1, 1}).find("fine") != std::string::npos);
  batch binary(table({{"bytes", type::binary}}));
  begin_row(binary, 1);
  binary.columns[3].append_text("\xff");
  CHECK(payload(slice::all(binary)).find("\"/w==\"") != std::string::npos);

  batch named(table({{"caf\xe9", type::int_}}));
  std::string out = "before";
  CHECK(write(named, out) == ec::rejected);
  CHECK(out == "before");
}

TEST_CASE(
    "a message of the rows that fit is not longer than asked, and one more row would not do") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  any_batch random(seed);
  for (int round = 0; round < 200; ++round) {
    auto b = random.make();
    for (size_t first = 0; first < b.rows();) {
      auto most = 1 + random.below(8000);
      auto count = rows_that_fit(b, first, most);
      REQUIRE(count >= 1);
      REQUIRE(first + count <= b.rows());
      auto fits = written({&b, first, count}).size() <= most;
      auto pair = count == 2 && b.op(first) == 'b';
      CHECK((fits || count == 1 || pair));
      // No cut between a before-image and what follows.
      CHECK((first + count == b.rows() || b.op(first + count - 1) != 'b' || (count == 2 && pair)));
      first += count;
    }
  }
}

TEST_CASE("the rows that fit come close to the limit") {
  batch b(table({{"note", type::string}}));
  for (int i = 0; i < 10'000; ++i) {
    begin_row(b, 50'000'000'000 + i);
    b.columns[3].append_text("twenty characters, so");
  }
  auto count = rows_that_fit(b, 0, 500'000);
  CHECK(written({&b, 0, count}).size() > 400'000);
  CHECK(rows_that_fit(b, 0, 1 << 30) == 10'000);
  CHECK(rows_that_fit(b, 9'999, 1) == 1);
}

TEST_CASE("a before-image goes into the message of its update") {
  auto b = notes({"1", "2", "3", "4", "5", "6"}, "bububi");
  CHECK(rows_that_fit(b, 0, 1) == 2);
  CHECK(rows_that_fit(b, 1, 1) == 1);
  CHECK(rows_that_fit(b, 4, 1) == 2);
  CHECK(rows_that_fit(b, 5, 1) == 1);
  for (size_t bytes = 1; bytes < 2000; ++bytes)
    CHECK(rows_that_fit(b, 0, bytes) % 2 == 0);
}

} // namespace rtdp::ums
