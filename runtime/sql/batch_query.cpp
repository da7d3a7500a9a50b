#include "runtime/sql/batch_query.hpp"

#include "runtime/sql/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <numeric>

namespace rtdp::sql {

namespace {

// Messages that lack an unchanged TOAST value alternate with those that have it: 2^n schemas for n
// such columns. A plan costs about 1 ms to make and some 100 KB to keep.
constexpr size_t plans_max = 16;

bool is_same_input(const ums::schema& a, const ums::schema& b) {
  return a.name[ums::ns::table] == b.name[ums::ns::table] && a.fields == b.fields;
}

/// The rows of `input` that are not in `bad`, and their numbers.
ums::batch without(const ums::batch& input, const bad_row_map& bad, std::vector<size_t>& numbers) {
  ums::batch kept(input.schema, input.kind);
  size_t first = 0;
  auto take = [&](size_t end) {
    for (size_t c = 0; c < input.columns.size() && end > first; ++c)
      kept.columns[c].append(input.columns[c], first, end - first);
    for (; first < end; ++first)
      numbers.push_back(first);
  };
  for (const auto& [row, why] : bad) {
    take(row);
    first = row + 1;
  }
  take(input.rows());
  return kept;
}

std::shared_ptr<ums::batch> sorted_by_id(const ums::batch& from) {
  std::vector<size_t> order(from.rows());
  std::iota(order.begin(), order.end(), size_t{0});
  auto ids = from.ids();
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ids[a] < ids[b]; });
  auto to = std::make_shared<ums::batch>(from.schema, from.kind);
  for (size_t c = 0; c < from.columns.size(); ++c)
    for (auto row : order)
      to->columns[c].append(from.columns[c], row, 1);
  return to;
}

} // namespace

struct batch_query::state {
  std::string text;
  limits most;
  // In this order: statements go before the engine, the engine before what it scans.
  scan source;
  std::unique_ptr<engine> db;
  std::optional<select_tree> tree;
  /// The most recently used first.
  std::list<std::unique_ptr<plan>> plans;
  int64_t next_number = 1;
  /// The output's schema under the last input's name, when that is not the plan's.
  ums::schema_ptr renamed;

  error open_engine();
  error check_names() const;
  result<plan*> plan_for(const ums::schema_ptr& input);
  std::optional<failure> attempt(const plan& with, const ums::slice& rows, ums::batch* out);
  std::optional<failure> isolate(const plan& with, const ums::slice& rows, const failure& why,
                                 bad_row_map& bad);
  result<ums::batch_ptr> run(const ums::batch_ptr& input, bad_row_map& bad);
  result<ums::batch_ptr> run_without(const plan& with, const ums::batch& input, bad_row_map& bad);
  std::shared_ptr<ums::batch> empty_output(const plan& with, const ums::batch& input);
  result<ums::batch_ptr> finished(std::shared_ptr<ums::batch> out);
  error broken_by(const failure& why);
};

error batch_query::state::open_engine() {
  auto opened = engine::open(most);
  if (!opened)
    return opened.error();
  db = std::move(*opened);
  if (auto why = source.register_in(db->connection()))
    return rejected(why->text);
  auto parsed = select_tree::parse(*db, text);
  if (!parsed)
    return parsed.error();
  tree = std::move(*parsed);
  return check_names();
}

error batch_query::state::check_names() const {
  if (tree->tables().empty())
    return rejected(place(text, 0) + "the query reads no table; the batch is named batch");
  for (const auto& w : tree->with())
    if (same_name(w.name, "batch"))
      return rejected(place(text, w.at) + "WITH hides the table batch; take another name");
  const reference* other = nullptr;
  for (const auto& t : tree->tables()) {
    if (same_name(t.name, "batch") || (other != nullptr && same_name(t.name, other->name)))
      continue;
    if (other != nullptr)
      return rejected(place(text, t.at) +
                      fmt::format("the query reads {} and {}, but a step has only one table: its "
                                  "batch",
                                  sql::quoted(other->name), sql::quoted(t.name)));
    other = &t;
  }
  return {};
}

result<plan*> batch_query::state::plan_for(const ums::schema_ptr& input) {
  if (!db)
    if (auto e = open_engine())
      return e;
  auto at = std::find_if(plans.begin(), plans.end(), [&](const std::unique_ptr<plan>& p) {
    return p->input == input || is_same_input(*p->input, *input);
  });
  if (at != plans.end()) {
    plans.splice(plans.begin(), plans, at);
    return plans.front().get();
  }
  auto made = compile(*db, source, *tree, next_number++, input);
  if (!made)
    return made.error();
  plans.push_front(std::move(*made));
  if (plans.size() > plans_max) {
    auto number = plans.back()->number;
    plans.pop_back();
    forget(*db, source, number);
  }
  return plans.front().get();
}

std::optional<failure> batch_query::state::attempt(const plan& with, const ums::slice& rows,
                                                   ums::batch* out) {
  source.point_at(with.number, rows);
  query_result found;
  auto why = db->run(with.statement, found);
  while (!why && out != nullptr) {
    data_chunk chunk(duckdb_fetch_chunk(*found.out()));
    if (chunk.get() == nullptr)
      break;
    append_chunk(chunk.get(), with.columns, *out);
  }
  source.point_at(with.number, {});
  return why;
}

