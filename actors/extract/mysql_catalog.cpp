#include "actors/extract/mysql_catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rtdp::extract::my {

namespace {

template<class T>
T number(const std::optional<std::string>& text, T otherwise = 0) {
  T out = otherwise;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

/// A setting of the server, "" when it has none of that name.
result<std::string> setting(connection& c, const std::string& name) {
  auto rows = c.query("show global variables where Variable_name = " + c.literal(name));
  if (!rows)
    return rows.error();
  return rows->empty() ? std::string() : (*rows)[0].at(1).value_or("");
}

error without_rights(const error& e) {
  return rejected("the user must be allowed to read the binary log: GRANT REPLICATION SLAVE, BINLOG "
                  "MONITOR (MySQL: REPLICATION CLIENT) ON *.* TO it (" +
                  e.text() + ")");
}

std::string status_statement(connection& c) {
  // MySQL dropped the old words in 8.4.
  return !c.is_mariadb() && c.version() >= 80400 ? "show binary log status" : "show master status";
}

error check_setting(connection& c, const std::string& name, const std::string& wanted,
                    const std::string& hint) {
  auto found = setting(c, name);
  if (!found)
    return found.error();
  if (*found == wanted || found->empty())
    return {};
  return rejected(fmt::format("{}: expected {}; found {}: {}", name, wanted, *found, hint));
}

} // namespace

std::string quoted(const table_name& name) {
  return connection::identifier(name.database) + "." + connection::identifier(name.table);
}

error check_server(connection& c) {
  struct requirement {
    std::string name, wanted, hint;
  };
  const requirement all[] = {
      {"log_bin", "ON", "the server writes no binary log; set log_bin and server_id in its "
                        "configuration and restart it"},
      {"binlog_format", "ROW", "statements cannot be followed row by row; SET GLOBAL binlog_format = "
                               "'ROW', and let sessions that are open connect anew"},
      {"binlog_row_image", "FULL", "rows would come without the columns that did not change; SET "
                                   "GLOBAL binlog_row_image = 'FULL', and let sessions that are "
                                   "open connect anew"},
      {"log_bin_compress", "OFF", "compressed events are not supported; SET GLOBAL "
                                  "log_bin_compress = OFF"},
      {"binlog_transaction_compression", "OFF", "compressed transactions are not supported; SET "
                                                "GLOBAL binlog_transaction_compression = OFF"},
      {"binlog_row_value_options", "", "rows would come with parts of JSON values; SET GLOBAL "
                                       "binlog_row_value_options = ''"},
  };
  for (const auto& r : all)
    if (auto failed = check_setting(c, r.name, r.wanted, r.hint))
      return failed;
  auto end = read_log_end(c);
  return end ? error{} : end.error();
}

bool stands_for(const captured_table& wanted, const table_name& name) {
  if (!wanted.glob || wanted.name.database != name.database)
    return wanted.name == name;
  // Each star takes as little as it can; the last one is found from the end.
  std::string_view glob = wanted.name.table, text = name.table;
  auto star = glob.find('*');
  if (!text.starts_with(glob.substr(0, star)))
    return false;
  text.remove_prefix(star);
  glob.remove_prefix(star + 1);
  for (star = glob.find('*'); star != glob.npos; star = glob.find('*')) {
    auto at = text.find(glob.substr(0, star));
    if (at == text.npos)
      return false;
    text.remove_prefix(at + star);
    glob.remove_prefix(star + 1);
  }
  return text.ends_with(glob);
}

result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted,
                                                const position& stored) {
  std::vector<captured_table> out;
  for (const auto& w : wanted) {
    auto rows = c.query("select table_name, table_rows from information_schema.tables where "
                        "table_type = 'BASE TABLE' and table_schema = " +
                        c.literal(w.name.database) + " order by table_name");
    if (!rows)
      return rows.error();
    std::vector<captured_table> all;
    for (const auto& r : *rows)
      all.push_back({{w.name.database, r[0].value_or("")}, w.before_images, number<int64_t>(r[1], -1)});
    for (const auto& t : stored.tables)
      all.push_back({t.name, w.before_images});
    bool any = false;
    for (auto& t : all) {
      if (!stands_for(w, t.name))
        continue;
      any = true;
      auto known = std::find_if(out.begin(), out.end(), [&](auto& o) { return o.name == t.name; });
      if (known == out.end())
        out.push_back(std::move(t));
      else if (!w.glob) // What names one table says more than what names many.
        known->before_images = w.before_images;
    }
    if (!any)
      return rejected(fmt::format("table {}: expected a base table that this user may read; found "
                                  "none",
                                  quoted(w.name)));
  }
  return out;
}

