#include "actors/extract/merge_stage.hpp"

#include <algorithm>

namespace rtdp::extract {

namespace {

/// Behind the columns that are there.
void add_shard(ums::batch& b, const std::string& shard) {
  auto rows = b.rows();
  ums::column c(ums::type::string);
  c.reserve(rows);
  for (size_t i = 0; i < rows; ++i)
    c.append_text(shard);
  b.columns.push_back(std::move(c));
}

/// Marks and ends of versions say nothing of rows.
bool tells_of_rows(const ums::batch& b) {
  return b.carries_rows() || b.kind == ums::protocol::increment_truncate;
}

} // namespace

result<ums::schema> merged_schema(const ums::schema& from, const merge_target& to) {
  auto out = from;
  out.name = to.published(from.name);
  if (to.shard_column.empty())
    return out;
  if (from.find(to.shard_column))
    return rejected("table " + from.name[ums::ns::table] + " has a column " + to.shard_column +
                    " of its own: give shard_column another name");
  // A table without a key has none by its shard either: one row a shard would be left.
  bool keyed = std::any_of(from.fields.begin(), from.fields.end(),
                           [](const ums::field& f) { return f.key; });
  out.fields.push_back(
      {.name = to.shard_column, .type = ums::type::string, .nullable = false, .key = keyed});
  return out;
}

const merge_target* merge_stage::target_of(const ums::ns& physical) const {
  const auto* o = options_of(tables_, physical);
  return o && o->merge ? &*o->merge : nullptr;
}

ums::ns merge_stage::published(const ums::ns& name) const {
  const auto* to = target_of(name);
  return to ? to->published(name) : name;
}

error merge_stage::begin(std::vector<ums::schema_ptr>& versions, const std::string&) {
  for (auto& s : versions)
    if (const auto* to = target_of(s->name)) {
      auto made = merged_schema(*s, *to);
      if (!made)
        return made.error();
      s = std::make_shared<const ums::schema>(std::move(*made));
    }
  return {};
}

ums::schema_ptr merge_stage::merged(const ums::schema_ptr& from, const merge_target& to) {
  auto& known = schemas_[from];
  if (known)
    return known;
  // `begin` has seen the whole version of this, so the column is not there twice.
  auto made = merged_schema(*from, to);
  known = made ? std::make_shared<const ums::schema>(std::move(*made)) : from;
  return known;
}

error merge_stage::apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
                         const std::string&) {
  for (auto& row : bad)
    row.table = published(row.table);
  for (auto& b : batches) {
    const auto* to = target_of(b.schema->name);
    if (!to)
      continue;
    auto shard = to->shard_of(b.schema->name);
    if (b.kind == ums::protocol::increment_truncate && to->shard_column.empty()) {
      bad.push_back({.table = to->published(b.schema->name),
                     .reason = "TRUNCATE of one shard: its rows cannot be told from those of the "
                               "others, so they stay in the targets; set shard_column to have them "
                               "removed",
                     .bytes = "TRUNCATE " + shard});
      b.columns[0].truncate(0);
      b.columns[1].truncate(0);
      continue;
    }
    if (b.carries_rows()) {
      b.schema = merged(b.schema, *to);
    } else {
      auto schema = *b.schema;
      schema.name = to->published(schema.name);
      if (tells_of_rows(b) && !to->shard_column.empty())
        schema.fields.push_back(
            {.name = to->shard_column, .type = ums::type::string, .nullable = false, .key = true});
      b.schema = std::make_shared<const ums::schema>(std::move(schema));
    }
    if (tells_of_rows(b) && !to->shard_column.empty())
      add_shard(b, shard);
  }
  return {};
}

} // namespace rtdp::extract
