#include "actors/sink/pg_copy.hpp"

#include "runtime/ums/codec.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace rtdp::sink {

namespace {

void append_int(int64_t value, std::string& out) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

/// Years outside 1..9999 come with a sign, as ISO 8601 has them; PostgreSQL wants `44 BC` for -43.
void append_time(const ums::column& c, size_t row, std::string& out) {
  auto begin = out.size();
  ums::append_cell(c, row, out);
  std::string_view text(out.data() + begin, out.size() - begin);
  if (text.empty() || (text[0] != '-' && text[0] != '+') || text == "-infinity")
    return;
  std::string rest(text.substr(1));
  int64_t year = 0;
  auto end = std::from_chars(rest.data(), rest.data() + rest.size(), year).ptr;
  auto tail = std::string_view(rest).substr(size_t(end - rest.data()));
  auto is_bc = text[0] == '-' || year == 0;
  auto shown = fmt::format("{:04}{}{}", is_bc ? year + 1 : year, tail, is_bc ? " BC" : "");
  out.replace(begin, out.npos, shown);
}

/// What a byte becomes behind a backslash; 0: it stands for itself.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  table['\\'] = '\\';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  // Not an escape: marks the byte that is refused.
  table[0] = '0';
  return table;
}();

bool append_text(std::string_view text, std::string& out) {
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if (auto escape = escapes[static_cast<unsigned char>(text[i])]) {
      if (text[i] == '\0')
        return false;
      out.append(text, done, i - done);
      out += '\\';
      out += escape;
      done = i + 1;
    }
  out.append(text, done);
  return true;
}

void append_bytes(std::string_view bytes, std::string& out) {
  constexpr char digits[] = "0123456789abcdef";
  out += "\\\\x";
  for (unsigned char byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

/// False: the text holds a NUL byte.
bool append_value(const ums::batch& b, size_t row, const layout::column& to, std::string& out) {
  const auto& c = b.columns[to.field];
  if (c.is_null(row)) {
    out += "\\N";
    return true;
  }
  switch (c.type()) {
  case ums::type::int_:
  case ums::type::long_:
    append_int(c.ints()[row], out);
    return true;
  case ums::type::boolean:
    // A target made by others may count instead: smallint takes no word.
    if (to.type == "boolean" || to.type == "text")
      out += c.ints()[row] ? "true" : "false";
    else
      out += c.ints()[row] ? '1' : '0';
    return true;
  case ums::type::date:
  case ums::type::datetime:
    append_time(c, row, out);
    return true;
  case ums::type::float_:
  case ums::type::double_:
    ums::append_real(c.reals()[row], c.type() == ums::type::float_, out);
    return true;
  case ums::type::binary:
    append_bytes(c.text(row), out);
    return true;
  default:
    return append_text(c.text(row), out);
  }
}

/// One line; points to the column that cannot be written, else null.
const layout::column* append_line(const ums::batch& b, size_t row, const layout& to,
                                  std::string& out) {
  append_int(b.columns[to.id].ints()[row], out);
  out += '\t';
  if (to.mutation != mutation::iud_clean) {
    if (b.columns[to.ts].is_null(row))
      out += "\\N";
    else
      append_time(b.columns[to.ts], row, out);
    out += '\t';
  }
  auto op = b.columns[to.op].text(row);
  bool is_delete = !to.keys.empty() && op == "d";
  if (to.mutation == mutation::insert)
    out += op.empty() ? 'i' : op[0];
  else
    out += is_delete ? '0' : '1';
  for (const auto& c : to.keys) {
    out += '\t';
    if (!append_value(b, row, c, out))
      return &c;
  }
  for (const auto& c : to.values) {
    out += '\t';
    if (is_delete)
      out += "\\N";
    else if (!append_value(b, row, c, out))
      return &c;
  }
  out += '\n';
  return nullptr;
}

} // namespace

error append_copy(const ums::batch& b, std::span<const uint32_t> rows, const layout& to,
                  std::string& out) {
  for (auto row : rows)
    if (auto* refused = append_line(b, row, to, out))
      return rejected(fmt::format("column {} holds a NUL byte, which PostgreSQL cannot store, in "
                                  "the row with {}; remove it in a sql step",
                                  refused->name, describe_row(b, row, to)));
  return {};
}

} // namespace rtdp::sink
