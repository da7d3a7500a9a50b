#include "actors/extract/mysql_snapshot.hpp"

#include <fmt/format.h>
#include <mysqld_error.h>

#include <algorithm>
#include <optional>

namespace rtdp::extract::my {

namespace {

/// Attempts to see the log's end stand still around the start of a transaction: about a second.
constexpr int looks_max = 500;

std::string hex_literal(std::string_view bytes) {
  std::string out = "x'";
  for (char c : bytes)
    fmt::format_to(std::back_inserter(out), "{:02x}", uint8_t(c));
  return out + "'";
}

/// How a key column's order can be asked for by its value; empty: it cannot. An enum is ordered by
/// number and compared by text, a float is not equal to its own text.
std::optional<bool> ordered_as_number(conversion how) {
  switch (how) {
  case conversion::integer:
  case conversion::unsigned_long:
  case conversion::decimal:
  case conversion::year:
    return true;
  case conversion::date:
  case conversion::datetime:
  case conversion::timestamp:
  case conversion::time:
  case conversion::text:
  case conversion::bytes:
  case conversion::uuid:
  case conversion::inet4:
  case conversion::inet6:
    return false;
  default:
    return {};
  }
}

} // namespace

result<std::unique_ptr<snapshot_piece>> snapshot_piece::open(const connection::options& o,
                                                             connection& catalog, request r) {
  auto c = connection::open(o);
  if (!c)
    return c.error().in("snapshot");
  std::unique_ptr<snapshot_piece> p(new snapshot_piece(std::move(*c), std::move(r)));
  p->columns_.name = p->asked_.name;
  // Results as they are stored, in the column's own character set: as the log has them.
  auto failed = p->connection_.run("set session character_set_results = null, "
                                   "max_statement_time = 0");
  if (failed == ec::rejected) // MySQL knows no such limit of that name.
    failed = p->connection_.run("set session character_set_results = null");
  if (failed)
    return failed.in("snapshot");
  auto there = p->hold_table(catalog);
  if (there && *there)
    failed = p->fix();
  auto released = catalog.run("commit");
  if (!there)
    return there.error().in("snapshot of " + quoted(p->asked_.name));
  if (!*there)
    return std::unique_ptr<snapshot_piece>();
  failed = failed ? failed : released;
  if (failed)
    return failed.in("snapshot of " + quoted(p->asked_.name));
  return p;
}

/// From here to the commit of `catalog` no statement changes the table's columns. False: no table.
result<bool> snapshot_piece::hold_table(connection& catalog) {
  auto transactional = is_transactional(catalog, asked_.name);
  if (!transactional)
    return transactional.error();
  transactional_ = *transactional;
  auto columns = read_columns(catalog, columns_);
  if (columns == ec::rejected)
    return false;
  if (columns)
    return columns;
  if (auto failed = catalog.run("start transaction"))
    return failed;
  if (auto failed = catalog.run("select 1 from " + quoted(asked_.name) + " limit 0"))
    return failed;
  // They may have changed before the table was held.
  columns = read_columns(catalog, columns_);
  return columns ? result<bool>(columns) : true;
}

error snapshot_piece::fix() {
  if (!transactional_)
    return lock_table();
  return connection_.is_mariadb() ? fix_mariadb() : fix_by_looking(connection_);
}

error snapshot_piece::fix_mariadb() {
  if (auto failed = connection_.run("start transaction with consistent snapshot, read only"))
    return failed;
  auto rows = connection_.query("show status like 'binlog_snapshot_%'");
  if (!rows)
    return rows.error();
  for (const auto& r : *rows)
    if (r[0] == "Binlog_snapshot_file")
      at_.file = r[1].value_or("");
    else if (r[0] == "Binlog_snapshot_position")
      at_.offset = std::strtoull(r[1].value_or("0").c_str(), nullptr, 10);
  if (at_.file.empty())
    return rejected("the server does not say at which place of the log a snapshot is");
  auto end = read_log_end(connection_);
  if (!end)
    return end.error();
  at_us_ = end->now_us;
  // Takes the lock on the columns over from the other connection.
  return connection_.run("select 1 from " + quoted(asked_.name) + " limit 0");
}

error snapshot_piece::fix_by_looking(connection& c) {
  for (int i = 0; i < looks_max; ++i) {
    auto before = read_log_end(c);
    if (!before)
      return before.error();
    if (auto failed = c.run("start transaction with consistent snapshot, read only"))
      return failed;
    auto after = read_log_end(c);
    if (!after)
      return after.error();
    if (before->at == after->at) {
      at_ = after->at;
      at_us_ = after->now_us;
      return c.run("select 1 from " + quoted(asked_.name) + " limit 0");
    }
    if (auto failed = c.run("commit"))
      return failed;
  }
  return unavailable("the log never stood still around the start of a snapshot; the server is too "
                     "busy for one now");
}

error snapshot_piece::lock_table() {
  if (auto failed = connection_.run("lock tables " + quoted(asked_.name) + " read"))
    return failed;
  auto end = read_log_end(connection_);
  if (!end)
    return end.error();
  at_ = end->at;
  at_us_ = end->now_us;
  return {};
}

std::string snapshot_piece::query(const std::vector<planned_column>& planned) {
  std::string list;
  bool chunks = true;
  for (size_t i = 0; i < planned.size(); ++i) {
    list += (list.empty() ? "" : ", ") + planned[i].expression;
    if (!planned[i].field.key)
      continue;
    auto number = ordered_as_number(planned[i].how.how);
    bool is_bytes = planned[i].how.how == conversion::bytes;
    chunks = chunks && number.has_value();
    key_.push_back({i,
                    number.value_or(true) ? key_part::way::number
                    : is_bytes            ? key_part::way::bytes
                                          : key_part::way::text,
                    planned[i].how.chars});
  }
  if (!chunks)
    key_.clear();
  auto sql = fmt::format("select {} from {}", list, quoted(asked_.name));
  std::string where = asked_.where.empty() ? "" : "(" + asked_.where + ")";
  if (key_.empty())
    return where.empty() ? sql : sql + " where " + where;
  std::string order, behind;
  for (size_t i = key_.size(); i > 0; --i) {
    auto name = connection::identifier(planned[key_[i - 1].column].field.name);
    order = order.empty() ? name : name + ", " + order;
    if (asked_.last.size() != key_.size())
      continue;
    const auto& value = asked_.last[i - 1];
    behind = behind.empty() ? fmt::format("{} > {}", name, value)
                            : fmt::format("{0} >= {1} and ({0} > {1} or ({2}))", name, value, behind);
  }
  if (!behind.empty())
    where += (where.empty() ? "" : " and ") + ("(" + behind + ")");
  if (!where.empty())
    sql += " where " + where;
  return fmt::format("{} order by {} limit {}", sql, order, asked_.rows_max);
}

error snapshot_piece::copy(collector& out, collector::handle table,
                           const std::vector<planned_column>& planned) {
  if (!sent_) {
    sent_ = true;
    if (!asked_.rows) {
      complete_ = last_piece_ = true;
      return {};
    }
    if (auto failed = connection_.begin_rows(query(planned)))
      return failed.in("snapshot of " + quoted(asked_.name));
  }
  while (!out.full()) {
    auto row = connection_.next_row();
    if (!row)
      return row.error().in("snapshot of " + quoted(asked_.name));
    if (row->empty()) {
      complete_ = true;
      last_piece_ = key_.empty() || size_t(rows_) < asked_.rows_max;
      return {};
    }
    ++rows_;
    if (!key_.empty() && size_t(rows_) == asked_.rows_max)
      if (auto failed = remember_key(*row))
        return failed;
    add_row(*row, out, table, planned);
  }
  return {};
}

error snapshot_piece::remember_key(connection::cells row) {
  last_.clear();
  for (const auto& k : key_) {
    auto text = row[k.column];
    if (k.how == key_part::way::number) {
      last_.emplace_back(text);
    } else if (k.how == key_part::way::bytes) {
      last_.push_back(hex_literal(text));
    } else {
      auto utf8 = k.chars ? k.chars->to_utf8(text) : text;
      if (utf8.data() == nullptr)
        return rejected("snapshot of " + quoted(asked_.name) +
                        ": a key is not text of its character set");
      last_.push_back(connection_.literal(utf8));
    }
  }
  return {};
}

void snapshot_piece::add_row(connection::cells row, collector& out, collector::handle table,
                             const std::vector<planned_column>& planned) {
  auto& b = out.row(table, 'i', at_us_, ums::protocol::initial_data);
  for (size_t i = 0; i < row.size(); ++i) {
    auto& c = b.columns[ums::system_columns + i];
    if (row[i].data() == nullptr) {
      c.append_null();
      continue;
    }
    auto why = append_text(c, planned[i].how, row[i]);
    if (why == fit::good)
      continue;
    std::string bytes;
    for (auto cell : row)
      bytes.append(cell).append(1, '\t');
    out.spoil(unfit(planned[i].field, why), std::move(bytes));
    return;
  }
}

} // namespace rtdp::extract::my
