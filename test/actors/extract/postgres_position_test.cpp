#include "actors/extract/postgres_position.hpp"

#include <doctest/doctest.h>

using namespace rtdp::extract::pg;

TEST_CASE("table names are read as SQL reads them") {
  CHECK(*parse_table_name("public.orders") == table_name{"public", "orders"});
  CHECK(*parse_table_name("Orders") == table_name{"public", "orders"});
  CHECK(*parse_table_name("\"My Schema\".\"we.ird\"") == table_name{"My Schema", "we.ird"});
  CHECK(*parse_table_name("a.\"q\"\"q\"") == table_name{"a", "q\"q"});
  CHECK(*parse_table_name("shop.*") == table_name{"shop", "*"});
  for (auto wrong : {"", ".", "a.", ".a", "a.b.c", "\"a", "a b", "*", "*.a", "a.\"\""}) {
    CAPTURE(wrong);
    CHECK(!parse_table_name(wrong));
  }
  CHECK(parse_table_name("a.b c").error().text().find("character") != std::string::npos);
}

TEST_CASE("a snapshot covers what had ended before it, also where numbers wrap") {
  auto s = *parse_seen_by("100:110:103,105", "0/500");
  CHECK(s.covers(99, 0x400));
  CHECK(s.covers(104, 0x400));
  CHECK(!s.covers(103, 0x400));
  CHECK(!s.covers(105, 0x400));
  CHECK(!s.covers(110, 0x400));
  CHECK_MESSAGE(!s.covers(99, 0x500), "no commit behind the moment of the snapshot");
  // 2^33 - 6 … 2^33 + 4
  auto wrapped = *parse_seen_by("8589934586:8589934596:8589934587,8589934594", "0/500");
  CHECK(wrapped.covers(0xFFFFFFF9, 1));
  CHECK(!wrapped.covers(0xFFFFFFFB, 1));
  CHECK(wrapped.covers(0xFFFFFFFC, 1));
  CHECK(wrapped.covers(1, 1));
  CHECK(!wrapped.covers(2, 1));
  CHECK(!wrapped.covers(4, 1));
  for (auto wrong : {"", "1", "1:2", "a:b:", "1:2:x"})
    CHECK(!parse_seen_by(wrong, "0/1"));
}

TEST_CASE("a position reads back as written") {
  position p;
  p.at = 0x15431E8;
  p.index = 12;
  p.tables.push_back({.name = {"My \"Schema\"", "ä"},
                      .version = 3,
                      .shape = UINT64_MAX,
                      .snapshot = table_state::done,
                      .seen = {100, 110, {103}, 0x500}});
  p.tables.push_back({.name = {"public", "b"}, .seen = {}});
  auto text = p.text(p.tables_text());
  auto back = parse_position(text);
  REQUIRE(back);
  CHECK(back->text(back->tables_text()) == text);
  CHECK(back->at == p.at);
  CHECK(back->index == 12);
  CHECK(back->find({"public", "b"})->snapshot == table_state::begun);
  CHECK(back->find({"public", "b"})->version == -1);
  CHECK(back->tables[0].seen == p.tables[0].seen);
  CHECK(*lsn_of_position(text) == p.at);
  for (auto wrong :
       {"", "0/1", "0/1 x []", "0/1 2 [", "0/1 2 [{}]", "0/1 2 [1]", "0/1 2 {\"a\":1}"}) {
    CAPTURE(wrong);
    CHECK(!parse_position(wrong));
  }
}
