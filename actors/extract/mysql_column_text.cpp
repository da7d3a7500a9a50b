#include "actors/extract/mysql_column_text.hpp"

#include <fmt/format.h>

#include <cctype>

namespace rtdp::extract::my {

namespace {

struct synonym {
  std::string_view word, type;
};

constexpr synonym synonyms[] = {
    {"integer", "int"},       {"int1", "tinyint"},      {"int2", "smallint"},
    {"int3", "mediumint"},    {"middleint", "mediumint"}, {"int4", "int"},
    {"int8", "bigint"},       {"dec", "decimal"},       {"numeric", "decimal"},
    {"fixed", "decimal"},     {"number", "decimal"},    {"real", "double"},
    {"float4", "float"},      {"float8", "double"},     {"character", "char"},
    {"varcharacter", "varchar"}, {"varchar2", "varchar"}, {"nchar", "char"},
    {"nvarchar", "varchar"},  {"raw", "varbinary"},     {"clob", "longtext"},
};

/// Every word that begins a type, after synonyms.
constexpr std::string_view types[] = {
    "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "date",
    "datetime", "timestamp", "time", "year", "char", "varchar", "binary", "varbinary", "tinytext",
    "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob", "enum", "set",
    "json", "uuid", "inet4", "inet6", "geometry", "point", "linestring", "polygon", "multipoint",
    "multilinestring", "multipolygon", "geometrycollection"};

std::string lower(std::string text) {
  for (auto& c : text)
    c = char(std::tolower(uint8_t(c)));
  return text;
}

/// Widths that MariaDB shows for integers: signed, unsigned.
struct width {
  std::string_view type;
  int with_sign, without;
};
constexpr width widths[] = {
    {"tinyint", 4, 3}, {"smallint", 6, 5}, {"mediumint", 9, 8}, {"int", 11, 10}, {"bigint", 20, 20}};

struct type_words {
  std::string base, arguments;
  bool is_unsigned = false, zerofill = false, compressed = false;

