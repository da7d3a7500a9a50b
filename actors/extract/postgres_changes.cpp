#include "actors/extract/postgres_changes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::pg {

using namespace std::chrono_literals;

constexpr auto visible_timeout = 10s;

changes::changes(std::string source, connection& catalog, position& at,
                 const std::vector<captured_table>& tables)
    : source_(std::move(source)), catalog_(catalog), at_(at), before_images_(at.tables.size()),
      partitioned_(at.tables.size()),
      skip_(at.index) {
  for (size_t i = 0; i < at.tables.size(); ++i)
    for (const auto& t : tables)
      if (t.name == at.tables[i].name) {
        before_images_[i] = t.before_images;
        partitioned_[i] = t.partitioned;
      }
  check_text_ = catalog.parameter("server_encoding") == "SQL_ASCII";
}

error changes::apply(std::string_view bytes, collector& out) {
  if (auto failed = decode(bytes, message_))
    return failed.in("change stream behind " + lsn_text(at_.at));
  switch (message_.type) {
  case 'B':
    in_transaction_ = true;
    xid_ = message_.xid;
    commit_at_ = message_.at;
    commit_us_ = message_.commit_us;
    return {};
  case 'C':
    // The first transaction is the one that was handed over in part; it has come whole now.
    skip_ = 0;
    in_transaction_ = false;
    at_.at = message_.at;
    at_.index = 0;
    committed_us_ = message_.commit_us;
    return {};
  case 'R':
    announce();
    return {};
  case 'Y':
    types_[message_.named_type.id] = message_.named_type.name;
    return {};
  case 'I':
  case 'U':
  case 'D':
  case 'T': {
    // Every change counts, captured or not: the settings may be others when it comes again.
    if (skip_ > 0) {
      --skip_;
      return {};
    }
    auto failed = message_.type == 'T' ? truncate(out) : change(bytes, out);
    if (!failed)
      ++at_.index;
    return failed;
  }
  default:
    return {};
  }
}

void changes::announce() {
  auto& r = relations_[message_.relation.id];
  r = {};
  r.raw = message_.relation;
  for (auto& c : r.raw.columns)
    if (auto named = types_.find(c.type); named != types_.end())
      c.type_name = named->second;
  // By number first: a table that was renamed is still the one that was captured.
  auto& all = at_.tables;
  auto found = std::find_if(all.begin(), all.end(), [&](auto& t) { return t.oid == r.raw.id; });
  if (found == all.end())
    found = std::find_if(all.begin(), all.end(), [&](auto& t) {
      return t.name == table_name{r.raw.schema, r.raw.table};
    });
  if (found != all.end()) {
    r.table = size_t(found - all.begin());
    r.stranger = found->oid != 0 && found->oid != r.raw.id;
  }
  r.beats = beat_ != nullptr && beat_->is_of(r.raw);
  last_relation_ = nullptr;
}

error changes::refuse_stranger(const known_relation& r) const {
  // What had the name before is of no concern; what has it now must be read from its beginning.
  const auto& t = at_.tables[r.table];
  if (commit_at_ < t.since)
    return {};
  return unavailable(fmt::format("table {} is another one now (number {} instead of {}): "
                                 "it has to be read anew",
                                 quoted(t.name), r.raw.id, t.oid));
}

ums::ns changes::name_of(size_t table) const {
  const auto& t = at_.tables[table];
  return {"postgres", source_, t.name.schema, t.name.table,
          std::to_string(std::max<int64_t>(t.version, 0))};
}

collector::handle changes::version_for(size_t table, const shape& columns, collector& out) {
  auto& t = at_.tables[table];
  if (t.version < 0 || t.shape != columns.hash) {
    if (t.version >= 0)
      out.terminate(name_of(table), commit_us_);
    ++t.version;
    t.shape = columns.hash;
    t.key = columns.key_from_catalog ? columns.key() : std::vector<std::string>();
    tables_changed_ = true;
    // Handles of the version before must not be taken again.
    for (auto& [id, r] : relations_)
      r.described = false;
    last_relation_ = nullptr;
  }
  return out.table(name_of(table), columns.fields);
}

