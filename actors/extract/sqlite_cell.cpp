#include "actors/extract/sqlite_cell.hpp"

#include "runtime/ums/codec.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace rtdp::extract::sqlite {
namespace {

constexpr size_t dead_letter_bytes_max = 16'384;

const char* class_name(int storage_class) {
  switch (storage_class) {
  case SQLITE_INTEGER:
    return "INTEGER";
  case SQLITE_FLOAT:
    return "REAL";
  case SQLITE_TEXT:
    return "TEXT";
  case SQLITE_BLOB:
    return "BLOB";
  default:
    return "NULL";
  }
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      ++i;
      continue;
    }
    size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || i + more >= text.size())
      return false;
    auto second = static_cast<unsigned char>(text[i + 1]);
    // No overlong form, no surrogate, nothing above U+10FFFF.
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) ||
        (c == 0xF0 && second < 0x90) || (c == 0xF4 && second > 0x8F))
      return false;
    for (size_t k = 1; k <= more; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80)
        return false;
    i += more + 1;
  }
  return true;
}

/// Digits with an optional sign, point and exponent.
bool is_number(std::string_view text) {
  size_t i = 0, digits = 0;
  auto skip_digits = [&] {
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      ++digits;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+'))
    ++i;
  skip_digits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    skip_digits();
  }
  return digits > 0 && i == text.size();
}

bool finer_than_micros(std::string_view text) {
  auto dot = text.find('.');
  if (dot == std::string_view::npos)
    return false;
  for (size_t i = dot + 1; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
    if (i > dot + 6 && text[i] != '0')
      return true;
  return false;
}

/// The shortest digits that read back as the same REAL, without an exponent.
void append_decimal(double value, ums::column& into) {
  if (!std::isfinite(value)) {
    into.append_text(value > 0 ? "Infinity" : "-Infinity");
    return;
  }
  char buffer[400]; // The longest is the smallest subnormal: 3 + 324 + 17 characters.
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  into.append_text({buffer, size_t(end - buffer)});
}

void append_decimal(int64_t value, ums::column& into) {
  char buffer[24];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  into.append_text({buffer, size_t(end - buffer)});
}

bool append_moment(std::string_view text, ums::column& into) {
  auto value = into.type() == ums::type::date ? ums::parse_date(text) : ums::parse_datetime(text);
  if (!value || finer_than_micros(text))
    return false;
  into.append_int(*value);
  return true;
}

bool append_string(const state::statement& row, int at, int storage_class, ums::column& into) {
  auto text = utf8(row, at);
  if (storage_class == SQLITE_TEXT && is_utf8(text)) {
    into.append_text(text);
    return true;
  }
  if (storage_class == SQLITE_INTEGER)
    append_decimal(row.integer(at), into);
  else if (storage_class == SQLITE_FLOAT) {
    std::string digits;
    ums::append_real(row.real(at), false, digits);
    into.append_text(digits);
  } else
    return false;
  return true;
}

bool append_fitting(const state::statement& row, int at, int storage_class, ums::column& into) {
  auto text = [&] { return utf8(row, at); };
  switch (into.type()) {
  case ums::type::long_:
  case ums::type::boolean: {
    auto value = row.integer(at);
    if (storage_class != SQLITE_INTEGER ||
        (into.type() == ums::type::boolean && value != 0 && value != 1))
      return false;
    into.append_int(value);
    return true;
  }
  case ums::type::double_:
    if (storage_class != SQLITE_FLOAT)
      return false;
    into.append_real(row.real(at));
    return true;
  case ums::type::decimal:
    if (storage_class == SQLITE_INTEGER)
      append_decimal(row.integer(at), into);
    else if (storage_class == SQLITE_FLOAT)
      append_decimal(row.real(at), into);
    else if (storage_class == SQLITE_TEXT && is_number(text()))
      into.append_text(text());
    else
      return false;
    return true;
  case ums::type::date:
  case ums::type::datetime:
    return storage_class == SQLITE_TEXT && append_moment(text(), into);
  case ums::type::binary:
    if (storage_class != SQLITE_BLOB)
      return false;
    into.append_text(text());
    return true;
  default:
    return append_string(row, at, storage_class, into);
  }
}

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

} // namespace

