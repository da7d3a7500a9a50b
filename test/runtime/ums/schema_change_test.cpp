#include "runtime/ums/schema_change.hpp"

#include <doctest/doctest.h>

namespace rtdp::ums {

namespace {

field a_col(const char* name, type t = type::string, const char* native = "", bool key = false,
             bool nullable = true) {
  return {.name = name, .type = t, .nullable = nullable, .key = key, .native = native};
}

std::string natives(const char* from, const char* to, type t = type::string) {
  switch (change_of(a_col("c", t, from), a_col("c", t, to))) {
  case type_change::same:
    return "same";
  case type_change::widened:
    return "widened";
  case type_change::narrowed:
    return "narrowed";
  case type_change::retyped:
    return "retyped";
  }
  return "";
}

using fields = std::vector<field>;

} // namespace

TEST_CASE("types of databases are wider, narrower or others by their sizes") {
  struct {
    const char *from, *to, *is;
  } cases[] = {
      {"varchar(10)", "varchar(20)", "widened"},
      {"varchar(20)", "varchar(10)", "narrowed"},
      {"character varying(20)", "text", "widened"},
      {"text", "character varying(20)", "narrowed"},
      {"varchar(20)", "character varying(20)", "same"},
      {"char(3)", "varchar(3)", "same"},
      {"tinytext", "longtext", "widened"},
      {"numeric(12,2)", "numeric(14,2)", "widened"},
      {"numeric(12,2)", "numeric(14,4)", "widened"},
      {"numeric(12,2)", "numeric(12,4)", "narrowed"},
      {"numeric(12,2)", "numeric", "widened"},
      {"decimal(10)", "decimal(10,0)", "same"},
      {"numeric", "numeric(38,9)", "narrowed"},
      {"smallint", "integer", "widened"},
      {"int(11)", "bigint(20)", "widened"},
      {"int(11)", "int", "same"},
      {"bigint", "int", "narrowed"},
      {"int unsigned", "bigint", "widened"},
      {"int", "int unsigned", "narrowed"},
      {"bigint", "bigint unsigned", "narrowed"},
      {"tinyint unsigned", "smallint", "widened"},
      {"integer", "numeric(10,0)", "widened"},
      {"integer", "numeric(9,0)", "retyped"},
      {"bigint unsigned", "numeric(20)", "widened"},
      {"real", "double precision", "widened"},
      {"integer", "double precision", "widened"},
      {"bigint", "double precision", "retyped"},
      {"integer", "text", "retyped"},
      {"date", "timestamp without time zone", "widened"},
      {"timestamp(0) without time zone", "timestamp without time zone", "widened"},
      {"timestamp without time zone", "timestamp with time zone", "retyped"},
      {"enum('a','b')", "enum('a','b','c')", "widened"},
      {"enum('a','b')", "enum('b','a')", "narrowed"},
      {"enum('a','b')", "set('a','b')", "retyped"},
      {"enum('a','b')", "text", "widened"},
      {"varbinary(10)", "varbinary(20)", "widened"},
      {"json", "jsonb", "retyped"},
      {"INT", "INTEGER", "same"},
  };
  for (const auto& c : cases)
    CHECK_MESSAGE(natives(c.from, c.to) == c.is, c.from << " to " << c.to);
}

TEST_CASE("without names of the source the UMS types decide") {
  auto change = [](type from, type to) { return change_of(a_col("c", from), a_col("c", to)); };
  for (auto [from, to] : {std::pair{type::int_, type::long_},
                          {type::int_, type::decimal},
                          {type::long_, type::decimal},
                          {type::int_, type::double_},
                          {type::float_, type::double_},
                          {type::date, type::datetime}}) {
    CHECK(change(from, to) == type_change::widened);
    CHECK(change(to, from) == type_change::narrowed);
  }
  CHECK(change(type::long_, type::double_) == type_change::retyped);
  CHECK(change(type::int_, type::string) == type_change::retyped);
  CHECK(change(type::string, type::binary) == type_change::retyped);
  CHECK(change(type::string, type::string) == type_change::same);
}

TEST_CASE("columns that came, grew or may be null are compatible") {
  auto changes = changes_between(fields{a_col("id", type::int_, "integer", true, false),
                                        a_col("note", type::string, "varchar(10)", false, false)},
                                 fields{a_col("id", type::long_, "bigint", true, false),
                                        a_col("note", type::string, "varchar(20)"),
                                        a_col("more", type::date, "date")});
  CHECK(text_of(changes) == "id: integer became bigint; note: varchar(10) became varchar(20); "
                            "note: may be null now; added more date");
  CHECK(compatible(changes));
}

TEST_CASE("columns that went, shrank or became others are not, nor is another key") {
  auto before = fields{a_col("id", type::long_, "bigint", true), a_col("a", type::string, "text"),
                       a_col("b", type::string, "text")};
  auto text = [&](fields after) {
    auto changes = changes_between(before, after);
    CHECK_FALSE(compatible(changes));
    return text_of(changes);
  };
  CHECK(text({before[0], before[1]}) == "dropped b");
  CHECK(text({before[0], a_col("x", type::string, "text"), before[2]}) == "a was renamed x");
  CHECK(text({before[0], before[2], a_col("x", type::string, "text")}) ==
        "dropped a; added x text");
  CHECK(text({before[0], a_col("a", type::string, "varchar(5)"), before[2]}) ==
        "a: text became varchar(5)");
  CHECK(text({before[0], a_col("a", type::long_, "bigint"), before[2]}) ==
        "a: text became bigint");
  CHECK(text({before[0], a_col("a", type::string, "text", true), before[2]}) ==
        "key: (id) became (id, a)");
}

TEST_CASE("the order of columns and the system's own are no change") {
  auto a = a_col("a", type::string, "text"), b = a_col("b", type::long_, "bigint");
  CHECK(changes_between(fields{a, b}, fields{b, a}).empty());
  CHECK(changes_between(fields{a}, fields{a_col("ums_id_", type::long_), a}).empty());
}

} // namespace rtdp::ums
