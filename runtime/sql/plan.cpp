#include "runtime/sql/plan.hpp"

#include "runtime/sql/types.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::sql {

namespace {

constexpr std::string_view system_names[] = {ums::id_name, ums::ts_name, ums::op_name};
constexpr const char* batch_name = "batch";

std::string view_of(int64_t number) { return fmt::format("rtdp_{}", number); }

std::string name_of(const prepared& statement, size_t index) {
  const char* name = duckdb_prepared_statement_column_name(statement.get(), index);
  std::string text = name == nullptr ? "" : name;
  duckdb_free(const_cast<char*>(name));
  return text;
}

logical_type type_of(const prepared& statement, size_t index) {
  return logical_type(duckdb_prepared_statement_column_logical_type(statement.get(), index));
}

const ums::field* field_named(const ums::schema& s, std::string_view name) {
  auto at = std::find_if(s.fields.begin(), s.fields.end(),
                         [&](const ums::field& f) { return same_name(f.name, name); });
  return at == s.fields.end() ? nullptr : &*at;
}

error check_columns(const ums::schema& input) {
  for (auto name : system_names)
    if (!input.find(name))
      return rejected(fmt::format("the input has no column {}", name));
  for (const auto& f : input.fields)
    if (field_named(input, f.name) != &f)
      return rejected(fmt::format("columns {} and {} of the input differ only in case, which SQL "
                                  "cannot tell apart; rename or exclude one at the source",
                                  sql::quoted(field_named(input, f.name)->name),
                                  sql::quoted(f.name)));
  return {};
}

error check_tables(const select_tree& query, const std::string& table) {
  for (const auto& t : query.tables())
    if (!same_name(t.name, batch_name) && !same_name(t.name, table))
      return rejected(place(query.text(), t.at) +
                      fmt::format("there is no table {}; the batch is named {} and {}",
                                  sql::quoted(t.name), sql::quoted(table), batch_name));
  for (const auto& w : query.with())
    if (same_name(w.name, table))
      return rejected(
          place(query.text(), w.at) +
          fmt::format("WITH hides the batch's own name {}; take another name", sql::quoted(w.name)));
  return {};
}

/// The views under which the user's own text finds the batch, for as long as it is checked.
class named_views {
public:
  named_views(engine& db, std::vector<std::string> names) : db_(db), names_(std::move(names)) {}
  ~named_views() {
    for (const auto& name : names_)
      std::ignore = db_.run("DROP VIEW IF EXISTS " + sql::quoted(name));
  }
  std::optional<failure> create(int64_t number) {
    for (const auto& name : names_)
      if (auto why = db_.run(fmt::format("CREATE OR REPLACE VIEW {} AS SELECT * FROM rtdp_scan({})",
                                         sql::quoted(name), number)))
        return why;
    return {};
  }

private:
  engine& db_;
  std::vector<std::string> names_;
};

/// One column of the output while it is decided on.
struct column_plan {
  ums::field field;
  /// The input's field that it hands on, or null.
  const ums::field* from = nullptr;
  size_t index = 0;
  std::string conversion;
  bool trim = false;
};

class compiler {
public:
  compiler(engine& db, const select_tree& query, const ums::schema& input)
      : db_(db), query_(query), input_(input) {}

  /// The columns of the output, the statement that gives them.
  error compile(int64_t number, plan& out);

private:
  error describe();
  error add_column(size_t index, const std::string& name);
  error add_missing();
  error system_column(size_t index, const std::string& name, duckdb_logical_type type);
  /// The input's field that column `index` of the result hands on unchanged, or null.
  const ums::field* passed_through(size_t index, const std::string& name, const result_type& type);
  const output* item_of(size_t index) const;
  std::string wrapped(const std::string& inner) const;
  error refuse_missing(const std::string& reason) const;

