#include "actors/extract/mask.hpp"

#include <re2/re2.h>

namespace rtdp::extract {

namespace {

using mask_kind = mask_settings::kind;
using unit = mask_settings::unit;
using unmatched = mask_settings::unmatched;

// In the order of the enumerations.
const std::vector<std::string> kind_names = {"replace", "null",  "partial", "sha256",
                                             "hmac",    "regex", "date",    "digits"};
const std::vector<std::string> unit_names = {"year", "month", "day", "hour", "minute"};
const std::vector<std::string> unmatched_names = {"refuse", "blank", "pass"};

/// REQUIRES: the spec let it pass.
template<class E>
E named(const std::vector<std::string>& names, const std::string& word) {
  size_t i = 0;
  while (i + 1 < names.size() && names[i] != word)
    ++i;
  return E(i);
}

bool is_keyed(mask_kind k) {
  return k == mask_kind::sha256 || k == mask_kind::hmac || k == mask_kind::digits;
}

error check_pattern(const mask_settings& m) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  RE2 pattern(m.pattern, quiet);
  if (!pattern.ok())
    return rejected("pattern: " + pattern.error() + "; RE2 has no look-around, no back-references");
  std::string wrong;
  if (!pattern.CheckRewriteString(m.replacement, &wrong))
    return rejected("replacement: " + wrong);
  return {};
}

/// What it can be put on, as in the table of the header.
bool takes(mask_kind k, ums::type t) {
  switch (k) {
  case mask_kind::partial:
  case mask_kind::regex:
    return t == ums::type::string;
  case mask_kind::date:
    return t == ums::type::date || t == ums::type::datetime;
  case mask_kind::digits:
    return t == ums::type::string || t == ums::type::int_ || t == ums::type::long_ ||
           t == ums::type::decimal;
  default:
    return true;
  }
}

const char* taken_types(mask_kind k) {
  return k == mask_kind::date     ? "date and datetime"
         : k == mask_kind::digits ? "string, int, long and decimal"
                             : "string";
}

} // namespace

std::vector<config::field> mask_fields() {
  using config::field;
  return {
      field("column", std::string(), "The column, exactly as the table names it.").required(),
      field("with", std::string(),
            "replace: by `text`; null; partial: all but the `first` and `last` characters becomes "
            "`fill`; sha256, hmac: 64 hexadecimal digits of the value and the `salt`; regex: each "
            "match of `pattern` becomes `replacement`; date: the beginning of its `to`; digits: "
            "each digit becomes another, length and all else stay. Keys take sha256, hmac and "
            "digits. A null stays null.")
          .required()
          .one_of(kind_names),
      field("salt", config::secret(),
            "For sha256, hmac and digits: at least 8 characters that nobody else knows. The same "
            "salt gives the same value the same mask, in every table."),
      field("text", std::string("***"), "For replace."),
      field("first", int64_t{0}, "For partial: characters left at the beginning.").range(0, 1000),
      field("last", int64_t{0},
            "For partial: characters left at the end. A text that is not longer than both is "
            "hidden as a whole.")
          .range(0, 1000),
      field("fill", std::string("*"), "For partial: stands for each hidden character."),
      field("pattern", std::string(), "For regex: in RE2's syntax."),
      field("replacement", std::string(), "For regex: `\\1` is the first group."),
      field("unmatched", std::string("refuse"),
            "For regex, a value without a match: its row goes to the dead letters; blank: it "
            "becomes empty; pass: it goes on as it is.")
          .one_of(unmatched_names),
      field("to", std::string("day"), "For date; hour and minute only for a datetime.")
          .one_of(unit_names),
      field("if_exists", false,
            "A table of the item may lack the column, or some versions of it. Else the source "
            "fails when the column is missing: it could have been renamed.")};
}

result<mask_settings> read_mask(const config::section& item) {
  mask_settings m;
  m.column = item.text("column");
  m.with = named<mask_kind>(kind_names, item.text("with"));
  m.text = item.text("text");
  m.fill = item.text("fill");
  m.first = size_t(item.integer("first"));
  m.last = size_t(item.integer("last"));
  m.salt = item.get<config::secret>("salt");
  m.pattern = item.text("pattern");
  m.replacement = item.text("replacement");
  m.when_unmatched = named<unmatched>(unmatched_names, item.text("unmatched"));
  m.to = named<unit>(unit_names, item.text("to"));
  m.if_exists = item.flag("if_exists");
  m.line = item.line;
  if (is_keyed(m.with) && m.salt.reveal().size() < 8)
    return rejected(item.text("with") + " needs salt: ${env:NAME}, at least 8 characters; without "
                                        "one, whoever guesses a value can check the guess");
  if (m.with == mask_kind::partial && (m.fill.empty() || m.fill.size() > 8))
    return rejected("fill is one character; found " + std::to_string(m.fill.size()) + " bytes");
  if (m.with == mask_kind::regex) {
    if (m.pattern.empty())
      return rejected("regex needs a pattern");
    if (auto wrong = check_pattern(m))
      return wrong;
  }
  return m;
}

result<ums::field> masked(const mask_settings& m, const ums::field& from) {
  const auto& name = kind_names[size_t(m.with)];
  auto type = std::string(ums::to_string(from.type));
  if (ums::is_system(from.name))
    return rejected("column " + from.name + " belongs to the platform and takes no mask");
  if (!takes(m.with, from.type))
    return rejected("column " + from.name + " is a " + type + "; " + name + " takes " +
                    taken_types(m.with));
  if (m.with == mask_kind::date && from.type == ums::type::date && m.to > unit::day)
    return rejected("column " + from.name +
                    " is a date, which has no hours; to: year, month or "
                    "day");
  bool unique =
      is_keyed(m.with) && !(m.with == mask_kind::digits && from.type == ums::type::decimal);
  if (from.key && !unique)
    return rejected("column " + from.name + " is part of the key, and " + name + " of a " + type +
                    " can make two keys one; use sha256 or hmac");
  auto to = from;
  to.encoded = true;
  if (m.with == mask_kind::replace || m.with == mask_kind::sha256 || m.with == mask_kind::hmac)
    to.type = ums::type::string;
  if (m.with == mask_kind::null)
    to.nullable = true;
  bool fits =
      m.with == mask_kind::null || m.with == mask_kind::date || from.type == ums::type::decimal;
  if (!fits || to.type != from.type)
    to.native.clear();
  return to;
}

} // namespace rtdp::extract
