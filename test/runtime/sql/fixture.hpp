/// Batches for the tests of this folder: built from rows of text, printed as rows of text.
#pragma once

#include "runtime/sql/batch_query.hpp"
#include "runtime/ums/batch.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::sql::test {

using cell = std::optional<std::string>;
using rows = std::vector<std::vector<cell>>;

inline ums::ns name_of(const std::string& table) { return {"postgres", "shop", "public", table}; }

/// A schema of the three system columns and `fields`.
inline ums::schema_ptr schema_of(std::vector<ums::field> fields,
                                 const std::string& table = "orders") {
  ums::schema made{name_of(table), 0, {}};
  made.fields = {{.name = "ums_id_", .type = ums::type::long_, .nullable = false},
                 {.name = "ums_ts_", .type = ums::type::datetime, .nullable = false},
                 {.name = "ums_op_", .type = ums::type::string, .nullable = false}};
  made.fields.insert(made.fields.end(), fields.begin(), fields.end());
  return std::make_shared<const ums::schema>(std::move(made));
}

inline void append(ums::column& to, const cell& value) {
  if (!value)
    return to.append_null();
  switch (storage_of(to.type())) {
  case ums::storage::ints:
    return to.append_int(std::stoll(*value));
  case ums::storage::reals:
    return to.append_real(std::strtod(value->c_str(), nullptr));
  case ums::storage::texts:
    return to.append_text(*value);
  }
}

inline void append_system(ums::batch& to, int64_t id) {
  to.columns[0].append_int(id);
  to.columns[1].append_int(1'000'000 + id);
  to.columns[2].append_text("i");
}

/// Rows with ids 1, 2, …; `data` holds the cells behind the system columns, integers as such.
inline std::shared_ptr<ums::batch> batch_of(ums::schema_ptr schema, const rows& data) {
  auto made = std::make_shared<ums::batch>(std::move(schema));
  int64_t id = 0;
  for (const auto& row : data) {
    append_system(*made, ++id);
    for (size_t i = 0; i < row.size(); ++i)
      append(made->columns[ums::system_columns + i], row[i]);
  }
  return made;
}

inline std::string text_of(const ums::column& c, size_t row) {
  if (c.is_null(row))
    return "null";
  switch (storage_of(c.type())) {
  case ums::storage::ints:
    return std::to_string(c.ints()[row]);
  case ums::storage::reals: {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", c.reals()[row]);
    return text;
  }
  case ums::storage::texts:
    break;
  }
  return std::string(c.text(row));
}

/// "1,a;2,b" of the columns behind the system columns.
inline std::string cells_of(const ums::batch& b) {
  std::string text;
  for (size_t row = 0; row < b.rows(); ++row) {
    for (size_t i = ums::system_columns; i < b.columns.size(); ++i)
      text += (i > ums::system_columns ? "," : "") + text_of(b.columns[i], row);
    if (row + 1 < b.rows())
      text += ';';
  }
  return text;
}

/// "a string, b long" of the columns behind the system columns.
inline std::string fields_of(const ums::schema& s) {
  std::string text;
  for (size_t i = ums::system_columns; i < s.fields.size(); ++i)
    text += (text.empty() ? "" : ", ") + s.fields[i].name + " " +
            std::string(to_string(s.fields[i].type));
  return text;
}

inline std::unique_ptr<batch_query> opened(const std::string& text, const limits& most = {}) {
  auto made = batch_query::open(text, most);
  REQUIRE_MESSAGE(bool(made), (made ? "" : made.error().text()));
  return std::move(*made);
}

/// The reason why `text` is refused without or with the schema.
inline std::string refusal(const std::string& text, const ums::schema& input) {
  auto made = batch_query::open(text, {});
  if (!made)
    return made.error().text();
  auto prepared = (*made)->prepare(input);
  return prepared ? "accepted" : prepared.error().text();
}

inline ums::batch_ptr ran(batch_query& query, const ums::batch_ptr& input) {
  bad_row_map bad;
  auto out = query.run(input, bad);
  REQUIRE_MESSAGE(bool(out), (out ? "" : out.error().text()));
  CHECK(bad.empty());
  return *out;
}

inline ums::batch_ptr ran(const std::string& text, const ums::batch_ptr& input) {
  return ran(*opened(text), input);
}

} // namespace rtdp::sql::test