error read_columns(connection& c, table_state& t) {
  auto where = fmt::format(" where table_schema = {} and table_name = {}",
                           c.literal(t.name.database), c.literal(t.name.table));
  auto table = c.query("select substring_index(table_collation, '_', 1) from "
                       "information_schema.tables" + where);
  if (!table)
    return table.error();
  if (table->empty())
    return rejected("table " + quoted(t.name) + ": expected it to exist; it does not");
  // Of a unique key that the server takes for a primary one, too, this is PRI.
  auto rows = c.query("select column_name, column_type, character_set_name, is_nullable, column_key, "
                      "generation_expression is not null and extra like '%VIRTUAL%' from "
                      "information_schema.columns" + where + " order by ordinal_position");
  if (!rows)
    return rows.error();
  t.charset = (*table)[0][0].value_or("");
  t.columns.clear();
  for (const auto& r : *rows)
    t.columns.push_back({.name = r[0].value_or(""),
                         .type = r[1].value_or(""),
                         .charset = r[2].value_or(""),
                         .nullable = r[3] != "NO",
                         .key = r[4] == "PRI"});
  t.lost.clear();
  return {};
}

result<bool> is_transactional(connection& c, const table_name& t) {
  auto found = c.value(fmt::format(
      "select e.transactions from information_schema.tables t join information_schema.engines e on "
      "e.engine = t.engine where t.table_schema = {} and t.table_name = {}",
      c.literal(t.database), c.literal(t.table)));
  if (!found)
    return found.error();
  return *found == "YES";
}

result<std::map<uint32_t, std::string>> read_collations(connection& c) {
  auto rows = c.query(c.is_mariadb()
                          ? "select id, character_set_name from "
                            "information_schema.collation_character_set_applicability"
                          : "select id, character_set_name from information_schema.collations");
  // Before 10.10 only this table has the numbers.
  if (!rows && c.is_mariadb())
    rows = c.query("select id, character_set_name from information_schema.collations");
  if (!rows)
    return rows.error();
  std::map<uint32_t, std::string> out;
  for (const auto& r : *rows)
    out[number<uint32_t>(r[0])] = r[1].value_or("");
  return out;
}

result<bool> has_checksums(connection& c) {
  auto found = setting(c, "binlog_checksum");
  if (!found)
    return found.error();
  return *found != "NONE";
}

result<log_end> read_log_end(connection& c) {
  auto rows = c.query(status_statement(c));
  if (!rows)
    return rows.error() == ec::rejected ? without_rights(rows.error()) : rows.error();
  if (rows->empty())
    return rejected("log_bin: expected ON; the server writes no binary log");
  auto now = c.value("select cast(unix_timestamp(sysdate(6)) * 1000000 as signed)");
  if (!now)
    return now.error();
  const auto& r = (*rows)[0];
  return log_end{{r.at(0).value_or(""), number<uint64_t>(r.at(1))}, number<int64_t>(*now)};
}

int64_t retained_bytes(connection& c, const log_place& from) {
  auto rows = c.query("show binary logs");
  if (!rows)
    return -1;
  int64_t sum = 0;
  for (const auto& r : *rows) {
    log_place end{r[0].value_or(""), number<uint64_t>(r.at(1))};
    if (end.file == from.file)
      sum += int64_t(end.offset) - int64_t(std::min(from.offset, end.offset));
    else if (from.before({end.file, 0}))
      sum += int64_t(end.offset);
  }
  return sum;
}

std::map<uint32_t, std::string> parse_gtids(std::string_view text) {
  std::map<uint32_t, std::string> out;
  while (!text.empty()) {
    auto end = std::min(text.find(','), text.size());
    auto one = std::string(text.substr(0, end));
    out[number<uint32_t>(one)] = one;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

result<std::map<uint32_t, std::string>> read_gtids(connection& c, const log_place& at) {
  if (!c.is_mariadb())
    return std::map<uint32_t, std::string>{};
  auto text = c.value(fmt::format("select binlog_gtid_pos({}, {})", c.literal(at.file), at.offset));
  if (!text)
    return text.error();
  return parse_gtids(*text);
}

result<std::string> read_server_uuid(connection& c) {
  return c.is_mariadb() ? std::string() : setting(c, "server_uuid");
}

error check_place(connection& c, const position& stored) {
  auto rows = c.query("show binary logs");
  if (!rows)
    return rows.error() == ec::rejected ? without_rights(rows.error()) : rows.error();
  auto found = std::find_if(rows->begin(), rows->end(),
                            [&](auto& r) { return r[0] == stored.at.file; });
  auto lost = [&](const std::string& why) {
    return rejected(fmt::format("stored position {}: {}; the changes behind it are lost. Was the log "
                                "purged, RESET MASTER run, or the server replaced? Set on_lost: "
                                "resnapshot to read all rows anew",
                                stored.at.text(), why));
  };
  if (found == rows->end())
    return lost("the server has no such log file any more; its first is " +
                (rows->empty() ? "none" : rows->front()[0].value_or("")));
  if (number<uint64_t>((*found)[1]) < stored.at.offset)
    return lost(fmt::format("the server's log file ends at {}", (*found)[1].value_or("")));
  auto uuid = read_server_uuid(c);
  if (!uuid)
    return uuid.error();
  if (!stored.server_uuid.empty() && *uuid != stored.server_uuid)
    return lost("the server's UUID is another one");
  auto gtid = read_gtids(c, stored.at);
  if (!gtid)
    return gtid.error();
  if (c.is_mariadb() && *gtid != stored.gtid)
    return lost("the server's log has other transactions there: it is another log of that name");
  return {};
}

} // namespace rtdp::extract::my
