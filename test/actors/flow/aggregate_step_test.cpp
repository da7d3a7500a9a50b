#include "actors/flow/cells.hpp"
#include "test/actors/flow/sales.hpp"
#include "test/actors/flow/stateful_flow.hpp"
#include "test/support/temp_folder.hpp"

#include <iostream>

using namespace rtdp;
using namespace rtdp::test;

namespace {

using cell = std::optional<std::string>;

/// A batch of any columns: "op id" and the cells of the columns behind.
struct line {
  char op = 'i';
  int64_t ums_id = 0;
  std::vector<cell> cells;
};

ums::batch_ptr batch(const std::vector<ums::field>& fields, const std::vector<line>& lines,
                     const std::string& table = "sales") {
  auto schema = std::make_shared<ums::schema>(sales_schema());
  schema->name = {"sqlite", "shop", "main", table};
  schema->fields.resize(ums::system_columns);
  schema->fields.insert(schema->fields.end(), fields.begin(), fields.end());
  auto b = std::make_shared<ums::batch>(schema);
  for (const auto& l : lines) {
    b->columns[0].append_int(l.ums_id);
    b->columns[1].append_int(l.ums_id * 1'000'000);
    b->columns[2].append_text({&l.op, 1});
    for (size_t i = 0; i < fields.size(); ++i) {
      auto& c = b->columns[ums::system_columns + i];
      if (i < l.cells.size() && l.cells[i])
        REQUIRE(ums::append_parsed(c, *l.cells[i]));
      else
        c.append_null();
    }
  }
  return b;
}

const ums::field id_field{.name = "id", .type = ums::type::long_, .nullable = false, .key = true};
const ums::field kind_field{.name = "kind"};
const ums::field price_field{.name = "price", .type = ums::type::decimal};
const std::vector<ums::field> usual{id_field, kind_field, price_field};

/// A pipeline of these steps with its state in a folder of its own, on a bus of its own.
class rig {
public:
  explicit rig(std::vector<std::unique_ptr<flow::step>> steps, flow::pipeline_settings how = {}) {
    for (const auto& k : rtdp::bus::kinds())
      if (k.spec.name == "embedded")
        bus_ = k.make(k.spec.defaults(), disk_.path());
    work_ = std::make_unique<flow::pipeline>(
        std::move(how), std::move(steps),
        std::make_unique<flow::step_state>(
            flow::step_state_settings{.flow = "f", .data_dir = disk_.path()}, bus_));
    auto there = work_->restore_state(std::chrono::seconds(5));
    REQUIRE_MESSAGE(bool(there), there.error().text());
  }

  /// "i a|2|3.50, d b|0|null", in the order of the keys; dead letters behind a semicolon.
  std::string run(const ums::batch_ptr& b, const std::string& partition = "t/0") {
    runtime::delivery d;
    d.data = b;
    d.partition = partition;
    d.next_offset = ++offset_;
    auto orders = work_->process(d);
    REQUIRE_MESSAGE(bool(orders), orders.error().text());
    std::vector<std::string> lines;
    std::string letters;
    for (const auto& o : *orders) {
      for (size_t r = 0; o.data && r < o.data->rows(); ++r)
        lines.push_back(shown(*o.data, r));
      for (const auto& u : o.unfit)
        letters += "; " + u.reason;
    }
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const auto& l : lines)
      out += (out.empty() ? "" : ", ") + l;
    return out + letters;
  }

private:
  static std::string shown(const ums::batch& b, size_t r) {
    std::string out(1, b.op(r));
    for (size_t c = ums::system_columns; c < b.columns.size(); ++c) {
      out += c == ums::system_columns ? " " : "|";
      if (b.columns[c].is_null(r))
        out += "null";
      else
        ums::append_cell(b.columns[c], r, out);
    }
    return out;
  }