/// Finds the rows that fail alone among `rows`, which failed together for `why`: halves until it
/// holds one. At most two executions a row. Returns a failure that is not about a row.
std::optional<failure> batch_query::state::isolate(const plan& with, const ums::slice& rows,
                                                   const failure& why, bad_row_map& bad) {
  if (rows.count == 1) {
    bad.emplace(rows.first, why.text);
    return {};
  }
  auto half = rows.count / 2;
  for (auto part : {ums::slice{rows.data, rows.first, half},
                    ums::slice{rows.data, rows.first + half, rows.count - half}}) {
    auto failed = attempt(with, part, nullptr);
    if (!failed)
      continue;
    if (!failed->is_about_a_row())
      return failed;
    if (auto broken = isolate(with, part, *failed, bad))
      return broken;
  }
  return {};
}

/// Executes the query on the rows that are not bad.
result<ums::batch_ptr> batch_query::state::run_without(const plan& with, const ums::batch& input,
                                                       bad_row_map& bad) {
  std::vector<size_t> numbers;
  auto kept = without(input, bad, numbers);
  auto out = empty_output(with, input);
  if (kept.rows() == 0)
    return ums::batch_ptr(std::move(out));
  auto why = attempt(with, ums::slice::all(kept), out.get());
  if (!why)
    return finished(std::move(out));
  if (!why->is_about_a_row())
    return broken_by(*why);
  // Each row alone is well, together they are not (a sum that overflows): none can be computed.
  for (auto row : numbers)
    bad.emplace(row, why->text);
  return ums::batch_ptr(empty_output(with, input));
}

result<ums::batch_ptr> batch_query::state::run(const ums::batch_ptr& input, bad_row_map& bad) {
  auto found = plan_for(input->schema);
  if (!found)
    return found.error();
  const plan& with = **found;
  auto out = empty_output(with, *input);
  if (input->rows() == 0)
    return ums::batch_ptr(std::move(out));
  auto all = ums::slice::all(*input);
  auto why = attempt(with, all, out.get());
  bool whole = !why;
  bad_row_map fresh;
  if (why && why->is_about_a_row())
    why = isolate(with, all, failure(*why), fresh);
  fresh.merge(source.take_unfit());
  if (why)
    return broken_by(*why);
  if (whole && fresh.empty())
    return finished(std::move(out));
  auto rest = run_without(with, *input, fresh);
  if (rest)
    bad.merge(fresh);
  return rest;
}

std::shared_ptr<ums::batch> batch_query::state::empty_output(const plan& with,
                                                             const ums::batch& input) {
  auto schema = with.output;
  if (schema->name != input.schema->name || schema->batch_id != input.schema->batch_id) {
    // Another partition of the table, or the next message: the same columns.
    auto other = *schema;
    other.name = input.schema->name;
    other.batch_id = input.schema->batch_id;
    if (!renamed || *renamed != other)
      renamed = std::make_shared<const ums::schema>(std::move(other));
    schema = renamed;
  }
  auto out = std::make_shared<ums::batch>(std::move(schema), input.kind);
  for (auto& c : out->columns)
    c.reserve(input.rows());
  return out;
}

result<ums::batch_ptr> batch_query::state::finished(std::shared_ptr<ums::batch> out) {
  for (size_t i = 0; i < ums::system_columns; ++i)
    if (out->columns[i].has_nulls())
      return rejected(fmt::format("the query gave a row whose {} is null; leave such rows out, "
                                  "for example with HAVING count(*) > 0",
                                  out->schema->fields[i].name));
  // Hash tables and windows change the order of rows; what follows must see each key's rows as
  // they were committed.
  auto ids = out->ids();
  if (tree->is_ordered() || std::is_sorted(ids.begin(), ids.end()))
    return ums::batch_ptr(std::move(out));
  return ums::batch_ptr(sorted_by_id(*out));
}

/// What the caller hears. After a fatal error the database is thrown away; the next call opens one.
error batch_query::state::broken_by(const failure& why) {
  std::ignore = source.take_unfit();
  if (why.is_fatal()) {
    plans.clear();
    db.reset();
  }
  return rejected(why.text);
}

batch_query::batch_query(std::unique_ptr<state> s) : state_(std::move(s)) {}
batch_query::~batch_query() = default;

result<std::unique_ptr<batch_query>> batch_query::open(const std::string& text,
                                                       const limits& most) {
  auto s = std::make_unique<state>();
  s->text = text;
  s->most = most;
  if (auto e = s->open_engine())
    return e;
  return std::unique_ptr<batch_query>(new batch_query(std::move(s)));
}

bool batch_query::row_wise() const {
  return state_->tree && state_->tree->may_add_columns() && state_->tree->reads_table_directly();
}

result<ums::schema> batch_query::prepare(const ums::schema& input) {
  auto found = state_->plan_for(std::make_shared<const ums::schema>(input));
  if (!found)
    return found.error();
  auto made = *(*found)->output;
  made.name = input.name;
  made.batch_id = input.batch_id;
  return made;
}

result<ums::batch_ptr> batch_query::run(const ums::batch_ptr& input, bad_row_map& bad) {
  if (!input->carries_rows())
    return input;
  return state_->run(input, bad);
}

} // namespace rtdp::sql