error changes::ready(known_relation& r, collector& out) {
  // A key that was too new for an earlier change may be the one of this.
  auto since = r.columns.key_since;
  bool outdated = since != 0 && int32_t(xid_ - since) >= 0;
  if (r.described && !outdated)
    return {};
  auto described = describe(catalog_, r.raw, {.xid = xid_, .key = at_.tables[r.table].key});
  if (!described)
    return described.error().in("table " + quoted(at_.tables[r.table].name));
  r.columns = std::move(*described);
  r.keyless = r.columns.key().empty();
  r.partial.clear();
  r.whole = version_for(r.table, r.columns, out);
  r.described = true;
  return {};
}

error changes::truncate(collector& out) {
  for (auto id : message_.truncated) {
    auto found = relations_.find(id);
    if (found == relations_.end())
      return rejected("change stream: TRUNCATE of a relation that was not announced");
    const auto& r = found->second;
    if (r.table != SIZE_MAX && !r.stranger && !seen(r.table)) {
      out.truncate(name_of(found->second.table), commit_us_);
      if (windows_ != nullptr)
        windows_->all_changed(r.table, stamp());
    }
  }
  return {};
}

error changes::change(std::string_view bytes, collector& out) {
  auto* r = last_relation_;
  if (r == nullptr || r->raw.id != message_.relation_id) {
    auto found = relations_.find(message_.relation_id);
    if (found == relations_.end())
      return rejected("change stream: a change of a relation that was not announced");
    r = &found->second;
  }
  if (r->beats)
    beat_->came_back(r->raw, message_.new_row);
  if (r->table == SIZE_MAX || seen(r->table))
    return {};
  if (r->stranger)
    return refuse_stranger(*r);
  if (auto failed = ready(*r, out))
    return failed;
  last_relation_ = r;
  auto width = r->columns.fields.size();
  if ((message_.type != 'D' && message_.new_row.size() != width) ||
      (message_.old_kind != 0 && message_.old_row.size() != width))
    return rejected(fmt::format("change stream: a row of {} has not the {} columns announced",
                                quoted(at_.tables[r->table].name), width));
  // Whether an old row is whole the server says by the root of a partitioned table, but what it
  // holds by the partition: only its key can be relied on.
  if (message_.old_kind == 'O' && partitioned_[r->table] && !r->keyless)
    message_.old_kind = 'K';
  if (message_.type == 'I')
    add(*r, 'i', message_.new_row, bytes, out);
  else if (message_.type == 'D')
    add_deleted(*r, bytes, out);
  else
    return update(*r, bytes, out);
  return {};
}

void changes::add_deleted(known_relation& r, std::string_view bytes, collector& out) {
  // Nulls of an old key only say "not part of the key": such columns are absent.
  if (message_.old_kind == 'K')
    for (size_t i = 0; i < message_.old_row.size(); ++i)
      if (!r.in_old_key(i))
        message_.old_row[i].what = cell::unchanged;
  add(r, 'd', message_.old_row, bytes, out);
}

bool changes::key_changed(const known_relation& r) const {
  for (size_t i = 0; i < r.columns.fields.size(); ++i) {
    bool known = message_.old_kind == 'O' || r.in_old_key(i);
    const auto &before = message_.old_row[i], &after = message_.new_row[i];
    if (r.columns.fields[i].key && known && after.what != cell::unchanged &&
        (before.what != after.what || before.value != after.value))
      return true;
  }
  return false;
}

error changes::update(known_relation& r, std::string_view bytes, collector& out) {
  auto& row = message_.new_row;
  if (message_.old_kind == 0) {
    add(r, 'u', row, bytes, out);
    return {};
  }
  bool whole = message_.old_kind == 'O';
  bool changed = key_changed(r) || (whole && r.keyless && !before_images_[r.table]);
  for (size_t i = 0; i < row.size(); ++i)
    if (row[i].what == cell::unchanged && (whole || r.in_old_key(i)))
      row[i] = message_.old_row[i];
  if (changed) {
    if (auto failed = fetch_missing(r))
      return failed;
    add_deleted(r, bytes, out);
    add(r, 'i', row, bytes, out);
    return {};
  }
  if (whole && before_images_[r.table])
    add(r, 'b', message_.old_row, bytes, out);
  add(r, 'u', row, bytes, out);
  return {};
}

