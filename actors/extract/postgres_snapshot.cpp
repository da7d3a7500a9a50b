#include "actors/extract/postgres_snapshot.hpp"

#include <fmt/format.h>

#include <charconv>

namespace rtdp::extract::pg {

result<snapshot> snapshot::begin(const connection::options& o,
                                 const std::vector<table_name>& tables) {
  auto c = connection::open(o);
  if (!c)
    return c.error();
  std::string names;
  for (const auto& t : tables)
    names += (names.empty() ? "" : ", ") + quoted(t);
  // Locks first: a table that is rewritten between snapshot and lock would look empty.
  auto done = c->query("set idle_in_transaction_session_timeout = 0; set statement_timeout = 0; "
                       "set lock_timeout = '10s'; begin isolation level repeatable read read only; "
                       "lock table " +
                       names + " in access share mode");
  if (!done)
    return done.error().in("snapshot");
  return snapshot(std::move(*c));
}

error snapshot::fix(const std::string& exported) {
  if (!exported.empty())
    if (auto done = connection_.query("set transaction snapshot '" + exported + "'"); !done)
      return done.error().in("snapshot of the new slot");
  auto rows = connection_.query("select pg_current_snapshot(), pg_current_wal_insert_lsn(), "
                                "(extract(epoch from clock_timestamp()) * 1000000)::int8");
  if (!rows)
    return rows.error().in("snapshot");
  const auto& r = (*rows)[0];
  auto seen = parse_seen_by(r[0].value_or(""), r[1].value_or(""));
  if (!seen)
    return seen.error();
  seen_ = *seen;
  auto at = r[2].value_or("");
  std::from_chars(at.data(), at.data() + at.size(), at_us_);
  // Such a database holds any bytes; all others hold what their encoding allows.
  check_text_ = connection_.parameter("server_encoding") == "SQL_ASCII";
  return {};
}

error snapshot::start(const table_name& name, const std::string& publication) {
  auto relation = current_relation(connection_, name, publication);
  if (!relation)
    return relation.error();
  auto filter = row_filter(connection_, name, publication);
  if (!filter)
    return filter.error();
  auto described = describe(connection_, *relation);
  if (!described)
    return described.error();
  shape_ = std::move(*described);
  std::string list;
  for (const auto& e : shape_.copy_expressions)
    list += (list.empty() ? "" : ", ") + e;
  auto where = filter->empty() ? "" : " where " + *filter;
  auto sql = fmt::format("copy (select {} from {}{}) to stdout (format binary)", list, quoted(name),
                         where);
  if (auto failed = connection_.begin_copy(sql))
    return failed.in("snapshot of " + quoted(name));
  rows_.emplace(shape_, check_text_);
  return {};
}

error snapshot::copy(collector& out, collector::handle table, connection::clock::time_point until) {
  while (!out.full()) {
    bool at_end = false;
    auto bytes = connection_.copy_data(at_end);
    if (!bytes)
      return bytes.error().in("snapshot");
    if (at_end) {
      rows_.reset();
      return {};
    }
    if (bytes->empty()) {
      if (connection::clock::now() >= until)
        return {};
      if (auto failed = connection_.wait(until))
        return failed.in("snapshot");
      continue;
    }
    auto row = rows_->row_in(*bytes);
    if (!row)
      return row.error();
    if (row->empty())
      continue;
    if (auto failed = add_row(*row, out, table))
      return failed;
  }
  return {};
}

error snapshot::add_row(std::string_view row, collector& out, collector::handle table) {
  auto& b = out.row(table, 'i', at_us_, ums::protocol::initial_data);
  std::optional<std::string> bad;
  if (auto failed = rows_->append(row, b, bad))
    return failed;
  if (bad)
    out.spoil(std::move(*bad), std::string(row));
  return {};
}

} // namespace rtdp::extract::pg
