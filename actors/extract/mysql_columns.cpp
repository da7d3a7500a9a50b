#include "actors/extract/mysql_columns.hpp"

#include "actors/extract/mysql_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rtdp::extract::my {

namespace {

/// Types of the log, by their numbers in the protocol.
enum wire : uint8_t {
  w_tiny = 1,
  w_short = 2,
  w_long = 3,
  w_float = 4,
  w_double = 5,
  w_timestamp = 7,
  w_longlong = 8,
  w_int24 = 9,
  w_date = 10,
  w_time = 11,
  w_datetime = 12,
  w_year = 13,
  w_newdate = 14,
  w_varchar = 15,
  w_bit = 16,
  w_timestamp2 = 17,
  w_datetime2 = 18,
  w_time2 = 19,
  w_json = 245,
  w_decimal = 246,
  w_enum = 247,
  w_set = 248,
  w_blob = 252,
  w_string = 254,
  w_geometry = 255,
};

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> all) {
  return std::find(all.begin(), all.end(), text) != all.end();
}

bool is_text_type(std::string_view base) {
  return is_one_of(base, {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"});
}

bool is_geometry(std::string_view base) {
  return is_one_of(base, {"geometry", "point", "linestring", "polygon", "multipoint",
                          "multilinestring", "multipolygon", "geometrycollection", "geomcollection"});
}

bool is_blob(std::string_view base) {
  return is_one_of(base, {"tinyblob", "blob", "mediumblob", "longblob"});
}

/// Bytes of the length in front of a BLOB or TEXT.
uint16_t blob_length_bytes(std::string_view base) {
  if (base.starts_with("tiny"))
    return 1;
  if (base.starts_with("medium"))
    return 3;
  return base.starts_with("long") ? 4 : 2;
}

void skip_spaces(std::string_view text, size_t& at) {
  while (at < text.size() && text[at] == ' ')
    ++at;
}

/// 'it''s', with the quote doubled or behind a backslash.
bool read_label(std::string_view text, size_t& at, std::string& out) {
  skip_spaces(text, at);
  if (at >= text.size() || text[at] != '\'')
    return false;
  for (++at; at < text.size(); ++at) {
    if (text[at] != '\'') {
      out += text[at];
    } else if (text.substr(at + 1, 1) == "'") {
      out += text[at++];
    } else {
      ++at;
      skip_spaces(text, at);
      return true;
    }
  }
  return false;
}

bool read_arguments(std::string_view text, size_t& at, parsed_type& out) {
  ++at;
  while (at < text.size() && text[at] != ')') {
    if (text[at] == ',' || text[at] == ' ') {
      ++at;
      continue;
    }
    if (text[at] == '\'') {
      if (!read_label(text, at, out.labels.emplace_back()))
        return false;
      continue;
    }
    uint32_t n = 0;
    auto [end, failed] = std::from_chars(text.data() + at, text.data() + text.size(), n);
    if (failed != std::errc{})
      return false;
    (out.length ? out.scale : out.length) = n;
    at = size_t(end - text.data());
  }
  return at++ < text.size();
}

ums::type integer_type(const parsed_type& t) {
  if (t.base == "bigint")
    return t.is_unsigned ? ums::type::decimal : ums::type::long_;
  return t.base == "int" && t.is_unsigned ? ums::type::long_ : ums::type::int_;
}

bool is_integer(std::string_view base) {
  return is_one_of(base, {"tinyint", "smallint", "mediumint", "int", "bigint"});
}

void plan_zeros(planned_column& out, zero_dates zeros, ums::type type) {
  out.how.zeros = zeros;
  out.how.as_text = zeros == zero_dates::text;
  out.field.type = out.how.as_text ? ums::type::string : type;
  out.field.nullable = out.field.nullable || zeros == zero_dates::null;
}

/// The kinds that are neither numbers nor text.
bool plan_time(const parsed_type& t, zero_dates zeros, planned_column& out) {
  out.how.fraction = uint8_t(std::min(t.length.value_or(0), 6U));
  if (t.base == "date") {
    out.how.how = conversion::date;
    plan_zeros(out, zeros, ums::type::date);
  } else if (t.base == "datetime" || t.base == "timestamp") {
    out.how.how = t.base == "datetime" ? conversion::datetime : conversion::timestamp;
    plan_zeros(out, zeros, ums::type::datetime);
  } else if (t.base == "time") {
    out.how.how = conversion::time;
  } else {
    return false;
  }
  return true;
}

bool plan_number(const parsed_type& t, planned_column& out) {
  const auto name = connection::identifier(out.field.name);
  if (is_integer(t.base)) {
    out.field.type = integer_type(t);
    out.how.how = out.field.type == ums::type::decimal ? conversion::unsigned_long
                                                       : conversion::integer;
  } else if (t.base == "decimal") {
    out.field.type = ums::type::decimal;
    out.how.how = conversion::decimal;
  } else if (t.base == "float" || t.base == "double") {
    bool single = t.base == "float";
    out.field.type = single ? ums::type::float_ : ums::type::double_;
    out.how.how = single ? conversion::real4 : conversion::real8;
    // A FLOAT prints six digits, and one with a scale rounds: as a double it is exact.
    out.expression = "cast(" + name + " as double)";
  } else if (t.base == "year") {
    out.field.type = ums::type::int_;
    out.how.how = conversion::year;
  } else if (t.base == "bit") {
    auto bits = t.length.value_or(1);
    out.field.type = bits < 32 ? ums::type::int_ : bits < 64 ? ums::type::long_ : ums::type::decimal;
    out.how.how = conversion::bits;
    out.expression = name + " + 0";
  } else {
    return false;
  }
  return true;
}

bool plan_bytes(const parsed_type& t, planned_column& out) {
  auto how = [&](conversion c, uint32_t size) {
    out.how.how = c;
    out.how.pad_to = size;
    return true;
  };
  if (t.base == "uuid")
    return how(conversion::uuid, 16);
  if (t.base == "inet6")
    return how(conversion::inet6, 16);
  if (t.base == "inet4")
    return how(conversion::inet4, 4);
  if (t.base == "binary" || t.base == "varbinary" || is_blob(t.base) || is_geometry(t.base)) {
    out.field.type = ums::type::binary;
    return how(conversion::bytes, t.base == "binary" ? t.length.value_or(1) : 0);
  }
  return false;
}

bool stored_as_string(stored_column s, uint32_t bytes) {
  if (s.type != w_string)
    return false;
  // The upper two bits of a length beyond 255 hide, turned over, in the real type.
  uint32_t real = s.meta & 0xff, low = s.meta >> 8;
  if ((real & 0x30) == 0x30)
    return real == w_string && low == bytes;
  return (low | (((real & 0x30) ^ 0x30) << 4)) == bytes;
}

bool stored_as_labels(stored_column s, uint8_t real, size_t labels) {
  auto bytes = real == w_set ? (labels <= 32 ? (labels + 7) / 8 : 8) : labels < 256 ? 1 : 2;
  if (real == w_set && labels > 24 && labels <= 32)
    bytes = 4;
  return s.type == w_string && (s.meta & 0xff) == real && size_t(s.meta >> 8) == bytes;
}

bool fits_time(const parsed_type& t, stored_column s) {
  auto fraction = t.length.value_or(0);
  auto now = [&](uint8_t modern, uint8_t old) {
    return (s.type == modern && s.meta == fraction) || (s.type == old && fraction == 0);
  };
  if (t.base == "date")
    return s.type == w_date || s.type == w_newdate;
  if (t.base == "datetime")
    return now(w_datetime2, w_datetime);
  if (t.base == "timestamp")
    return now(w_timestamp2, w_timestamp);
  return now(w_time2, w_time);
}

bool fits_text(const parsed_type& t, const column_def& c, stored_column s) {
  auto length = t.length.value_or(1);
  bool binary = t.base == "binary" || t.base == "varbinary";
  auto chars = binary ? nullptr : charset::find(c.charset);
  auto bytes = chars ? uint32_t(length * chars->bytes_max()) : length;
  // A set that we do not know has an unknown width, and none of its values is read.
  bool any = !binary && !chars;
  if (t.base == "varchar" || t.base == "varbinary")
    return s.type == w_varchar && (any || s.meta == bytes);
  return any ? s.type == w_string : stored_as_string(s, bytes);
}

} // namespace

result<parsed_type> parse_type(std::string_view text) {
  parsed_type out;
  auto bad = [&] {
    return rejected(fmt::format("type \"{}\": expected a name and what belongs to it in brackets",
                                text.substr(0, 200)));
  };
  size_t at = 0;
  while (at < text.size() && text[at] != '(' && text[at] != ' ')
    out.base += char(std::tolower(uint8_t(text[at++])));
  if (out.base.empty())
    return bad();
  skip_spaces(text, at);
  if (at < text.size() && text[at] == '(' && !read_arguments(text, at, out))
    return bad();
  auto rest = text.substr(at);
  out.is_unsigned = rest.find("unsigned") != rest.npos || rest.find("zerofill") != rest.npos;
  if (rest.find("COMPRESSED") != rest.npos)
    out.base += " compressed";
  if (out.base == "decimal") {
    out.length = out.length.value_or(10);
    out.scale = out.scale.value_or(0);
  }
  return out;
}

result<planned_column> plan_column(const column_def& c, zero_dates zeros) {
  auto t = parse_type(c.type);
  if (!t)
    return t.error().in("column " + c.name);
  planned_column out{.field = {.name = c.name,
                               .type = ums::type::string,
                               .nullable = c.nullable,
                               .key = c.key,
                               .native = c.type},
                     .how = {},
                     .expression = connection::identifier(c.name)};
  out.how.is_unsigned = t->is_unsigned;
  if (plan_number(*t, out) || plan_time(*t, zeros, out) || plan_bytes(*t, out))
    return out;
  bool labels = t->base == "enum" || t->base == "set";
  if (labels) {
    out.how.how = t->base == "enum" ? conversion::enumeration : conversion::set;
    out.how.labels = std::move(t->labels);
  } else if (t->base == "json") {
    out.field.type = ums::type::jsonobject;
  }
  out.how.chars = charset::find(t->base == "json" ? "utf8mb4" : c.charset);
  bool readable = labels || t->base == "json" || is_text_type(t->base);
  if (!readable || !out.how.chars)
    out.how.how = conversion::unreadable;
  return out;
}

bool fits(const column_def& c, stored_column s) {
  auto t = parse_type(c.type);
  if (!t)
    return false;
  constexpr std::pair<std::string_view, wire> plain[] = {
      {"tinyint", w_tiny}, {"smallint", w_short}, {"mediumint", w_int24}, {"int", w_long},
      {"bigint", w_longlong}, {"float", w_float}, {"double", w_double}, {"year", w_year},
      {"json", w_json}};
  for (const auto& [name, type] : plain)
    if (t->base == name)
      return s.type == type;
  if (t->base == "decimal")
    return s.type == w_decimal && s.meta == (*t->length | *t->scale << 8);
  if (is_one_of(t->base, {"date", "datetime", "timestamp", "time"}))
    return fits_time(*t, s);
  if (is_one_of(t->base, {"char", "varchar", "binary", "varbinary"}))
    return fits_text(*t, c, s);
  if (t->base == "uuid" || t->base == "inet6" || t->base == "inet4")
    return stored_as_string(s, t->base == "inet4" ? 4 : 16);
  if (is_blob(t->base) || is_text_type(t->base))
    return s.type == w_blob && s.meta == blob_length_bytes(t->base);
  if (is_geometry(t->base))
    return s.type == w_geometry;
  if (t->base == "bit") {
    auto bits = t->length.value_or(1);
    return s.type == w_bit && s.meta == (bits % 8 | (bits / 8) << 8);
  }
  if (t->base == "enum" || t->base == "set")
    return stored_as_labels(s, t->base == "enum" ? w_enum : w_set, t->labels.size());
  return true; // Not a type that we read: every row with a value is a dead letter.
}

std::string describe_stored(stored_column s) {
  constexpr std::pair<uint8_t, std::string_view> names[] = {
      {w_tiny, "tinyint"}, {w_short, "smallint"}, {w_int24, "mediumint"}, {w_long, "int"},
      {w_longlong, "bigint"}, {w_float, "float"}, {w_double, "double"}, {w_year, "year"},
      {w_date, "date"}, {w_newdate, "date"}, {w_datetime, "datetime"}, {w_datetime2, "datetime"},
      {w_timestamp, "timestamp"}, {w_timestamp2, "timestamp"}, {w_time, "time"}, {w_time2, "time"},
      {w_json, "json"}, {w_geometry, "geometry"}};
  for (const auto& [type, name] : names)
    if (s.type == type)
      return std::string(name) + (type >= w_timestamp2 && type <= w_time2 && s.meta > 0
                                      ? fmt::format("({})", s.meta)
                                      : "");
  if (s.type == w_decimal)
    return fmt::format("decimal({},{})", s.meta & 0xff, s.meta >> 8);
  if (s.type == w_bit)
    return fmt::format("bit({})", (s.meta & 0xff) + (s.meta >> 8) * 8);
  if (s.type == w_varchar)
    return fmt::format("varbinary({})", s.meta);
  if (s.type == w_blob) {
    constexpr std::string_view sizes[] = {"tinyblob", "blob", "mediumblob", "longblob"};
    return std::string(sizes[s.meta >= 1 && s.meta <= 4 ? s.meta - 1U : 3]);
  }
  if (s.type == w_string) {
    uint32_t real = s.meta & 0xff, low = s.meta >> 8;
    if (real == w_enum || real == w_set)
      return real == w_enum ? "enum" : "set";
    auto high = (real & 0x30) == 0x30 ? 0 : ((real & 0x30) ^ 0x30) << 4;
    return fmt::format("binary({})", low | high);
  }
  return fmt::format("type {}", s.type);
}

column_def column_from(stored_column s, const column_metadata& m, bool nullable,
                       const std::string& charset_name) {
  column_def out{.name = m.name, .type = describe_stored(s), .charset = {}, .nullable = nullable,
                 .key = m.key};
  if (!m.labels.empty()) {
    std::string list;
    for (auto l : m.labels) {
      for (size_t at = 0; (at = l.find('\'', at)) != l.npos; at += 2)
        l.insert(at, 1, '\'');
      list += (list.empty() ? "'" : ",'") + l + "'";
    }
    out.type += "(" + list + ")";
    out.charset = charset_name;
    return out;
  }
  auto t = parse_type(out.type);
  bool binary = charset_name.empty() || charset_name == "binary";
  if (m.is_unsigned && out.type != "year")
    out.type += " unsigned";
  if (!t || binary)
    return out;
  // The length counts bytes in the log and characters in a type.
  auto chars = charset::find(charset_name);
  if (t->base == "binary" || t->base == "varbinary")
    out.type = fmt::format("{}({})", t->base == "binary" ? "char" : "varchar",
                           t->length.value_or(1) / (chars ? chars->bytes_max() : 1));
  else if (auto blob = out.type.find("blob"); blob != out.type.npos)
    out.type.replace(blob, 4, "text");
  else
    return out;
  out.charset = charset_name;
  return out;
}

} // namespace rtdp::extract::my