  temp_folder disk_;
  std::shared_ptr<rtdp::bus::bus> bus_;
  std::unique_ptr<flow::pipeline> work_;
  int64_t offset_ = 0;
};

std::vector<std::unique_ptr<flow::step>> steps(const std::vector<std::string>& texts) {
  std::vector<std::unique_ptr<flow::step>> out;
  for (const auto& t : texts)
    out.push_back(t.starts_with("sql: ") ? step_of("sql", "{" + t + "}") : step_of("aggregate", t));
  return out;
}

std::string refused(const std::string& yaml, const std::vector<ums::field>& fields) {
  auto step = step_of("aggregate", yaml);
  auto out = step->prepare(*batch(fields, {})->schema);
  return out ? "" : out.error().text();
}

} // namespace

TEST_CASE("a row per group: it comes, changes and goes with its rows") {
  rig r(steps({"{by: [kind], count: n, sum: [{of: price, as: sum}]}"}));
  CHECK(r.run(batch(usual, {{'i', 1, {"1", "a", "1.5"}}, {'i', 2, {"2", "a", "2"}}})) ==
        "i a|2|3.5");
  CHECK(r.run(batch(usual, {{'u', 3, {"1", "b", "1.5"}}})) == "i b|1|1.5, u a|1|2");
  CHECK(r.run(batch(usual, {{'d', 4, {"2"}}})) == "d a|0|null");
  CHECK(r.run(batch(usual, {{'i', 5, {"2", "a", {}}}})) == "i a|1|null");
}

TEST_CASE("sums are exact, however many digits and whatever comes between") {
  rig r(steps({"{by: [kind], sum: [{of: price, as: sum}]}"}));
  CHECK(r.run(batch(usual, {{'i', 1, {"1", "a", "0.1"}},
                            {'i', 2, {"2", "a", "12345678901234567890123456789.01"}},
                            {'i', 3, {"3", "a", "-0.000001"}}})) ==
        "i a|12345678901234567890123456789.109999");
  CHECK(r.run(batch(usual, {{'d', 4, {"2"}}})) == "u a|0.099999");
}

TEST_CASE("a sum of too many digits is a dead letter, and the others stay right") {
  rig r(steps({"{by: [kind], count: n, sum: [{of: price, as: sum}]}"}));
  const std::string large(38, '9');
  CHECK(r.run(batch(usual, {{'i', 1, {"1", "a", large}}})) == "i a|1|" + large);
  CHECK(r.run(batch(usual, {{'i', 2, {"2", "a", "1"}}, {'i', 3, {"3", "a", "-9"}}})) ==
        "u a|2|" + std::string(37, '9') +
            "0; step 1: a sum of its group would have more digits than its type holds");
  auto longs = usual;
  longs[2].type = ums::type::long_;
  rig l(steps({"{by: [kind], sum: [{of: price, as: sum}]}"}));
  CHECK(l.run(batch(longs, {{'i', 1, {"1", "a", "9223372036854775807"}},
                            {'i', 2, {"2", "a", "1"}}})) ==
        "i a|9223372036854775807; step 1: a sum of its group would have more digits than its type "
        "holds");
}

TEST_CASE("smallest and largest are looked up again when they go") {
  rig r(steps({"{by: [kind], min: [{of: price, as: lo}], max: [{of: price, as: hi}]}"}));
  CHECK(r.run(batch(usual, {{'i', 1, {"1", "a", "10"}},
                            {'i', 2, {"2", "a", "9"}},
                            {'i', 3, {"3", "a", "-2.50"}},
                            {'i', 4, {"4", "a", {}}}})) == "i a|-2.5|10");
  CHECK(r.run(batch(usual, {{'d', 5, {"3"}}, {'u', 6, {"1", "a", "9.0"}}})) == "u a|9|9");
  CHECK(r.run(batch(usual, {{'d', 7, {"1"}}})) == "u a|9|9");
  CHECK(r.run(batch(usual, {{'d', 8, {"2"}}})) == "u a|null|null");
}

