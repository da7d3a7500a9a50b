#include "actors/extract/mask_check.hpp"
#include "actors/extract/mask_stage.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

namespace rtdp::extract {

namespace {

constexpr const char* canary = "canary";

const ums::ns people{"sqlite", "shop", "main", "people"};
const std::vector<ums::field> columns = {{.name = "id", .type = ums::type::long_, .key = true},
                                         {.name = "email", .type = ums::type::string},
                                         {.name = "note", .type = ums::type::string}};

kind sqlite_kind() {
  for (auto& k : kinds())
    if (k.spec.name == "sqlite")
      return k;
  FAIL("no sqlite");
  return kinds().front();
}

/// The settings of a SQLite source with this `tables:`.
config::section settings(const std::string& tables) {
  config::section out;
  auto text = "{path: ./nowhere.db, tables: " + tables + "}";
  for (const auto& p : sqlite_kind().spec.parse(YAML::Load(text), "sources.shop", out))
    FAIL(p.path << " " << p.text);
  // Salts come from the environment only.
  for (auto& t : std::get<config::sections>(out.values["tables"]))
    for (auto& m : std::get<config::sections>(t.values["mask"]))
      m.values["salt"] = config::secret("salt and pepper");
  return out;
}

std::unique_ptr<stage> masks(const std::string& tables,
                             const std::vector<ums::schema>& known = {}) {
  auto options = read_table_options(sqlite_kind(), "shop", settings(tables));
  REQUIRE(options);
  auto made = mask_stage::make(*options, known);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().text()));
  return std::move(*made);
}

std::string refusal(const std::string& tables, const std::vector<ums::schema>& known) {
  auto options = read_table_options(sqlite_kind(), "shop", settings(tables));
  REQUIRE(options);
  auto made = mask_stage::make(*options, known);
  return made ? "" : made.error().text();
}

const char* partial_email =
    "[{name: people, mask: [{column: email, with: partial, first: 1}]}, other]";

struct rows {
  collector out{1};

  void add(char op, int64_t id, std::string_view email, const ums::ns& table = people) {
    auto& b = out.row(out.table(table, columns), op, 5);
    b.columns[3].append_int(id);
    b.columns[4].append_text(email);
    b.columns[5].append_text("note");
  }
};

/// Everything that would leave.
std::string text_of(const std::vector<ums::batch>& batches, const std::vector<bad_row>& bad) {
  std::string out;
  for (const auto& b : batches)
    CHECK_FALSE(ums::write(b, out));
  for (const auto& b : bad)
    out += b.reason + b.bytes;
  return out;
}

} // namespace

TEST_CASE("every row of a table is masked, whatever it is: insert, update, before, delete, chunk") {
  auto s = masks(partial_email);
  rows r;
  r.add('i', 1, canary);
  r.add('b', 1, canary);
  r.add('u', 1, canary);
  r.add('d', 1, canary);
  ums::batch chunk{std::make_shared<ums::schema>(schema_of(people, columns))};
  chunk.columns[3].append_int(2);
  chunk.columns[4].append_text(canary);
  chunk.columns[5].append_null();
  r.out.chunk(r.out.table(people, columns), std::move(chunk), {}, 9);
  auto t = r.out.take();
  CHECK_FALSE(s->apply(t.batches, t.bad, ""));
  REQUIRE(t.batches.size() == 2);
  for (const auto& b : t.batches)
    for (size_t row = 0; row < b.rows(); ++row)
      CHECK(b.columns[4].text(row) == "c*****");
  CHECK(t.batches[0].rows() == 4);
  CHECK(t.batches[0].schema->fields[4].encoded);
  CHECK(t.bad.empty());
  CHECK(text_of(t.batches, t.bad).find(canary) == std::string::npos);
}

TEST_CASE("a table without masks beside a masked one passes untouched") {
  auto s = masks(partial_email);
  rows r;
  r.add('i', 1, canary, {"sqlite", "shop", "main", "other"});
  auto t = r.out.take();
  auto before = t.batches[0].schema;
  CHECK_FALSE(s->apply(t.batches, t.bad, ""));
  CHECK(t.batches[0].schema->fields == before->fields);
  CHECK(t.batches[0].columns[4].text(0) == canary);
}

TEST_CASE("a row that cannot be masked goes to the dead letters without the value") {
  auto s = masks(partial_email);
  rows r;
  r.add('i', 1, "fine");
  r.add('i', 2, std::string(canary) + "\xff");
  r.add('b', 3, "before");
  r.add('u', 3, std::string(canary) + "\xff");
  r.add('i', 4, "fine");
  auto t = r.out.take();
  CHECK_FALSE(s->apply(t.batches, t.bad, ""));
  REQUIRE(t.batches.size() == 1);
  // The before-image went with its update.
  REQUIRE(t.batches[0].rows() == 2);
  CHECK(t.batches[0].ids()[1] == 4);
  REQUIRE(t.bad.size() == 2);
  CHECK(t.bad[0].reason == "column email cannot be masked: the text is not UTF-8");
  CHECK(t.bad[0].bytes.find("\"2\",null,\"note\"") != std::string::npos);
  CHECK(text_of(t.batches, t.bad).find(canary) == std::string::npos);
}

