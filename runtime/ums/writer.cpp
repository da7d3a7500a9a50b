#include "runtime/ums/base64.hpp"
#include "runtime/ums/cell.hpp"
#include "runtime/ums/codec.hpp"
#include "runtime/ums/scan.hpp"

#include <simdjson.h>

namespace rtdp::ums {

namespace {

/// Writes behind the end of a string, and tells the string how far only when done: its own append
/// would check and close it with a zero for each cell.
class pen {
public:
  pen(std::string& out, size_t expected) : out_(out), old_size_(out.size()), at_(out.size()) {
    out_.resize(at_ + expected);
  }

  /// The next `size` bytes to write. What is written is told with `wrote`.
  char* room(size_t size) {
    if (out_.size() - at_ < size)
      out_.resize(std::max(out_.size() * 2, at_ + size));
    return out_.data() + at_;
  }
  void wrote(const char* end) { at_ = size_t(end - out_.data()); }

  void put(std::string_view text) {
    auto to = room(text.size());
    std::memcpy(to, text.data(), text.size());
    at_ += text.size();
  }
  void put(char c) {
    *room(1) = c;
    ++at_;
  }

  /// Takes the last character back.
  void back() { --at_; }

  std::string_view written() const {
    return std::string_view(out_).substr(old_size_, at_ - old_size_);
  }
  void done() { out_.resize(at_); }
  void undo() { out_.resize(old_size_); }

private:
  std::string& out_;
  size_t old_size_;
  size_t at_;
};

/// The longest escape, "\u0000".
constexpr size_t escape_max = 6;

char* put_escaped(char c, char* to) {
  constexpr std::string_view digits = "0123456789abcdef", short_for = "\"\\\n\r\t\b\f",
                             letters = "\"\\nrtbf";
  *to++ = '\\';
  if (auto at = short_for.find(c); at != short_for.npos) {
    *to++ = letters[at];
    return to;
  }
  std::memcpy(to, "u00", 3);
  to[3] = digits[uint8_t(c) >> 4];
  to[4] = digits[uint8_t(c) & 15];
  return to + 5;
}

/// REQUIRES: room for 2 + escape_max * text.size().
char* put_string(std::string_view text, char* to) {
  *to++ = '"';
  for (;;) {
    auto clean = scan::find_to_escape(text);
    if (clean > 0)
      std::memcpy(to, text.data(), clean);
    to += clean;
    if (clean == text.size())
      break;
    to = put_escaped(text[clean], to);
    text.remove_prefix(clean + 1);
  }
  *to++ = '"';
  return to;
}

void put_string(pen& out, std::string_view text) {
  out.wrote(put_string(text, out.room(2 + escape_max * text.size())));
}

void put_field(pen& out, const field& f) {
  out.put(R"({"name":)");
  put_string(out, f.name);
  out.put(R"(,"type":")");
  out.put(to_string(f.type));
  out.put(f.nullable ? R"(","nullable":true)" : R"(","nullable":false)");
  if (f.key)
    out.put(R"(,"key":true)");
  if (f.encoded)
    out.put(R"(,"encoded":true)");
  if (!f.native.empty()) {
    out.put(R"(,"native":)");
    put_string(out, f.native);
  }
  out.put('}');
}

void put_head(pen& out, const schema& s, protocol kind) {
  out.put(R"({"protocol":{"type":")");
  out.put(to_string(kind));
  out.put(R"(","version":"1.3"},"schema":{"namespace":)");
  put_string(out, s.name.text());
  out.put(R"(,"batchId":)");
  out.wrote(cell::put_int(s.batch_id, out.room(cell::size_max)));
  out.put(R"(,"fields":[)");
  for (size_t i = 0; i < s.fields.size(); ++i) {
    if (i > 0)
      out.put(',');
    put_field(out, s.fields[i]);
  }
  out.put(R"(]},"payload":[)");
}

/// A cell with its quotes, for types that need no escape and have a fixed bound.
char* put_fixed(const column& c, size_t row, char* to) {
  *to++ = '"';
  switch (c.type()) {
  case type::boolean:
    to = cell::put_boolean(c.ints()[row], to);
    break;
  case type::date:
    to = cell::put_date(c.ints()[row], to);
    break;
  case type::datetime:
    to = cell::put_datetime(c.ints()[row], to);
    break;
  case type::float_:
  case type::double_:
    to = cell::put_real(c.reals()[row], c.type() == type::float_, to);
    break;
  default:
    to = cell::put_int(c.ints()[row], to);
  }
  *to++ = '"';
  return to;
}

/// Puts the cell and a comma.
void put_cell(pen& out, const column& c, size_t row) {
  if (c.is_null(row))
    return out.put("null,");
  char* end;
  if (storage_of(c.type()) != storage::texts) {
    end = put_fixed(c, row, out.room(cell::size_max + 3));
  } else if (auto text = c.text(row); c.type() != type::binary) {
    end = put_string(text, out.room(escape_max * text.size() + 3));
  } else {
    end = out.room(base64::encoded_size(text.size()) + 3);
    *end = '"';
    end = base64::encode(text, end + 1);
    *end++ = '"';
  }
  *end++ = ',';
  out.wrote(end);
}

/// Bytes of text in these rows. REQUIRES: storage_of(c.type()) == storage::texts and last >= first.
std::string_view text_of(const column& c, size_t first, size_t last) {
  auto begin = c.text(first);
  auto end = c.text(last);
  return {begin.data(), size_t(end.data() + end.size() - begin.data())};
}

/// Each text must be UTF-8 by itself: the bytes of all rows at once, and no row begins inside a
/// character.
bool is_utf8(const column& c, size_t first, size_t last) {
  for (size_t row = first; row <= last; ++row)
    if (auto text = c.text(row); !text.empty() && (uint8_t(text[0]) & 0xc0) == 0x80)
      return false;
  return simdjson::validate_utf8(text_of(c, first, last));
}

error check_utf8(const slice& rows) {
  for (size_t i = 0; i < rows.data->columns.size() && rows.count > 0; ++i) {
    const auto& c = rows.data->columns[i];
    auto last = rows.first + rows.count - 1;
    if (storage_of(c.type()) != storage::texts || c.type() == type::binary ||
        is_utf8(c, rows.first, last))
      continue;
    auto row = rows.first;
    while (row < last && simdjson::validate_utf8(c.text(row)))
      ++row;
    return rejected("field " + rows.data->schema->fields[i].name + ", row " + std::to_string(row) +
                    ": expected UTF-8, found other bytes; the source must convert or refuse them");
  }
  return {};
}

/// Bytes of a row without its texts: brackets, quotes, and what numbers need at most.
size_t fixed_size(const batch& b) {
  constexpr std::string_view around = R"({"tuple":[]},)";
  size_t sum = around.size();
  for (const auto& c : b.columns) {
    switch (c.type()) {
    case type::int_:
      sum += 14;
      break;
    case type::boolean:
      sum += 8;
      break;
    case type::long_:
      sum += 23;
      break;
    case type::date:
      sum += 25;
      break;
    case type::float_:
    case type::double_:
      sum += 27;
      break;
    case type::datetime:
      sum += 32;
      break;
    default:
      // At least "null".
      sum += 5;
    }
  }
  return sum;
}

size_t head_size(const schema& s) {
  size_t sum = 200 + escape_max * s.name.text().size();
  for (const auto& f : s.fields)
    sum += 90 + escape_max * (f.name.size() + f.native.size());
  return sum;
}

/// How many bytes escapes add to `text`.
size_t escapes(std::string_view text) {
  size_t sum = 0;
  for (;;) {
    auto clean = scan::find_to_escape(text);
    if (clean == text.size())
      return sum;
    char escaped[escape_max];
    sum += size_t(put_escaped(text[clean], escaped) - escaped) - 1;
    text.remove_prefix(clean + 1);
  }
}

/// At least the bytes of the texts of one row, with escapes.
size_t text_size(const batch& b, size_t row) {
  size_t sum = 0;
  for (const auto& c : b.columns) {
    if (storage_of(c.type()) != storage::texts)
      continue;
    auto text = c.text(row);
    sum +=
        c.type() == type::binary ? base64::encoded_size(text.size()) : text.size() + escapes(text);
  }
  return sum;
}

bool is_before_image(const batch& b, size_t row) {
  return b.carries_rows() && b.columns.size() >= system_columns &&
         b.schema->fields[2].name == op_name && b.columns[2].type() == type::string &&
         b.op(row) == 'b';
}

} // namespace

error write(const slice& rows, std::string& out) {
  if (auto e = check_utf8(rows))
    return e;
  const auto& b = *rows.data;
  size_t expected = head_size(*b.schema) + rows.count * fixed_size(b);
  for (const auto& c : b.columns)
    if (storage_of(c.type()) == storage::texts && rows.count > 0)
      expected += text_of(c, rows.first, rows.first + rows.count - 1).size() * 9 / 8;
  pen to(out, expected);
  put_head(to, *b.schema, b.kind);
  if (!simdjson::validate_utf8(to.written())) {
    to.undo();
    return rejected("table " + b.schema->name.text() +
                    ": its name or one of its columns is not UTF-8");
  }
  for (size_t row = rows.first; row < rows.first + rows.count; ++row) {
    constexpr std::string_view begin = R"(,{"tuple":[)";
    to.put(row == rows.first ? begin.substr(1) : begin);
    for (const auto& c : b.columns)
      put_cell(to, c, row);
    if (!b.columns.empty())
      to.back();
    to.put("]}");
  }
  to.put("]}");
  to.done();
  return {};
}

size_t rows_that_fit(const batch& b, size_t first, size_t bytes_max) {
  auto fixed = fixed_size(b);
  auto sum = head_size(*b.schema);
  auto last = first;
  for (; last < b.rows(); ++last) {
    sum += fixed + text_size(b, last);
    if (sum > bytes_max && last > first)
      break;
  }
  if (last == b.rows() || !is_before_image(b, last - 1))
    return last - first;
  // The cut would stand between b and u: it goes before both, or behind both if they are the first.
  return last - first > 1 ? last - first - 1 : 2;
}

} // namespace rtdp::ums