TEST_CASE("a change that comes late changes nothing, and does not bring a deleted row back") {
  rig r(steps({"{by: [kind], count: n}"}));
  r.run(batch(usual, {{'i', 10, {"1", "a"}}, {'d', 11, {"1"}}, {'i', 12, {"2", "a"}}}));
  // A dead letter that is replayed comes from no partition: nothing but the step says that it is old.
  CHECK(r.run(batch(usual, {{'u', 9, {"1", "a"}}}), "") == "");
  CHECK(r.run(batch(usual, {{'u', 11, {"2", "b"}}}), "") == "");
  // One that was never applied counts.
  CHECK(r.run(batch(usual, {{'i', 8, {"3", "a"}}}), "") == "u a|2");
  CHECK(r.run(batch(usual, {{'u', 13, {"2", "b"}}})) == "i b|1, u a|1");
}

TEST_CASE("a column that the log did not carry is as it was") {
  rig r(steps({"{by: [kind], sum: [price], max: [price]}"}));
  r.run(batch(usual, {{'i', 1, {"1", "a", "5"}}}));
  CHECK(r.run(batch({id_field, kind_field}, {{'u', 2, {"1", "b"}}})) ==
        "d a|null|null, i b|5|5");
  CHECK(r.run(batch({id_field, price_field}, {{'u', 3, {"1", "7"}}})) == "u b|7|7");
  CHECK(r.run(batch({id_field, kind_field}, {{'u', 4, {"9", "b"}}})).find("was not seen before") !=
        std::string::npos);
}

TEST_CASE("steps before it decide what is counted, steps behind it what the target holds") {
  rig r(steps({"sql: \"select id, kind, price from batch where kind <> 'x'\"",
               "{by: [kind], count: n}", "sql: \"select kind, n * 10 as n from batch where n > 1\""}));
  CHECK(r.run(batch(usual, {{'i', 1, {"1", "a"}}, {'i', 2, {"2", "a"}}, {'i', 3, {"3", "x"}}})) ==
        "i a|20");
  CHECK(r.run(batch(usual, {{'u', 4, {"2", "x"}}})) == "d a");
  CHECK(r.run(batch(usual, {{'u', 5, {"2", "a"}}})) == "u a|20");
  CHECK(r.run(batch(usual, {{'d', 6, {"1"}}})) == "d a");
}

TEST_CASE("two tables may add to one group, and a truncate takes the rows of its own") {
  rig r(steps({"{by: [kind], count: n}"}));
  r.run(batch(usual, {{'i', 1, {"1", "a"}}, {'i', 2, {"2", "b"}}}));
  CHECK(r.run(batch(usual, {{'i', 3, {"1", "a"}}}, "returns")) == "u a|2");
  auto sign = std::make_shared<ums::batch>(
      std::make_shared<const ums::schema>(ums::schema{sales_name(), 0, {
          {.name = "ums_id_", .type = ums::type::long_},
          {.name = "ums_ts_", .type = ums::type::datetime},
          {.name = "ums_op_"}}}),
      ums::protocol::increment_truncate);
  sign->columns[0].append_int(9);
  sign->columns[1].append_int(9);
  sign->columns[2].append_text("i");
  CHECK(r.run(sign) == "d b|0, u a|1");
}

TEST_CASE("a sweep takes out what its snapshot did not meet") {
  rig r(steps({"{by: [kind], count: n}"}));
  r.run(batch(usual, {{'i', 1, {"1", "a"}}, {'i', 2, {"2", "a"}}, {'i', 6, {"3", "b"}}}));
  auto sweep = std::make_shared<ums::batch>(
      std::make_shared<const ums::schema>(ums::schema{sales_name(), 0, {
          {.name = "ums_id_", .type = ums::type::long_},
          {.name = "ums_ts_", .type = ums::type::datetime},
          {.name = "before", .type = ums::type::long_}}}),
      ums::protocol::increment_sweep);
  for (int64_t n : {9, 9, 5})
    sweep->columns[n == 5 ? 2 : sweep->columns[0].size()].append_int(n);
  CHECK(r.run(sweep) == "d a|0");
}

