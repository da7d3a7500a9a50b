#include "actors/sink/table_ddl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace rtdp::sink {

namespace {

std::vector<std::string> names_of(const std::vector<layout::column>& columns) {
  std::vector<std::string> names;
  for (const auto& c : columns)
    names.push_back(c.name);
  return names;
}

/// A column that the target must have: plain name, declared type.
struct wanted_column {
  std::string name, type;
  bool is_key = false;
};

class preparation {
public:
  preparation(catalog& store, const dialect& d, const ums::schema& s, const target& to)
      : store_(store), dialect_(d), schema_(s), to_(to),
        keys_(to.keys.empty() ? s.keys() : to.keys) {
    out_.mutation = to.mutation;
  }

  result<layout> run(bool created_before) {
    if (auto e = read_schema())
      return e;
    auto found = store_.columns(out_.table);
    if (!found)
      return found.error();
    auto e = found->empty() ? create(created_before) : compare(*found);
    if (!e && to_.mutation == mutation::iud_clean)
      e = prepare_side();
    if (!e && has_keys())
      e = check_keys();
    if (e)
      return e.in(fmt::format("table {}", out_.table.sql()));
    return std::move(out_);
  }

private:
  bool has_keys() const { return to_.mutation != mutation::insert; }
  bool has_system_columns() const { return to_.mutation != mutation::iud_clean; }
  bool is_key(const std::string& name) const {
    return has_keys() && std::find(keys_.begin(), keys_.end(), name) != keys_.end();
  }
  std::string type_of(const ums::field& f) const {
    return dialect_.type_of(f, schema_.name[ums::ns::datastore] == dialect_.datastore);
  }

  error read_schema() {
    auto name = table_name::parse(to_.table);
    if (!name)
      return name.error();
    out_.table = *name;
    auto longest = to_.mutation == mutation::iud_clean ? name->side().table : name->table;
    if (auto e = check_name(longest, dialect_.name_bytes_max))
      return e;
    if (auto e = find_system(ums::id_name, ums::storage::ints, out_.id))
      return e;
    if (auto e = find_system(ums::ts_name, ums::storage::ints, out_.ts))
      return e;
    if (auto e = find_system(ums::op_name, ums::storage::texts, out_.op))
      return e;
    if (auto e = read_fields())
      return e;
    return has_keys() ? sort_keys() : error{};
  }

  error find_system(std::string_view name, ums::storage storage, size_t& at) const {
    auto found = schema_.find(name);
    if (!found || storage_of(schema_.fields[*found].type) != storage)
      return rejected(fmt::format("the rows of {} have no column {} as rtdp writes it; a sql step "
                                  "must let the ums_ columns through",
                                  schema_.name.text(), name));
    at = *found;
    return {};
  }

  error read_fields() {
    std::set<std::string> seen;
    for (size_t i = 0; i < schema_.fields.size(); ++i) {
      const auto& f = schema_.fields[i];
      if (ums::is_system(f.name))
        continue;
      if (auto e = check_name(f.name, dialect_.name_bytes_max))
        return e;
      if (f.name == ums::active_name && has_system_columns())
        return rejected("the rows have a column ums_active_, which the sink writes itself; rename "
                        "or drop it in a sql step");
      if (!seen.insert(f.name).second)
        return rejected(
            fmt::format("the rows have two columns {}; rename one in a sql step", f.name));
      auto& into = is_key(f.name) ? out_.keys : out_.values;
      into.push_back({i, quote(f.name), type_of(f)});
    }
    return {};
  }

  /// In the order of `keys:`, which is that of the primary key.
  error sort_keys() {
    if (keys_.empty())
      return rejected(fmt::format("{} has no primary key; set keys: of the flow, or mutation: i to "
                                  "append every change",
                                  schema_.name.text()));
    std::vector<layout::column> sorted;
    for (const auto& key : keys_) {
      auto at = std::find_if(out_.keys.begin(), out_.keys.end(),
                             [&](const auto& c) { return c.name == quote(key); });
      if (at == out_.keys.end())
        return rejected(
            fmt::format("the rows of {} have no key column {}", schema_.name.text(), quote(key)));
      sorted.push_back(*at);
    }
    out_.keys = std::move(sorted);
    return {};
  }

  std::vector<wanted_column> system_columns() const {
    auto of = [&](std::string_view name, ums::type t) {
      ums::field f;
      f.name = name;
      f.type = t;
      return wanted_column{f.name, dialect_.type_of(f, false)};
    };
    if (!has_system_columns())
      return {};
    std::vector<wanted_column> all{of(ums::id_name, ums::type::long_),
                                   of(ums::ts_name, ums::type::datetime)};
    if (to_.mutation == mutation::insert)
      all.push_back(of(ums::op_name, ums::type::string));
    else
      all.push_back({std::string(ums::active_name), std::string(dialect_.active_type)});
    return all;
  }

  std::vector<wanted_column> business_columns() const {
    std::vector<wanted_column> all;
    for (const auto& f : schema_.fields)
      if (!ums::is_system(f.name))
        all.push_back({f.name, type_of(f), is_key(f.name)});
    return all;
  }

  std::string create_statement(const table_name& table,
                               const std::vector<wanted_column>& columns) const {
    std::vector<std::string> parts;
    for (const auto& c : columns)
      parts.push_back(fmt::format("{} {}{}", quote(c.name), c.type, c.is_key ? " NOT NULL" : ""));
    if (has_keys())
      parts.push_back(fmt::format("PRIMARY KEY ({})", list(names_of(out_.keys))));
    return fmt::format("CREATE TABLE {} ({})", table.sql(), fmt::join(parts, ", "));
  }

