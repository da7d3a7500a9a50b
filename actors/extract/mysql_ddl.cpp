#include "actors/extract/mysql_ddl.hpp"

#include "actors/extract/mysql_column_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace rtdp::extract::my {

namespace {

using verb = table_change::verb;

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(uint8_t(x)) == std::tolower(uint8_t(y));
  });
}

/// NOWAIT, WAIT 5.
void skip_wait(cursor& in) {
  if (in.take("WAIT"))
    in.skip();
  in.take("NOWAIT");
}

std::vector<table_change> read_drop(cursor& in, const std::string& database) {
  std::vector<table_change> out;
  if (in.now().is("TEMPORARY"))
    return out;
  if (in.take("DATABASE") || in.take("SCHEMA")) {
    in.take_all("IF", "EXISTS");
    out.push_back({.what = verb::drop_database, .name = {in.name(), {}}});
    return out;
  }
  if (auto action = in.at() - 1; in.take("INDEX")) {
    // Like the action of an ALTER TABLE, which says the table behind it.
    in.take_all("IF", "EXISTS");
    in.name();
    if (in.take("ON"))
      out.push_back({.what = verb::alter, .name = in.table(database), .first = action});
    return out;
  }
  if (!in.take("TABLE") && !in.take("TABLES"))
    return out;
  in.take_all("IF", "EXISTS");
  do
    out.push_back({.what = verb::drop, .name = in.table(database)});
  while (in.take_sign(','));
  return out;
}

std::vector<table_change> read_rename(cursor& in, const std::string& database) {
  std::vector<table_change> out;
  if (!in.take("TABLE") && !in.take("TABLES"))
    return out;
  in.take_all("IF", "EXISTS");
  do {
    table_change c{.what = verb::rename, .name = in.table(database)};
    skip_wait(in);
    if (in.take("TO"))
      c.to = in.table(database);
    out.push_back(std::move(c));
  } while (in.take_sign(','));
  return out;
}

/// Follows one ALTER TABLE.
class alteration {
public:
  alteration(table_state& t, cursor in, bool mariadb, const std::string& database, altered& out)
      : t_(t), in_(in), mariadb_(mariadb), database_(database), out_(out) {}

  error run() {
    skip_wait(in_);
    while (!in_.at_end()) {
      if (auto failed = action())
        return failed;
      in_.skip_item();
      if (in_.now().is_sign(')'))
        return rejected("a bracket closes that was not opened");
      in_.take_sign(',');
    }
    return {};
  }

private:
  error action() {
    if (in_.take("ADD"))
      return add();
    if (in_.take("DROP"))
      return drop();
    if (in_.take("MODIFY")) {
      in_.take("COLUMN");
      bool maybe = in_.take_all("IF", "EXISTS");
      return change(in_.now().text, maybe);
    }
    if (in_.take("CHANGE")) {
      in_.take("COLUMN");
      bool maybe = in_.take_all("IF", "EXISTS");
      auto old = in_.name();
      return change(old, maybe);
    }
    if (in_.take("RENAME"))
      return rename();
    if (in_.take_all("CONVERT", "TO", "CHARACTER", "SET") || in_.take_all("CONVERT", "TO", "CHARSET"))
      return convert();
    in_.take("DEFAULT");
    if (in_.take_all("CHARACTER", "SET") || in_.take("CHARSET")) {
      t_.charset = read_charset(in_);
    } else if (in_.take("COLLATE")) {
      in_.take_sign('=');
      if (auto charset = charset_of_collation(in_.name()); !charset.empty())
        t_.charset = charset;
    }
    for (auto word : {"EXCHANGE", "TRUNCATE", "DISCARD", "IMPORT", "CONVERT"})
      out_.rows_changed = out_.rows_changed || in_.now().is(word);
    // Further options of the table may follow without a comma.
    if (!in_.at_end() && !in_.now().is_sign(','))
      in_.now().is_sign('(') ? in_.skip_group() : in_.skip();
    return in_.at_end() || in_.now().is_sign(',') ? error{} : table_options();
  }