TEST_CASE("rows without a key can only be added") {
  auto id = id_field;
  id.key = false;
  rig r(steps({"{by: [kind], count: n, sum: [id]}"}));
  std::vector<ums::field> keyless{id, kind_field};
  CHECK(r.run(batch(keyless, {{'i', 1, {"5", "a"}}, {'i', 2, {"5", "a"}}})) == "i a|2|10");
  CHECK(r.run(batch(keyless, {{'d', 3, {"5", "a"}}})).find("no primary key") != std::string::npos);
}

TEST_CASE("a group whose key is null is a dead letter") {
  rig r(steps({"{by: [kind], count: n}"}));
  CHECK(r.run(batch(usual, {{'i', 1, {"1", {}}}})).find("kind is null") != std::string::npos);
}

TEST_CASE("what cannot be computed is told before the first row") {
  auto real = usual;
  real[2].type = ums::type::double_;
  CHECK(refused("{by: [kind], sum: [price]}", real).find("cast it to a decimal") !=
        std::string::npos);
  CHECK(refused("{by: [kind], sum: [kind]}", usual).find("only int, long and decimal") !=
        std::string::npos);
  CHECK(refused("{by: [colour], count: n}", usual) ==
        "no column is named colour; there are: id, kind, price");
  CHECK(refused("{by: [kind], min: [price], max: [kind]}", real) == "");
}

TEST_CASE("keys compare as their values do") {
  auto key = [](ums::type t, const std::string& text) {
    ums::column c(t);
    REQUIRE(ums::append_parsed(c, text));
    std::string out;
    REQUIRE(flow::append_key(c, 0, out));
    return out;
  };
  using ums::type;
  std::vector<std::pair<type, std::vector<std::string>>> rising{
      {type::long_, {"-9223372036854775808", "-1", "0", "1", "9223372036854775807"}},
      {type::double_, {"-Infinity", "-1.5", "0", "1e-300", "2", "Infinity"}},
      {type::decimal, {"-100.5", "-100", "-99.99", "-0.001", "0", "0.0009", "0.001", "0.01", "1",
                       "9.9", "10", "1e"}},
      {type::string, {"", "a", "a b", "ab", "b"}}};
  rising[2].second.pop_back();
  for (const auto& [t, texts] : rising)
    for (size_t i = 1; i < texts.size(); ++i) {
      INFO(texts[i - 1], " ", texts[i]);
      CHECK(key(t, texts[i - 1]) < key(t, texts[i]));
    }
  CHECK(key(type::decimal, "1.50") == key(type::decimal, "+01.5"));
  CHECK(key(type::decimal, "-0.0") == key(type::decimal, "0"));
  // Whatever the bytes, two cells in a row are told apart and come back as they were.
  std::string odd("a\0b\0\1", 5), both;
  ums::column c(type::string), back(type::string);
  c.append_text(odd);
  flow::append_key(c, 0, both);
  flow::append_key(c, 0, both);
  std::string_view rest = both;
  flow::take_key(rest, 0, back);
  flow::take_key(rest, 0, back);
  CHECK(rest.empty());
  CHECK(back.text(0) == odd);
  CHECK(back.text(1) == odd);
  ums::column number(type::decimal);
  for (const char* text : {"-12.5", "0", "0.001", "1200"}) {
    auto bytes = key(type::decimal, text);
    std::string_view from = bytes;
    flow::take_key(from, 1, number);
  }
  CHECK(number.text(0) == "-12.5");
  CHECK(number.text(1) == "0.0");
  CHECK(number.text(2) == "0.001");
  CHECK(number.text(3) == "1200.0");
}
