#include "config/words.hpp"

#include <doctest/doctest.h>

using namespace rtdp::config;

TEST_CASE("the closest word is found within one edit in three letters") {
  std::vector<std::string> known{"batch_rows", "linger", "url"};
  CHECK(closest("batch_row", known) == "batch_rows");
  CHECK(closest("btach_rows", known) == "batch_rows");
  CHECK(closest("lingr", known) == "linger");
  CHECK(closest("ulr", known) == "url");
  CHECK(closest("rlu", known).empty());
  CHECK(closest("ur", known) == "url");
  CHECK(closest("colour", known).empty());
  CHECK(closest("", known).empty());
  CHECK(closest(std::string(100'000, 'x'), known).empty());
  CHECK(did_you_mean("ur", known) == "; did you mean url?");
  CHECK(did_you_mean("colour", known).empty());
}

TEST_CASE("an excerpt is one line of at most 60 bytes and never cuts a character") {
  CHECK(excerpt("short") == "short");
  CHECK(excerpt("two\nlines\x7f") == "two lines ");
  CHECK(excerpt(std::string(61, 'x')) == std::string(60, 'x') + "…");
  CHECK(excerpt(std::string(59, 'x') + "éé") == std::string(59, 'x') + "…");
}

TEST_CASE("only whole UTF-8 characters are valid") {
  CHECK(valid_utf8("aé€😀") == 10);
  CHECK(valid_utf8("a\xE9") == 1);            // Latin-1
  CHECK(valid_utf8("a\xC0\x80") == 1);        // overlong
  CHECK(valid_utf8("\xED\xA0\x80") == 0);     // a surrogate
  CHECK(valid_utf8("\xF4\x90\x80\x80") == 0); // above U+10FFFF
  CHECK(valid_utf8("\xE2\x82") == 0);         // cut
}

TEST_CASE("a plain word holds letters, digits, underscore and dash, at most 63") {
  CHECK(is_plain_word("shop-2_a"));
  CHECK(is_plain_word(std::string(63, 'a')));
  CHECK_FALSE(is_plain_word(std::string(64, 'a')));
  CHECK_FALSE(is_plain_word(""));
  CHECK_FALSE(is_plain_word("a.b"));
  CHECK_FALSE(is_plain_word("a b"));
  CHECK_FALSE(is_plain_word("é"));
}
