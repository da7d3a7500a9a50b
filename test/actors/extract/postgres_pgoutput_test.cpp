#include "actors/extract/postgres_pgoutput.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace rtdp::extract::pg;

namespace {

template<class T>
std::string be(T n) {
  std::string out;
  for (int shift = int(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out += char(uint64_t(n) >> shift);
  return out;
}

std::string value(std::string_view text) {
  return "t" + be(uint32_t(text.size())) + std::string(text);
}

std::string insert_of_two() { return "I" + be(7u) + "N" + be(uint16_t{2}) + value("42") + "n"; }

std::string update_with_old_key() {
  return "U" + be(7u) + "K" + be(uint16_t{2}) + value("1") + "n" + "N" + be(uint16_t{2}) +
         value("2") + "u";
}

std::string relation_of_two() {
  return "R" + be(7u) + "public" + '\0' + "orders" + '\0' + "d" + be(uint16_t{2}) + '\1' + "id" +
         '\0' + be(23u) + be(-1) + '\0' + "note" + '\0' + be(25u) + be(-1);
}

std::string truncate_of_two() { return "T" + be(2u) + '\1' + be(7u) + be(8u); }

} // namespace

TEST_CASE("a begin tells commit position, time and transaction") {
  message m;
  REQUIRE(!decode("B" + be(uint64_t{0x16'B374'D848}) + be(int64_t{1'000'000}) + be(77u), m));
  CHECK(lsn_text(m.at) == "16/B374D848");
  CHECK(m.commit_us == epoch_shift_us + 1'000'000);
  CHECK(m.xid == 77);
}

TEST_CASE("a commit tells where it ends") {
  message m;
  REQUIRE(
      !decode("C" + std::string(1, '\0') + be(uint64_t{5}) + be(uint64_t{9}) + be(int64_t{0}), m));
  CHECK(m.at == 9);
}

TEST_CASE("a relation names its columns and says which identify a row") {
  message m;
  REQUIRE(!decode(relation_of_two(), m));
  CHECK(m.relation.id == 7);
  CHECK(m.relation.schema == "public");
  CHECK(m.relation.table == "orders");
  CHECK(m.relation.identity == 'd');
  REQUIRE(m.relation.columns.size() == 2);
  CHECK(m.relation.columns[0].key);
  CHECK(m.relation.columns[0].type == 23);
  CHECK(!m.relation.columns[1].key);
  CHECK(m.relation.columns[1].name == "note");
  CHECK(m.relation.columns[1].modifier == -1);
}

TEST_CASE("values, nulls and untouched values are three things") {
  message m;
  auto insert = insert_of_two(), update = update_with_old_key();
  REQUIRE(!decode(insert, m));
  CHECK(m.relation_id == 7);
  REQUIRE(m.new_row.size() == 2);
  CHECK(m.new_row[0].what == cell::text);
  CHECK(m.new_row[0].value == "42");
  CHECK(m.new_row[1].what == cell::null);
  REQUIRE(!decode(update, m));
  CHECK(m.old_kind == 'K');
  CHECK(m.old_row[0].value == "1");
  CHECK(m.new_row[1].what == cell::unchanged);
  REQUIRE(!decode("D" + be(7u) + "O" + be(uint16_t{1}) + value("x"), m));
  CHECK(m.old_kind == 'O');
  CHECK(m.new_row.empty());
}

TEST_CASE("a truncate lists its relations") {
  message m;
  REQUIRE(!decode(truncate_of_two(), m));
  CHECK(m.truncated == std::vector<uint32_t>{7, 8});
}

TEST_CASE("every cut and every surplus byte is refused") {
  message m;
  for (const auto& whole :
       {insert_of_two(), update_with_old_key(), relation_of_two(), truncate_of_two()}) {
    for (size_t n = 0; n < whole.size(); ++n) {
      // A copy of its own, so that a sanitizer sees a read behind its end.
      std::string cut = whole.substr(0, n);
      cut.shrink_to_fit();
      CAPTURE(whole[0]);
      CAPTURE(n);
      CHECK(decode(cut, m));
    }
    CHECK(decode(whole + "x", m));
  }
  CHECK(decode("?", m));
  CHECK(decode("", m));
}

TEST_CASE("random bytes never make the decoder read past the message") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  message m;
  const std::string kinds = "BCRIUDTOYMKN";
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 60, '\0');
    for (auto& c : bytes)
      c = random() % 3 == 0 ? char(random()) : char(random() % 4);
    if (!bytes.empty())
      bytes[0] = kinds[random() % kinds.size()];
    bytes.shrink_to_fit();
    (void)bool(decode(bytes, m));
  }
}

TEST_CASE("a log position reads back as written") {
  for (auto text : {"0/0", "0/15431E8", "16/B374D848", "FFFFFFFF/FFFFFFFF"})
    CHECK(lsn_text(*parse_lsn(text)) == text);
  for (auto text : {"", "/", "0", "0/", "/1", "0/1/2", "0/G", "100000000/0"})
    CHECK(!parse_lsn(text));
}
