#include "actors/extract/postgres_snapshot.hpp"

#include <fmt/format.h>

#include <charconv>

namespace rtdp::extract::pg {

namespace {

/// Signature, flags and the length of an extension that no version has used.
constexpr size_t copy_header_bytes = 19;

int32_t length_at(std::string_view bytes, size_t at) {
  uint32_t n = 0;
  for (size_t i = 0; i < 4; ++i)
    n = n << 8 | uint8_t(bytes[at + i]);
  return int32_t(n);
}

error malformed() {
  return rejected("COPY: expected a row in binary format; found something else");
}

} // namespace

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
  copying_ = true;
  header_read_ = false;
  return {};
}

error snapshot::copy(collector& out, collector::handle table, connection::clock::time_point until) {
  while (!out.full()) {
    bool at_end = false;
    auto bytes = connection_.copy_data(at_end);
    if (!bytes)
      return bytes.error().in("snapshot");
    if (at_end) {
      copying_ = false;
      return {};
    }
    if (bytes->empty()) {
      if (connection::clock::now() >= until)
        return {};
      if (auto failed = connection_.wait(until))
        return failed.in("snapshot");
      continue;
    }
    // The server sends each row in a message of its own, the header with the first.
    if (!header_read_) {
      if (bytes->size() < copy_header_bytes)
        return malformed();
      bytes->remove_prefix(copy_header_bytes);
      header_read_ = true;
      if (bytes->empty())
        continue;
    }
    if (auto failed = add_row(*bytes, out, table))
      return failed;
  }
  return {};
}

error snapshot::add_row(std::string_view row, collector& out, collector::handle table) {
  if (row == "\xff\xff") // The trailer.
    return {};
  auto columns = row.size() < 2 ? 0 : size_t(uint8_t(row[0])) << 8 | uint8_t(row[1]);
  if (columns != shape_.fields.size())
    return malformed();
  auto& b = out.row(table, 'i', at_us_, ums::protocol::initial_data);
  size_t at = 2;
  for (size_t i = 0; i < columns; ++i) {
    auto& c = b.columns[ums::system_columns + i];
    if (row.size() - at < 4)
      return malformed();
    auto length = length_at(row, at);
    at += 4;
    if (length < 0) {
      c.append_null();
      continue;
    }
    if (row.size() - at < size_t(length))
      return malformed();
    auto value = row.substr(at, size_t(length));
    at += size_t(length);
    bool good = append_binary(c, shape_.how[i], value) &&
                (!check_text_ || shape_.how[i] != conversion::text || is_utf8(value));
    if (!good) {
      out.spoil(unfit(shape_.fields[i].name, shape_.fields[i].native), std::string(row));
      return {};
    }
  }
  return {};
}

} // namespace rtdp::extract::pg
