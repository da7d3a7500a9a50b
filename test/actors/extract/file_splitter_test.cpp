#include "actors/extract/file_splitter.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace rtdp::extract;
using namespace rtdp::extract::files;

namespace {

using texts = std::vector<std::string>;

/// All events of a text that is given in pieces of `step` bytes, as a file that grows.
texts split(const splitter& s, const std::string& text, size_t step) {
  texts out;
  size_t used = 0, have = 0;
  bool skipping = false;
  cut c;
  for (bool last = false; !last;) {
    have = std::min(text.size(), have + step);
    last = have == text.size();
    while (s.next(std::string_view(text).substr(used, have - used), last, skipping, c)) {
      used += c.used;
      if (c.is != cut::what::skipped)
        out.push_back((c.is == cut::what::too_long ? "!" : "") + std::string(c.text));
    }
  }
  CHECK(used == text.size());
  return out;
}

} // namespace

TEST_CASE("lines end with or without a carriage return, and empty ones are passed over") {
  splitter s(nullptr, 100);
  CHECK(split(s, "a\nb\r\n\n\r\nc", 100) == texts{"a", "b", "c"});
  CHECK(split(s, "", 100).empty());
}

TEST_CASE("a line that is not whole waits for its end") {
  splitter s(nullptr, 100);
  bool skipping = false;
  cut c;
  CHECK(!s.next("half", false, skipping, c));
  CHECK(s.next("half a line\nx", false, skipping, c));
  CHECK(c.text == "half a line");
  CHECK(c.used == 12);
}

TEST_CASE("a line longer than the limit is cut, and its rest is skipped") {
  splitter s(nullptr, 4);
  CHECK(split(s, "1234\n12345\n1234567890123\nab\n", 100) == texts{"1234", "!1234", "!1234", "ab"});
  CHECK(split(s, "1234\r\nab", 100) == texts{"1234", "ab"});
}

TEST_CASE("lines are joined up to the next that begins an event") {
  splitter s(*logs::compile("^\\d"), 100);
  CHECK(split(s, " tail\n1 a\n  at b\n\n  at c\n2 d\n3 e\n  at f", 100) ==
        texts{" tail", "1 a\n  at b\n\n  at c", "2 d", "3 e\n  at f"});
}

TEST_CASE("what is cut does not depend on how the bytes arrive") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (auto n = random() % 200; n > 0; --n)
      text += "ab1 \n\n\r"[random() % 7];
    auto limit = 3 + random() % 20;
    splitter lines(nullptr, limit), joined(*logs::compile("^1"), limit);
    CAPTURE(text);
    CHECK(split(lines, text, 1 + random() % 9) == split(lines, text, 1000));
    CHECK(split(joined, text, 1 + random() % 9) == split(joined, text, 1000));
  }
}