  std::string text(bool mariadb) const {
    auto out = base;
    auto inside = arguments;
    bool no_sign = is_unsigned || zerofill;
    if (inside.empty() && mariadb)
      for (const auto& w : widths)
        if (w.type == base)
          inside = std::to_string(no_sign ? w.without : w.with_sign);
    if (inside.empty() && (base == "bit" || base == "char" || base == "binary"))
      inside = "1";
    if (inside.empty() && base == "year" && mariadb)
      inside = "4";
    if (base == "decimal" && inside.find(',') == inside.npos)
      inside = (inside.empty() ? "10" : inside) + ",0";
    if (!inside.empty())
      out += "(" + inside + ")";
    if (no_sign)
      out += " unsigned";
    if (zerofill)
      out += " zerofill";
    return compressed ? out + " /*M!100301 COMPRESSED*/" : out;
  }
};

std::string read_arguments(cursor& in) {
  std::string out;
  if (!in.take_sign('('))
    return out;
  for (; !in.at_end() && !in.now().is_sign(')'); in.skip()) {
    if (in.now().kind != token::what::text) {
      out += in.now().text;
      continue;
    }
    out += '\'';
    for (char c : in.now().text)
      out += c == '\'' ? "''" : std::string(1, c);
    out += '\'';
  }
  in.skip();
  return out;
}

error unknown(const std::string& type) {
  return rejected("the type " + type + " is not understood");
}

/// The words of the type up to its arguments; fixed character sets go into `def`.
error read_type(cursor& in, column_def& def, type_words& t, bool mariadb) {
  bool national = in.take("NATIONAL");
  auto word = lower(in.name());
  national = national || word == "nchar" || word == "nvarchar";
  if (word == "bool" || word == "boolean") {
    t.base = "tinyint";
    t.arguments = "1";
    return {};
  }
  if (word == "serial") {
    t.base = "bigint";
    t.is_unsigned = true;
    def.nullable = false;
    return {};
  }
  if (word == "long")
    word = in.take("VARBINARY") ? "mediumblob" : (in.take("VARCHAR"), "mediumtext");
  for (const auto& s : synonyms)
    if (s.word == word)
      word = s.type;
  if (word == "double")
    in.take("PRECISION");
  if (word == "char" && in.take("VARYING"))
    word = "varchar";
  if (std::find(std::begin(types), std::end(types), word) == std::end(types))
    return unknown(word);
  t.base = word;
  t.arguments = read_arguments(in);
  if (national)
    def.charset = "utf8mb3";
  if (word == "json" && mariadb) {
    t.base = "longtext";
    def.charset = "utf8mb4";
  }
  if (word == "float" && !t.arguments.empty() && t.arguments.find(',') == t.arguments.npos) {
    t.base = std::atoi(t.arguments.c_str()) > 24 ? "double" : "float";
    t.arguments.clear();
  }
  // The length then chooses the type, by rules of each server.
  if ((word.ends_with("text") || word.ends_with("blob")) && !t.arguments.empty())
    return unknown(word + "(" + t.arguments + ")");
  return {};
}

/// What follows the type; one word or group at a time.
void read_attribute(cursor& in, written_column& out, type_words& t) {
  auto& c = out.def;
  if (in.take("UNSIGNED")) {
    t.is_unsigned = true;
  } else if (in.take("ZEROFILL")) {
    t.zerofill = true;
  } else if (in.take_all("CHARACTER", "SET") || in.take("CHARSET")) {
    c.charset = read_charset(in);
  } else if (in.take("COLLATE")) {
    in.take_sign('=');
    auto charset = charset_of_collation(in.name());
    if (!charset.empty())
      c.charset = charset;
  } else if (in.take("ASCII")) {
    c.charset = "latin1";
  } else if (in.take("UNICODE")) {
    c.charset = "ucs2";
  } else if (in.take("BYTE")) {
    c.charset = "binary";
  } else if (in.take("COMPRESSED")) {
    t.compressed = true;
  } else if (in.take_all("NOT", "NULL")) {
    c.nullable = false;
  } else if (in.take("NULL")) {
    c.nullable = true;
  } else if (in.take_all("PRIMARY", "KEY") || in.take_all("PRIMARY")) {
    c.key = true;
    c.nullable = false;
  } else if (in.take("DEFAULT") || in.take("COMMENT") || in.take_all("ON", "UPDATE")) {
    in.now().is_sign('(') ? in.skip_group() : in.skip(); // Its NULL says nothing of the column.
  } else if (in.take("REFERENCES")) {
    while (!in.at_end() && !in.now().is("FIRST") && !in.now().is("AFTER") &&
           !in.now().is_sign(',') && !in.now().is_sign(')'))
      in.now().is_sign('(') ? in.skip_group() : in.skip();
  } else if (in.take("FIRST")) {
    out.first = true;
  } else if (in.take("AFTER")) {
    out.after = in.name();
  } else {
    in.now().is_sign('(') ? in.skip_group() : in.skip();
  }
}

/// A character set `binary` makes bytes of texts.
void as_bytes(type_words& t) {
  if (t.base == "char")
    t.base = "binary";
  else if (t.base == "varchar")
    t.base = "varbinary";
  else if (auto at = t.base.find("text"); at != t.base.npos)
    t.base.replace(at, 4, "blob");
}

bool takes_charset(const std::string& base) {
  return base == "char" || base == "varchar" || base.ends_with("text") || base == "enum" ||
         base == "set";
}

} // namespace

std::string charset_of_collation(std::string_view collation) {
  auto name = lower(std::string(collation.substr(0, collation.find('_'))));
  return charset::find(name) ? (name == "utf8" ? "utf8mb3" : name) : std::string();
}

std::string read_charset(cursor& in) {
  in.take_sign('=');
  auto name = in.now().kind == token::what::text ? in.now().text : std::string();
  if (name.empty())
    name = in.name();
  else
    in.skip();
  name = lower(name);
  return name == "utf8" ? "utf8mb3" : name;
}

bool has_charset(const column_def& c) {
  auto t = parse_type(c.type);
  return t && takes_charset(t->base);
}

result<written_column> read_column(cursor& in, const std::string& charset, bool mariadb) {
  written_column out;
  type_words t;
  out.def.name = in.name();
  if (out.def.name.empty())
    return rejected("expected a column's name; found \"" + in.now().text + "\"");
  if (auto failed = read_type(in, out.def, t, mariadb))
    return failed.in("column " + out.def.name);
  while (!in.at_end() && !in.now().is_sign(',') && !in.now().is_sign(')'))
    read_attribute(in, out, t);
  if (takes_charset(t.base) && out.def.charset.empty())
    out.def.charset = charset;
  if (out.def.charset == "binary" && takes_charset(t.base))
    as_bytes(t);
  if (!takes_charset(t.base))
    out.def.charset.clear();
  out.def.type = t.text(mariadb);
  return out;
}

} // namespace rtdp::extract::my