error changes::wait_until_visible() {
  // The log tells of a commit a moment before other sessions see it, and much before where the
  // commit waits for a synchronous standby.
  auto give_up = connection::clock::now() + visible_timeout;
  for (;;) {
    auto now = catalog_.query("select pg_current_snapshot()");
    if (!now)
      return now.error();
    auto sees = parse_seen_by((*now)[0][0].value_or(""), "FFFFFFFF/FFFFFFFF");
    if (!sees)
      return sees.error();
    if (sees->covers(xid_, commit_at_))
      return {};
    if (connection::clock::now() >= give_up)
      return unavailable(fmt::format("transaction {} is in the log, but not yet visible", xid_));
    if (auto failed = catalog_.wait(connection::clock::now() + 5ms))
      return failed;
  }
}

error changes::fetch_missing(const known_relation& r) {
  auto& row = message_.new_row;
  std::string list, where;
  std::vector<std::string> key;
  for (size_t i = 0; i < row.size(); ++i) {
    auto name = connection::identifier(r.columns.fields[i].name);
    if (row[i].what == cell::unchanged)
      list += (list.empty() ? "" : ", ") + name;
    if (!r.columns.fields[i].key)
      continue;
    key.emplace_back(row[i].value);
    where += fmt::format("{}{} = ${}", where.empty() ? "" : " and ", name, key.size());
  }
  if (list.empty() || where.empty())
    return {};
  if (auto failed = wait_until_visible())
    return failed;
  auto found = catalog_.query(
      fmt::format("select {} from {} where {}", list, quoted(at_.tables[r.table].name), where),
      key);
  if (!found)
    return found.error().in("value that the log did not carry");
  // The row is gone again, and the log will say so: its insert goes on without these columns.
  if (found->empty())
    return {};
  fetched_ = std::move((*found)[0]);
  size_t next = 0;
  for (auto& c : row)
    if (c.what == cell::unchanged) {
      const auto& value = fetched_[next++];
      c = value ? cell{cell::text, *value} : cell{cell::null, {}};
    }
  return {};
}

collector::handle changes::handle_for(known_relation& r, const tuple& row, collector& out) {
  auto absent = [](const cell& c) { return c.what == cell::unchanged; };
  if (std::none_of(row.begin(), row.end(), absent))
    return r.whole;
  std::vector<bool> present(row.size());
  for (size_t i = 0; i < row.size(); ++i)
    present[i] = !absent(row[i]);
  auto [at, added] = r.partial.try_emplace(present);
  if (added) {
    std::vector<ums::field> fields;
    for (size_t i = 0; i < row.size(); ++i)
      if (present[i])
        fields.push_back(r.columns.fields[i]);
    at->second = out.table(name_of(r.table), fields);
  }
  return at->second;
}

void changes::add(known_relation& r, char op, const tuple& row, std::string_view bytes,
                  collector& out) {
  auto& b = out.row(handle_for(r, row, out), op, commit_us_);
  size_t column = ums::system_columns;
  for (size_t i = 0; i < row.size(); ++i) {
    const auto& value = row[i];
    if (value.what == cell::unchanged)
      continue;
    auto& c = b.columns[column++];
    if (value.what == cell::null) {
      c.append_null();
      continue;
    }
    auto how = r.columns.how[i];
    if (append_text(c, how, value.value) &&
        (!check_text_ || how != conversion::text || is_utf8(value.value)))
      continue;
    out.spoil(unfit(r.columns.fields[i].name, r.columns.fields[i].native), std::string(bytes));
    if (windows_ != nullptr)
      windows_->all_changed(r.table, stamp());
    return;
  }
  if (windows_ != nullptr && windows_->watches(r.table))
    tell_change(r, op, b);
}

void changes::tell_change(const known_relation& r, char op, const ums::batch& b) {
  std::vector<std::string> absent;
  if (op != 'd' && b.columns.size() < r.columns.fields.size() + ums::system_columns)
    for (const auto& f : r.columns.fields)
      if (!b.schema->find(f.name))
        absent.push_back(f.name);
  auto row = b.columns.back().size() - 1;
  windows_->changed(r.table, stamp(), key_of(b, key_columns_of(b), row), std::move(absent));
}

} // namespace rtdp::extract::pg