  error create(bool created_before) {
    auto columns = business_columns();
    for (auto& c : system_columns())
      columns.push_back(std::move(c));
    auto sql = create_statement(out_.table, columns);
    if (created_before)
      return rejected("is gone, dropped while rtdp was writing to it; rewind the flow, which makes "
                      "it again, or bring it back");
    if (!to_.create)
      return rejected(fmt::format("does not exist; set create: true, or run: {};", sql));
    return store_.run(sql);
  }

  std::string alter_statement(const wanted_column& c) const {
    // Rows that were there before rtdp count as active.
    return fmt::format("ALTER TABLE {} ADD COLUMN {} {}{}", out_.table.sql(), quote(c.name), c.type,
                       c.name == ums::active_name ? " DEFAULT 1" : "");
  }

  error compare(const std::vector<existing_column>& found) {
    auto missing = [&](const wanted_column& c) {
      return std::none_of(found.begin(), found.end(),
                          [&](const auto& f) { return f.name == c.name; });
    };
    std::string not_added;
    for (const auto& c : system_columns())
      if (missing(c)) {
        if (!to_.create)
          not_added += alter_statement(c) + "; ";
        else if (auto e = store_.run(alter_statement(c)))
          return e;
      }
    if (!not_added.empty())
      return rejected(fmt::format("lacks columns that rtdp needs; set create: true, or mutation: "
                                  "iud_clean to keep them out of it, or run: {}",
                                  not_added));
    for (const auto& c : business_columns())
      if (missing(c))
        if (auto e = evolve_by(c))
          return e;
    for (const auto& f : found)
      if (auto e = adopt(f))
        return e;
    return {};
  }

  error evolve_by(const wanted_column& c) {
    if (c.is_key)
      return rejected(fmt::format("has no key column {}", quote(c.name)));
    switch (to_.evolve) {
    case evolve::add:
      return store_.run(alter_statement(c));
    case evolve::ignore:
      std::erase_if(out_.values, [&](const auto& v) { return v.name == quote(c.name); });
      return {};
    case evolve::fail:
      break;
    }
    return rejected(fmt::format("has no column {}, and evolve: fail forbids to add it; run: {};",
                                quote(c.name), alter_statement(c)));
  }

  /// Takes over what the table says about a column that it has.
  error adopt(const existing_column& f) {
    auto quoted = quote(f.name);
    bool carried = false;
    for (auto* columns : {&out_.keys, &out_.values})
      for (auto& c : *columns)
        if (c.name == quoted) {
          c.type = f.type;
          carried = true;
        }
    if (is_key(f.name) || !f.not_null || f.has_default)
      return {};
    if (to_.mutation == mutation::iud && f.name != ums::id_name && f.name != ums::ts_name &&
        f.name != ums::active_name)
      return rejected(fmt::format(
          "column {} is NOT NULL without default, so that the mark of a deleted key cannot be "
          "stored; "
          "set mutation: iud_clean, or make it nullable{}",
          quoted,
          dialect_.drops_not_null ? fmt::format(": ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL;",
                                                out_.table.sql(), quoted)
                                  : ""));
    if (!carried && to_.mutation == mutation::iud_clean)
      out_.update_first = true;
    return {};
  }

  error prepare_side() {
    auto side = out_.table.side();
    auto found = store_.columns(side);
    if (!found)
      return found.error();
    if (!found->empty())
      return {};
    std::vector<wanted_column> columns;
    for (const auto& key : keys_)
      for (const auto& c : out_.keys)
        if (c.name == quote(key))
          columns.push_back({key, c.type, true});
    ums::field id;
    id.type = ums::type::long_;
    columns.push_back({std::string(ums::id_name), dialect_.type_of(id, false)});
    columns.push_back({std::string(ums::active_name), std::string(dialect_.active_type)});
    auto sql = create_statement(side, columns);
    if (!to_.create)
      return rejected(fmt::format("lacks its side table {}, which holds ids and deleted keys; set "
                                  "create: true, or run: {};",
                                  side.sql(), sql));
    return store_.run(sql);
  }

  error check_keys() {
    auto columns = list(out_.key_names());
    auto check = [&](const table_name& table) -> error {
      auto found = store_.has_unique(table, columns);
      if (!found)
        return found.error();
      if (*found)
        return {};
      return rejected(fmt::format("needs a primary key or unique constraint over exactly ({0}); "
                                  "run: CREATE UNIQUE INDEX {1} ON {2} ({0});",
                                  columns, quote(table.table + "_key"), table.sql()));
    };
    if (auto e = check(out_.table))
      return e;
    return to_.mutation == mutation::iud_clean ? check(out_.table.side()) : error{};
  }

  catalog& store_;
  const dialect& dialect_;
  const ums::schema& schema_;
  const target& to_;
  std::vector<std::string> keys_;
  layout out_;
};

} // namespace

std::vector<std::string> layout::key_names() const { return names_of(keys); }
std::vector<std::string> layout::value_names() const { return names_of(values); }

result<layout> prepare_table(catalog& store, const dialect& d, const ums::schema& schema,
                             const target& to, bool created_before) {
  return preparation(store, d, schema, to).run(created_before);
}

} // namespace rtdp::sink
