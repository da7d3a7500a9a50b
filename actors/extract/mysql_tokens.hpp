/// The words of a statement, as MariaDB and MySQL read them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::my {

struct token {
  /// `end` comes behind the last one.
  enum class what : uint8_t { word, identifier, text, number, sign, end };
  what kind = what::end;
  /// Unquoted, as written.
  std::string text;

  /// True for this keyword, in any case, without quotes.
  bool is(std::string_view upper) const;
  bool is_sign(char c) const { return kind == what::sign && text[0] == c; }
  bool is_name() const { return kind == what::word || kind == what::identifier; }
};

struct token_rules {
  /// SQL modes of the session that ran the statement.
  bool ansi_quotes = false, no_backslash_escapes = false;
  bool mariadb = true;
  /// 101119 for 10.11.19; comments like /*!50701 … */ are read by newer servers only.
  unsigned version = 0;
};

std::vector<token> tokens_of(std::string_view sql, const token_rules& rules);

} // namespace rtdp::extract::my