std::string append_cell(const state::statement& row, int at, const column& from,
                        ums::column& into) {
  int storage_class = sqlite3_column_type(row.handle(), at);
  if (storage_class == SQLITE_NULL && from.key > 0)
    return "column " + sql_name(from.name) +
           " is part of the primary key and is NULL: such a row "
           "cannot be told from another one";
  if (storage_class == SQLITE_NULL) {
    into.append_null();
    return {};
  }
  if (append_fitting(row, at, storage_class, into))
    return {};
  std::string reason = "column " + sql_name(from.name) + " is declared " +
                       (from.declared.empty() ? "without a type" : from.declared) +
                       " and holds a value of storage class " + class_name(storage_class) +
                       " that is no " + std::string(ums::to_string(into.type()));
  if (into.type() == ums::type::string && storage_class == SQLITE_TEXT)
    reason += ": it is not UTF-8";
  return reason;
}

std::string literals(const state::statement& row, int first, size_t count) {
  std::string out = "(";
  for (size_t i = 0; i < count && out.size() < dead_letter_bytes_max; ++i) {
    int at = first + int(i);
    out += i == 0 ? "" : ", ";
    auto cell = key_cell::read(row, at);
    auto bytes = std::string_view(cell.bytes).substr(0, dead_letter_bytes_max);
    if (cell.kind == 'n')
      out += "NULL";
    else if (cell.kind == 'i')
      out += std::to_string(cell.integer);
    else if (cell.kind == 'r')
      ums::append_real(cell.real, false, out);
    else if (cell.kind == 'b' || !is_utf8(bytes) || bytes.find('\0') != std::string_view::npos)
      out += (cell.kind == 'b' ? "x'" : "CAST(x'") + hex(bytes) +
             (cell.kind == 'b' ? "'" : "' AS TEXT)");
    else {
      out += '\'';
      for (char c : bytes)
        out += c == '\'' ? "''" : std::string(1, c);
      out += '\'';
    }
  }
  return out + (out.size() < dead_letter_bytes_max ? ")" : " …");
}

key_cell key_cell::read(const state::statement& row, int at) {
  switch (sqlite3_column_type(row.handle(), at)) {
  case SQLITE_INTEGER:
    return {.kind = 'i', .integer = row.integer(at), .bytes = ""};
  case SQLITE_FLOAT:
    return {.kind = 'r', .real = row.real(at), .bytes = ""};
  case SQLITE_TEXT:
    return {.kind = 't', .bytes = std::string(utf8(row, at))};
  case SQLITE_BLOB:
    return {.kind = 'b', .bytes = std::string(utf8(row, at))};
  default:
    return {};
  }
}

void key_cell::bind(state::statement& to, int index) const {
  if (kind == 'i')
    to.bind(index, integer);
  else if (kind == 'r')
    to.bind(index, real);
  else if (kind == 't')
    to.bind(index, std::string_view(bytes));
  else if (kind == 'b')
    to.bind_blob(index, bytes);
  else
    to.bind_null(index);
}

std::string key_cell::text() const {
  if (kind == 'i')
    return "i" + std::to_string(integer);
  if (kind == 'r') {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "r%a", real);
    return buffer;
  }
  return kind + hex(bytes);
}

result<key_cell> key_cell::parse(std::string_view text) {
  auto wrong = [&] { return rejected("not a key in a position: " + std::string(text)); };
  if (text.empty())
    return wrong();
  key_cell cell{.kind = text[0], .bytes = ""};
  auto rest = text.substr(1);
  if (cell.kind == 'i') {
    auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), cell.integer);
    if (code != std::errc{} || end != rest.data() + rest.size())
      return wrong();
  } else if (cell.kind == 'r') {
    std::string digits(rest);
    char* end = nullptr;
    cell.real = std::strtod(digits.c_str(), &end);
    if (digits.empty() || *end != '\0')
      return wrong();
  } else if ((cell.kind == 't' || cell.kind == 'b') && rest.size() % 2 == 0) {
    for (size_t i = 0; i < rest.size(); i += 2) {
      int byte = 0;
      if (std::from_chars(&rest[i], &rest[i] + 2, byte, 16).ptr != &rest[i] + 2)
        return wrong();
      cell.bytes += char(byte);
    }
  } else
    return wrong();
  return cell;
}

} // namespace rtdp::extract::sqlite