  /// ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 …, of which only the character set matters here.
  error table_options() {
    while (!in_.at_end() && !in_.now().is_sign(',')) {
      if (in_.take_all("CHARACTER", "SET") || in_.take("CHARSET")) {
        t_.charset = read_charset(in_);
        continue;
      }
      in_.now().is_sign('(') ? in_.skip_group() : in_.skip();
    }
    return {};
  }

  error add() {
    for (auto word : {"INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "PERIOD"})
      if (in_.now().is(word))
        return {};
    if (in_.now().is("PARTITION"))
      return {}; // A new partition is empty.
    if (in_.now().is("SYSTEM"))
      return rejected("ADD SYSTEM VERSIONING is not followed");
    if (in_.take("CONSTRAINT") && !in_.now().is("PRIMARY"))
      in_.name();
    if (in_.take_all("PRIMARY", "KEY"))
      return add_key();
    if (in_.now().is("UNIQUE") || in_.now().is("FOREIGN") || in_.now().is("CHECK"))
      return {};
    in_.take("COLUMN");
    bool maybe = in_.take_all("IF", "NOT", "EXISTS");
    if (!in_.take_sign('('))
      return add_column(maybe);
    do {
      if (in_.now().is("INDEX") || in_.now().is("KEY") || in_.now().is("UNIQUE"))
        in_.skip_item();
      else if (auto failed = add_column(maybe))
        return failed;
    } while (in_.take_sign(','));
    if (!in_.take_sign(')'))
      return rejected("expected a bracket behind the columns; found \"" + in_.now().text + "\"");
    return {};
  }

  error add_column(bool maybe) {
    auto c = read_column(in_, t_.charset, mariadb_);
    if (!c)
      return c.error();
    if (find(c->def.name) != t_.columns.end())
      return maybe ? error{} : rejected("column " + c->def.name + " was there already");
    return insert(*c, t_.columns.size());
  }

  error insert(const written_column& c, size_t otherwise) {
    auto at = c.first ? 0 : otherwise;
    if (!c.after.empty()) {
      auto before = find(c.after);
      if (before == t_.columns.end())
        return rejected("there was no column " + c.after);
      at = size_t(before - t_.columns.begin()) + 1;
    }
    t_.columns.insert(t_.columns.begin() + ptrdiff_t(at), c.def);
    return {};
  }

  error add_key() {
    // USING BTREE may stand in front, and each column may have a length and an order.
    while (!in_.at_end() && !in_.now().is_sign('('))
      in_.skip();
    in_.skip();
    for (auto& c : t_.columns)
      c.key = false;
    do {
      auto name = in_.name();
      auto c = find(name);
      if (c == t_.columns.end())
        return rejected("the primary key has no column " + name);
      c->key = true;
      c->nullable = false;
      in_.skip_item();
    } while (in_.take_sign(','));
    in_.take_sign(')');
    return {};
  }

  error drop() {
    if (in_.take_all("PRIMARY", "KEY") || drops_primary_index()) {
      for (auto& c : t_.columns)
        c.key = false;
      return {};
    }
    for (auto word : {"INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK", "PERIOD"})
      if (in_.now().is(word))
        return {};
    if (in_.now().is("PARTITION")) {
      out_.rows_changed = true;
      return {};
    }
    if (in_.now().is("SYSTEM"))
      return rejected("DROP SYSTEM VERSIONING is not followed");
    in_.take("COLUMN");
    bool maybe = in_.take_all("IF", "EXISTS");
    auto name = in_.name();
    auto c = find(name);
    if (c != t_.columns.end())
      t_.columns.erase(c);
    else if (!maybe)
      return rejected("there was no column " + name);
    return {};
  }

  bool drops_primary_index() {
    auto look = in_;
    if (!look.take("INDEX") && !look.take("KEY"))
      return false;
    look.take_all("IF", "EXISTS");
    return same_name(look.name(), "PRIMARY");
  }

  /// MODIFY and CHANGE: the whole definition anew; its place in the key stays.
  error change(const std::string& old, bool maybe) {
    auto there = find(old);
    auto c = read_column(in_, t_.charset, mariadb_);
    if (!c)
      return c.error();
    if (there == t_.columns.end())
      return maybe ? error{} : rejected("there was no column " + old);
    c->def.key = c->def.key || there->key;
    c->def.nullable = c->def.nullable && !c->def.key;
    auto at = size_t(there - t_.columns.begin());
    t_.columns.erase(there);
    return insert(*c, at);
  }

  error rename() {
    if (in_.take("COLUMN")) {
      bool maybe = in_.take_all("IF", "EXISTS");
      auto old = in_.name();
      auto c = find(old);
      if (!in_.take("TO") || (c == t_.columns.end() && !maybe))
        return rejected("there was no column " + old);
      auto now = in_.name();
      if (c != t_.columns.end())
        c->name = now;
      return {};
    }
    if (in_.now().is("INDEX") || in_.now().is("KEY"))
      return {};
    if (!in_.take("TO") && !in_.take("AS"))
      in_.take_sign('=');
    out_.renamed = in_.table(database_);
    return out_.renamed.table.empty() ? rejected("RENAME to what?") : error{};
  }

  error convert() {
    auto to = read_charset(in_);
    if (in_.take("COLLATE"))
      in_.name();
    auto now = charset::find(to);
    if (!now || to == "binary")
      return rejected("CONVERT TO CHARACTER SET " + to + " is not followed");
    t_.charset = to;
    for (auto& c : t_.columns) {
      if (!has_charset(c))
        continue;
      auto before = charset::find(c.charset);
      // Texts must hold as many characters as before.
      constexpr std::string_view sizes[] = {"tinytext", "text", "mediumtext", "longtext"};
      for (size_t i = 0; i + 1 < std::size(sizes); ++i)
        if (c.type == sizes[i] && before && now->bytes_max() > before->bytes_max()) {
          c.type = sizes[i + 1];
          break;
        }
      c.charset = to;
    }
    return {};
  }

  std::vector<column_def>::iterator find(std::string_view name) {
    return std::find_if(t_.columns.begin(), t_.columns.end(),
                        [&](auto& c) { return same_name(c.name, name); });
  }

  table_state& t_;
  cursor in_;
  bool mariadb_;
  const std::string& database_;
  altered& out_;
};

} // namespace

std::vector<table_change> changes_of(const std::vector<token>& tokens, const std::string& database) {
  cursor in(tokens, 0);
  if (in.take("DROP"))
    return read_drop(in, database);
  if (in.take("RENAME"))
    return read_rename(in, database);
  if (in.take("TRUNCATE")) {
    in.take("TABLE");
    return {{.what = verb::truncate, .name = in.table(database)}};
  }
  if (in.take("CREATE")) {
    in.take_all("OR", "REPLACE");
    if (!in.take("TABLE"))
      return {};
    in.take_all("IF", "NOT", "EXISTS");
    return {{.what = verb::create, .name = in.table(database)}};
  }
  if (!in.take("ALTER"))
    return {};
  while (in.take("ONLINE") || in.take("OFFLINE") || in.take("IGNORE"))
    ;
  if (!in.take("TABLE"))
    return {};
  in.take_all("IF", "EXISTS");
  auto name = in.table(database);
  return {{.what = verb::alter, .name = std::move(name), .first = in.at()}};
}

error alter(table_state& t, const std::vector<token>& tokens, size_t first, bool mariadb,
            const std::string& database, altered& out) {
  return alteration(t, cursor(tokens, first), mariadb, database, out).run();
}

} // namespace rtdp::extract::my