  engine& db_;
  const select_tree& query_;
  const ums::schema& input_;
  prepared user_;
  size_t count_ = 0;
  std::vector<column_plan> system_ = std::vector<column_plan>(3), rest_;
  std::vector<std::string> missing_;
};

error compiler::compile(int64_t number, plan& out) {
  std::vector<std::string> names = {batch_name};
  if (const auto& table = input_.name[ums::ns::table]; !same_name(table, batch_name))
    names.push_back(table);
  {
    named_views views(db_, std::move(names));
    if (auto why = views.create(number))
      return rejected("DuckDB does not take the input's columns: " + why->text);
    if (auto why = db_.prepare(query_.text(), user_))
      return error_in(query_.text(), *why);
    if (auto e = describe())
      return e;
    user_ = prepared();
  }
  if (auto why = db_.run(fmt::format("CREATE OR REPLACE VIEW {} AS SELECT * FROM rtdp_scan({})",
                                     view_of(number), number)))
    return rejected("DuckDB does not take the input's columns: " + why->text);
  auto inner = query_.rewritten(db_, view_of(number), missing_);
  if (!inner)
    return inner.error();
  if (auto why = db_.prepare(*inner, out.statement))
    return missing_.empty() ? rejected(why->text) : refuse_missing(why->text);
  if (auto why = db_.prepare(wrapped(*inner), out.statement))
    return rejected(why->text);

  auto made = std::make_shared<ums::schema>(ums::schema{input_.name, input_.batch_id, {}});
  system_.insert(system_.end(), rest_.begin(), rest_.end());
  for (auto& c : system_) {
    auto column = fetched_column_of(c.index, type_of(out.statement, c.index).get());
    column.trim = c.trim;
    out.columns.push_back(column);
    made->fields.push_back(std::move(c.field));
  }
  out.output = std::move(made);
  return {};
}

error compiler::describe() {
  count_ = duckdb_prepared_statement_column_count(user_.get());
  for (size_t i = 0; i < count_; ++i)
    if (auto e = add_column(i, name_of(user_, i)))
      return e;
  for (size_t i = 0; i < rest_.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (rest_[i].field.name == rest_[j].field.name)
        return rejected(place(query_.text(), 0) +
                        fmt::format("two columns of the result are named {}; give one another "
                                    "name with AS",
                                    sql::quoted(rest_[i].field.name)));
  return add_missing();
}

error compiler::add_column(size_t index, const std::string& name) {
  auto logical = type_of(user_, index);
  for (auto system : system_names)
    if (same_name(name, system))
      return system_column(index, std::string(system), logical.get());
  auto type = type_of_result(logical.get());
  column_plan made;
  made.index = index;
  made.conversion = type.conversion;
  if (const auto* from = passed_through(index, name, type)) {
    made.field = *from;
    made.from = from;
    // A decimal of unknown size went through DECIMAL(38,12): its added zeros go again.
    made.trim = from->type == ums::type::decimal &&
                type_of_result(type_of_field(*from).get()).native != from->native &&
                decimal_shape_of(from->native) == decimal_shape();
    auto again = std::any_of(rest_.begin(), rest_.end(),
                             [&](const column_plan& c) { return c.from == from; });
    made.field.key = from->key && !again;
  } else {
    made.field.type = type.type;
    made.field.native = type.native;
  }
  made.field.name = name;
  rest_.push_back(std::move(made));
  return {};
}

error compiler::system_column(size_t index, const std::string& name, duckdb_logical_type type) {
  auto found = type_of_result(type);
  size_t position = name == ums::id_name ? 0 : (name == ums::ts_name ? 1 : 2);
  constexpr ums::type types[] = {ums::type::long_, ums::type::datetime, ums::type::string};
  constexpr const char* words[] = {"an integer (BIGINT)", "a TIMESTAMP", "a VARCHAR"};
  auto wrong = found.type != types[position] && !(position == 0 && found.type == ums::type::int_);
  auto& made = system_[position];
  if (wrong)
    return rejected(place(query_.text(), 0) +
                    fmt::format("{} must be {}, but the query makes it a UMS {}", name,
                                words[position], ums::to_string(found.type)));
  if (!made.field.name.empty())
    return rejected(place(query_.text(), 0) + fmt::format("{} is selected twice", name));
  made.field = *field_named(input_, name);
  made.field.name = name;
  made.field.type = types[position];
  made.index = index;
  made.conversion = found.type == types[position] ? found.conversion : "CAST({} AS BIGINT)";
  return {};
}

error compiler::add_missing() {
  for (size_t i = 0; i < system_.size(); ++i) {
    auto& made = system_[i];
    if (!made.field.name.empty())
      continue;
    // Behind the others, so that ORDER BY 1 still means what it meant.
    made.field = *field_named(input_, system_names[i]);
    made.index = count_ + missing_.size();
    missing_.emplace_back(system_names[i]);
  }
  if (!missing_.empty() && !query_.may_add_columns())
    return refuse_missing("it groups, combines or deduplicates rows");
  return {};
}

error compiler::refuse_missing(const std::string& reason) const {
  return rejected(place(query_.text(), 0) +
                  fmt::format("the query must select {} itself, for example max(ums_id_) AS "
                              "ums_id_, max(ums_ts_) AS ums_ts_, 'i' AS ums_op_, because {}",
                              fmt::join(missing_, ", "), reason));
}

const output* compiler::item_of(size_t index) const {
  const auto& items = query_.outputs();
  auto is_many = [](const output& o) { return o.kind >= output::kind::star; };
  auto first = std::find_if(items.begin(), items.end(), is_many);
  if (first == items.end())
    return items.size() == count_ ? &items[index] : nullptr;
  // A star stands for any number of columns: count from the front before it, from the end behind.
  auto last = std::find_if(items.rbegin(), items.rend(), is_many);
  auto behind = size_t(last - items.rbegin());
  if (index < size_t(first - items.begin()))
    return &items[index];
  if (index >= count_ - behind)
    return &items[items.size() - (count_ - index)];
  auto computed = std::any_of(items.begin(), items.end(),
                              [](const output& o) { return o.kind == output::kind::expanded; });
  return computed ? nullptr : &*first;
}

const ums::field* compiler::passed_through(size_t index, const std::string& name,
                                           const result_type& type) {
  const auto* by_name = field_named(input_, name);
  if (!query_.reads_table_directly()) {
    // Through a subquery or a join: the same name and type count as the same column.
    if (by_name == nullptr)
      return nullptr;
    auto expected = type_of_result(type_of_field(*by_name).get());
    return expected.type == type.type && expected.native == type.native ? by_name : nullptr;
  }
  const auto* item = item_of(index);
  if (item == nullptr || item->kind == output::kind::computed)
    return nullptr;
  if (item->kind == output::kind::column)
    return field_named(input_, item->column);
  const auto& items = query_.outputs();
  auto replaced = std::any_of(items.begin(), items.end(), [&](const output& o) {
    return std::any_of(o.replaced.begin(), o.replaced.end(),
                       [&](const std::string& r) { return same_name(r, name); });
  });
  return replaced ? nullptr : by_name;
}

std::string compiler::wrapped(const std::string& inner) const {
  std::vector<std::string> columns(count_ + missing_.size());
  std::vector<std::string> names(columns.size());
  for (size_t i = 0; i < columns.size(); ++i)
    columns[i] = names[i] = fmt::format("c{}", i);
  bool converts = false;
  for (const auto* list : {&system_, &rest_})
    for (const auto& c : *list)
      if (!c.conversion.empty()) {
        converts = true;
        columns[c.index] = fmt::format(fmt::runtime(c.conversion), names[c.index]);
      }
  if (!converts)
    return inner;
  return fmt::format("SELECT {} FROM ({}) AS q({})", fmt::join(columns, ", "), inner,
                     fmt::join(names, ", "));
}

} // namespace

result<std::unique_ptr<plan>> compile(engine& db, scan& source, const select_tree& query,
                                      int64_t number, const ums::schema_ptr& input) {
  if (auto e = check_columns(*input))
    return e;
  if (auto e = check_tables(query, input->name[ums::ns::table]))
    return e;
  auto made = std::make_unique<plan>();
  made->number = number;
  made->input = input;
  source.announce(number, input);
  compiler work(db, query, *input);
  if (auto e = work.compile(number, *made)) {
    made.reset();
    forget(db, source, number);
    return e;
  }
  return made;
}

void forget(engine& db, scan& source, int64_t number) {
  std::ignore = db.run("DROP VIEW IF EXISTS " + view_of(number));
  source.forget(number);
}

} // namespace rtdp::sql
