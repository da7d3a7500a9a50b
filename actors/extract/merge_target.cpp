#include "actors/extract/merge_target.hpp"

#include "runtime/ums/schema.hpp"

#include <array>

namespace rtdp::extract {

namespace {

/// A part with a dot of its own in quotes, so that no two tables make one shard.
void append_part(std::string& to, const std::string& part) {
  bool quotes = part.find('.') != part.npos || part.find('"') != part.npos;
  to += (to.empty() ? "" : ".") + (quotes ? '"' + part + '"' : part);
}

size_t count_unquoted(std::string_view text, char wanted) {
  bool quoted = false;
  size_t count = 0;
  for (char c : text)
    if (c == '"')
      quoted = !quoted;
    else if (c == wanted && !quoted)
      ++count;
  return count;
}

} // namespace

bool has_star(std::string_view item) { return count_unquoted(item, '*') > 0; }

std::string merge_target::shard_of(const ums::ns& physical) const {
  std::string out;
  if (!instance.empty())
    append_part(out, physical[ums::ns::instance]);
  if (!instance.empty() || !database.empty())
    append_part(out, physical[ums::ns::database]);
  if (out.empty())
    return physical[ums::ns::table];
  append_part(out, physical[ums::ns::table]);
  return out;
}

ums::ns merge_target::logical(const ums::ns& pattern) const {
  auto name = pattern;
  if (!instance.empty())
    name.set(ums::ns::instance, instance);
  if (!database.empty())
    name.set(ums::ns::database, database);
  name.set(ums::ns::table, table);
  return name;
}

ums::ns merge_target::published(const ums::ns& physical) const {
  auto name = logical(physical);
  name.set(ums::ns::table_partition, shard_of(physical));
  return name;
}

bool merge_target::stands_for(const ums::ns& pattern, const ums::ns& published) const {
  return logical(pattern).matches(published);
}

result<std::optional<merge_target>> read_merge(const std::string& into,
                                               const std::string& shard_column) {
  if (into.empty() && shard_column.empty())
    return std::optional<merge_target>();
  if (into.empty())
    return rejected("shard_column: needs into, which names the table that the shards make");
  if (ums::is_system(shard_column) || shard_column == ums::active_name)
    return rejected("shard_column: " + shard_column + " is a name that UMS keeps for itself");
  auto expected = "expected table, database.table or instance.database.table, with double quotes "
                  "around what is not a plain word; found " +
                  into;
  auto parsed = ums::ns::parse(into);
  if (!parsed || has_star(into))
    return rejected("into: " + expected);
  std::array parts = {ums::ns::datastore, ums::ns::instance, ums::ns::database};
  auto given = count_unquoted(into, '.') + 1;
  if (given > parts.size())
    return rejected("into: " + expected);
  merge_target out{.instance = given == 3 ? (*parsed)[parts[0]] : "",
                   .database = given >= 2 ? (*parsed)[parts[given - 2]] : "",
                   .table = (*parsed)[parts[given - 1]],
                   .shard_column = shard_column};
  return std::optional(std::move(out));
}

} // namespace rtdp::extract