TEST_CASE("bytes of rows that the driver could not decode are not kept beside a mask") {
  auto s = masks(partial_email);
  std::vector<ums::batch> none;
  std::vector<bad_row> bad = {{people, "column email: expected text (@key=canary)", canary},
                              {{"sqlite", "shop", "main", "other"}, "reason", "bytes"},
                              {{"sqlite", "shop", "main", "nobody"}, "reason", canary}};
  CHECK_FALSE(s->apply(none, bad, ""));
  CHECK(bad[0].bytes.find("not kept") == 0);
  CHECK(bad[0].reason == "column email: expected text");
  CHECK(bad[1].bytes == "bytes");
  CHECK(bad[2].bytes.find("not kept") == 0);
}

TEST_CASE("letters whose bytes are not kept can be told apart, and the same bytes stay the same") {
  auto s = masks(partial_email);
  std::vector<ums::batch> none;
  std::vector<bad_row> bad = {{people, "reason", "one"}, {people, "reason", "two"}};
  auto again = bad;
  CHECK_FALSE(s->apply(none, bad, ""));
  CHECK(bad[0].bytes != bad[1].bytes);
  CHECK_FALSE(masks(partial_email)->apply(none, again, ""));
  CHECK(again[0].bytes == bad[0].bytes);
}

TEST_CASE("rows of a table that no item stands for are kept back while others have masks") {
  auto s = masks(partial_email);
  rows r;
  r.add('i', 1, canary, {"sqlite", "shop", "main", "unmatched"});
  auto t = r.out.take();
  CHECK_FALSE(s->apply(t.batches, t.bad, ""));
  CHECK(t.batches[0].rows() == 0);
  REQUIRE(t.bad.size() == 1);
  CHECK(text_of({}, t.bad).find(canary) == std::string::npos);
}

TEST_CASE("a masked column that the table does not have stops the source") {
  auto s = masks("[{name: people, mask: [{column: mail, with: replace}]}]");
  rows r;
  r.add('i', 1, canary);
  auto t = r.out.take();
  auto failed = s->apply(t.batches, t.bad, "");
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("table main.people has no column mail to be masked") == 0);
  std::vector<ums::schema_ptr> begun = {std::make_shared<ums::schema>(schema_of(people, columns))};
  CHECK(s->begin(begun, "") == ec::rejected);
  CHECK(refusal("[{name: people, mask: [{column: mail, with: replace}]}]",
                {schema_of(people, columns)})
            .find("has no column mail") != std::string::npos);
  CHECK_FALSE(masks("[{name: people, mask: [{column: mail, with: replace, if_exists: true}]}]",
                    {schema_of(people, columns)})
                  ->apply(t.batches, t.bad, ""));
}

TEST_CASE("an update without a masked column passes as the log not carrying it, unless it may have "
          "been renamed") {
  auto s = masks(partial_email, {schema_of(people, columns)});
  collector out{1};
  auto update = [&](const std::vector<ums::field>& carried) {
    auto& b = out.row(out.table(people, carried), 'u', 5);
    b.columns[3].append_int(1);
    for (size_t i = 1; i < carried.size(); ++i)
      b.columns[3 + i].append_text(canary);
    auto t = out.take();
    return s->apply(t.batches, t.bad, "");
  };
  CHECK_FALSE(update({columns[0], columns[2]}));
  CHECK_FALSE(update({columns[0]}));
  CHECK(update({columns[0], columns[2], {.name = "mail", .type = ums::type::string}}) ==
        ec::unavailable);
}

TEST_CASE("versions leave as their rows are going to leave") {
  auto s = masks("[{name: people, mask: [{column: id, with: sha256}]}]");
  std::vector<ums::schema_ptr> begun = {std::make_shared<ums::schema>(schema_of(people, columns))};
  CHECK_FALSE(s->begin(begun, ""));
  CHECK(begun[0]->fields[3].type == ums::type::string);
  CHECK(begun[0]->fields[3].encoded);
}

TEST_CASE("a check names the line of a mask that does not fit") {
  auto given = settings("[{name: people, mask: [\n{column: email, with: replace},\n"
                        "{column: id, with: replace}]}]");
  std::vector<ums::schema> described = {schema_of(people, columns)};
  auto problems = check_masks(sqlite_kind(), "shop", given, described);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].path == "sources.shop.tables.0.mask");
  CHECK(problems[0].line == 3);
  CHECK(problems[0].text.find("part of the key") != std::string::npos);
  CHECK(check_masks(sqlite_kind(), "shop",
                    settings("[{name: people, mask: [{column: email, with: replace}]}]"), described)
            .empty());
  CHECK(described[0].fields[4].encoded);
}

TEST_CASE("a source without masks gets no stage") { CHECK(masks("[people]") == nullptr); }

} // namespace rtdp::extract
