/// What `changes` makes of statements in the log: transactions, and changes of tables.
#include "actors/extract/mysql_changes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::my {

namespace {

using verb = table_change::verb;

constexpr uint64_t mode_ansi_quotes = 0x4, mode_no_backslash_escapes = 0x100000;

/// SQL modes of the session; the status variables begin with flags (0) and modes (1).
uint64_t modes_of(const event& e) {
  constexpr size_t fixed = 13;
  auto b = e.body;
  size_t size = little_endian(b, 11, 2), at = fixed, end = std::min(fixed + size, b.size());
  if (at + 5 <= end && b[at] == 0)
    at += 5;
  return at + 9 <= end && b[at] == 1 ? little_endian(b, at + 1, 8) : 0;
}

/// The first word, to tell most statements from those that change tables.
bool begins_with(std::string_view text, std::string_view upper) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || text[0] == '\r'))
    text.remove_prefix(1);
  return text.size() >= upper.size() &&
         std::equal(upper.begin(), upper.end(), text.begin(),
                    [](char a, char b) { return a == (b >= 'a' && b <= 'z' ? b - 32 : b); });
}

} // namespace

error changes::run_statement(const event& e, collector& out) {
  auto s = parse_statement(e);
  if (!s)
    return s.error();
  advance(e);
  if (s->text == "BEGIN") {
    ts_us_ = e.timestamp * second_us;
    in_transaction_ = true;
    return {};
  }
  if (s->text == "COMMIT") {
    commit();
    return {};
  }
  if (begins_with(s->text, "SAVEPOINT"))
    return {};
  if (begins_with(s->text, "ROLLBACK")) {
    // Changes of transactional tables before it did not happen, and went out already.
    if (at_.events > 0 || at_.changes > 0)
      return rejected("binary log: a transaction with tables that cannot roll back was rolled back "
                      "in part; read its tables anew");
    if (s->text == "ROLLBACK")
      commit();
    return {};
  }
  if (begins_with(s->text, "XA ")) {
    commit();
    return {};
  }
  if (!in_transaction_)
    ts_us_ = e.timestamp * second_us;
  // A statement within a transaction (CREATE TABLE … SELECT) counts like an event of rows.
  if (in_transaction_ && skip_events_ > 0) {
    --skip_events_;
    return {};
  }
  if (auto failed = run_ddl(*s, e, out))
    return failed;
  if (in_transaction_)
    ++at_.events;
  else
    commit();
  return {};
}

error changes::run_ddl(const statement& s, const event& e, collector& out) {
  // Rows come as rows: of all other statements only those that change tables matter.
  for (auto word : {"INSERT", "UPDATE", "DELETE", "REPLACE", "GRANT", "REVOKE", "FLUSH", "ANALYZE"})
    if (begins_with(s.text, word))
      return {};
  auto modes = modes_of(e);
  auto tokens = tokens_of(s.text, {.ansi_quotes = (modes & mode_ansi_quotes) != 0,
                                   .no_backslash_escapes = (modes & mode_no_backslash_escapes) != 0,
                                   .mariadb = rules_.mariadb,
                                   .version = rules_.version});
  std::string database(s.database);
  for (const auto& c : changes_of(tokens, database))
    if (auto failed = change_table(c, tokens, e, database, out))
      return failed;
  return {};
}

error changes::change_table(const table_change& c, const std::vector<token>& tokens, const event& e,
                            const std::string& database, collector& out) {
  auto place = fmt::format("{}:{}", at_.at.file, offset_ - e.length);
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    auto& t = at_.tables[i];
    bool named = t.name == c.name;
    bool arrives = c.what == verb::rename && t.name == c.to;
    bool dropped = c.what == verb::drop_database && t.name.database == c.name.database;
    // Another table takes the name: all its rows are new to us. What its columns are is read with
    // them.
    if (arrives || (named && c.what == verb::create && (!t.begun || !t.lost.empty()))) {
      read_anew(t);
      continue;
    }
    if ((!named && !dropped) || !t.begun)
      continue;
    forget_maps(t);
    tables_changed_ = true;
    switch (c.what) {
    case verb::truncate:
      out.truncate(name_of(i), ts_us_);
      break;
    case verb::create:
      // IF NOT EXISTS stands in the log also when the table was there.
      if (tokens[1].is("OR"))
        read_anew(t);
      break;
    case verb::drop:
    case verb::drop_database:
      t.lost = "the table was dropped at " + place;
      break;
    case verb::rename:
      t.lost = "the table was renamed at " + place;
      break;
    case verb::alter:
      if (auto failed = alter_table(c, t, tokens, database, place))
        return failed;
      break;
    }
  }
  return {};
}

error changes::alter_table(const table_change& c, table_state& t, const std::vector<token>& tokens,
                           const std::string& database, const std::string& place) {
  altered what;
  if (auto failed = alter(t, tokens, c.first, rules_.mariadb, database, what)) {
    t.lost = "the ALTER TABLE at " + place + " could not be followed: " + failed.text();
    return {};
  }
  if (!what.renamed.table.empty() && what.renamed != t.name) {
    t.lost = "the table was renamed at " + place;
    if (auto* other = at_.find(what.renamed))
      read_anew(*other);
    return {};
  }
  if (what.rows_changed)
    read_anew(t);
  return {};
}

} // namespace rtdp::extract::my
