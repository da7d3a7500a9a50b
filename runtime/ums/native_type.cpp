#include "runtime/ums/native_type.hpp"

#include <climits>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>
#include <vector>

namespace rtdp::ums {

namespace {

constexpr int64_t unbounded = INT64_MAX;

/// A type as what can be compared: a value of one lies in the other when the family is the same, or
/// the one may grow into the other, and no size is smaller.
struct native {
  enum class kind : uint8_t { unknown, integer, number, real, text, bytes, time, moment, choice };
  kind family = kind::unknown;
  /// Bits of an integer or a real, length of text and bytes, digits of a fraction of a second.
  int64_t size = 0;
  bool is_unsigned = false;
  /// With a zone, or fixed in length: never the same as without, in either direction.
  bool zoned = false;
  /// number: digits before and behind the point.
  int64_t whole = 0, scale = 0;
  /// choice: the values, in order.
  std::vector<std::string> values = {};
};

struct words {
  /// In lower case, without what stands in parentheses.
  std::string name;
  /// What stands in parentheses, as written.
  std::string inside;
};

words cut(std::string_view text) {
  words out;
  int depth = 0;
  for (char c : text) {
    if (c == ')' && --depth == 0)
      continue;
    if (depth > 0)
      out.inside += c;
    else if (c != '(')
      out.name += c == '(' ? ' ' : char(std::tolower(static_cast<unsigned char>(c)));
    if (c == '(')
      ++depth;
  }
  std::string single;
  for (char c : out.name)
    if (c != ' ' || (!single.empty() && single.back() != ' '))
      single += c;
  while (!single.empty() && single.back() == ' ')
    single.pop_back();
  out.name = std::move(single);
  return out;
}

bool take_word(std::string& name, std::string_view word) {
  auto at = name.find(word);
  if (at == name.npos)
    return false;
  name.erase(at > 0 ? at - 1 : 0, word.size() + 1);
  return true;
}

/// The numbers of "12,2"; what is not there is `otherwise`.
std::pair<int64_t, int64_t> numbers(const std::string& inside, int64_t first, int64_t second) {
  const auto* at = inside.data();
  const auto* end = at + inside.size();
  auto [behind, code] = std::from_chars(at, end, first);
  if (code != std::errc{})
    return {first, second};
  while (behind != end && (*behind == ',' || *behind == ' '))
    ++behind;
  std::from_chars(behind, end, second);
  return {first, second};
}

std::vector<std::string> quoted_values(const std::string& inside) {
  std::vector<std::string> out;
  bool open = false;
  for (char c : inside)
    if (c == '\'')
      open = !open;
    else if (c == ',' && !open)
      out.emplace_back();
    else if (open || c != ' ')
      (out.empty() ? out.emplace_back() : out.back()) += c;
  return out;
}

struct known {
  std::string_view name;
  native::kind family;
  int64_t size;
};

constexpr known known_types[] = {
    {"tinyint", native::kind::integer, 8},
    {"smallint", native::kind::integer, 16},
    {"int2", native::kind::integer, 16},
    {"mediumint", native::kind::integer, 24},
    {"int", native::kind::integer, 32},
    {"integer", native::kind::integer, 32},
    {"int4", native::kind::integer, 32},
    {"bigint", native::kind::integer, 64},
    {"int8", native::kind::integer, 64},
    {"numeric", native::kind::number, unbounded},
    {"decimal", native::kind::number, unbounded},
    {"real", native::kind::real, 32},
    {"float", native::kind::real, 32},
    {"float4", native::kind::real, 32},
    {"double precision", native::kind::real, 64},
    {"double", native::kind::real, 64},
    {"float8", native::kind::real, 64},
    {"character varying", native::kind::text, unbounded},
    {"varchar", native::kind::text, unbounded},
    {"character", native::kind::text, 1},
    {"char", native::kind::text, 1},
    {"tinytext", native::kind::text, 255},
    {"text", native::kind::text, unbounded},
    {"mediumtext", native::kind::text, unbounded},
    {"longtext", native::kind::text, unbounded},
    {"binary", native::kind::bytes, 1},
    {"varbinary", native::kind::bytes, unbounded},
    {"bytea", native::kind::bytes, unbounded},
    {"tinyblob", native::kind::bytes, 255},
    {"blob", native::kind::bytes, unbounded},
    {"mediumblob", native::kind::bytes, unbounded},
    {"longblob", native::kind::bytes, unbounded},
    {"date", native::kind::moment, -1},
    {"timestamp", native::kind::moment, 6},
    {"timestamp without time zone", native::kind::moment, 6},
    {"datetime", native::kind::moment, 0},
    {"time", native::kind::time, 6},
    {"time without time zone", native::kind::time, 6},
    {"enum", native::kind::choice, 0},
    {"set", native::kind::choice, 0},
};

native parse(std::string_view text) {
  auto [name, inside] = cut(text);
  native out;
  out.is_unsigned = take_word(name, "unsigned");
  take_word(name, "zerofill");
  bool zoned = take_word(name, "with time zone");
  const auto* at = std::find_if(std::begin(known_types), std::end(known_types),
                                [n = name](const known& k) { return k.name == n; });
  if (at == std::end(known_types))
    return out;
  out.family = at->family;
  out.size = at->size;
  out.zoned = zoned;
  switch (out.family) {
  case native::kind::number: {
    auto [precision, scale] = numbers(inside, unbounded, 0);
    out.scale = inside.empty() ? unbounded : scale;
    out.whole = inside.empty() ? unbounded : precision - scale;
    break;
  }
  case native::kind::choice:
    out.values = quoted_values(inside);
    out.zoned = name == "set";
    break;
  case native::kind::integer:
  case native::kind::real:
    break; // int(11) of MySQL is about display only.
  default:
    if (!inside.empty())
      out.size = numbers(inside, out.size, 0).first;
  }
  return out;
}

/// Digits that any value of an integer type has at most.
int64_t digits_of(const native& t) {
  switch (t.size) {
  case 8:
    return 3;
  case 16:
    return 5;
  case 24:
    return 8;
  case 32:
    return 10;
  default:
    return t.is_unsigned ? 20 : 19;
  }
}

bool integer_fits(const native& from, const native& to) {
  if (from.is_unsigned == to.is_unsigned)
    return from.size <= to.size;
  return from.is_unsigned && from.size < to.size;
}

/// True when every value of `from` is one of `to`.
bool lies_in(const native& from, const native& to) {
  using kind = native::kind;
  if (from.family == to.family)
    switch (to.family) {
    case kind::integer:
      return integer_fits(from, to);
    case kind::number:
      return from.whole <= to.whole && from.scale <= to.scale;
    case kind::choice:
      // Appended at the end: numbers of the values that were there stay what they are.
      return from.zoned == to.zoned && from.values.size() <= to.values.size() &&
             std::equal(from.values.begin(), from.values.end(), to.values.begin());
    default:
      return from.zoned == to.zoned && from.size <= to.size;
    }
  if (from.family == kind::integer && to.family == kind::number)
    return digits_of(from) <= to.whole;
  // A double holds 53 bits exactly, a float 24.
  if (from.family == kind::integer && to.family == kind::real)
    return from.size + (from.is_unsigned ? 1 : 0) <= (to.size == 64 ? 53 : 24);
  return from.family == kind::choice && to.family == kind::text && to.size == unbounded;
}

} // namespace

std::optional<type_change> native_change(std::string_view from, std::string_view to) {
  auto before = parse(from), after = parse(to);
  if (before.family == native::kind::unknown || after.family == native::kind::unknown)
    return {};
  bool grows = lies_in(before, after), shrinks = lies_in(after, before);
  if (grows && shrinks)
    return type_change::same;
  if (grows)
    return type_change::widened;
  bool overlap = before.family == after.family && before.zoned == after.zoned;
  return shrinks || overlap ? type_change::narrowed : type_change::retyped;
}

} // namespace rtdp::ums
