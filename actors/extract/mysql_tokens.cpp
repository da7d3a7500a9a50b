#include "actors/extract/mysql_tokens.hpp"

#include <algorithm>
#include <cctype>

namespace rtdp::extract::my {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Bytes beyond ASCII are letters of other languages.
bool is_word(char c) {
  return std::isalnum(uint8_t(c)) != 0 || c == '_' || c == '$' || uint8_t(c) >= 0x80;
}

class tokenizer {
public:
  tokenizer(std::string_view sql, const token_rules& rules) : sql_(sql), rules_(rules) {}

  std::vector<token> run() {
    while (at_ < sql_.size())
      step();
    out_.emplace_back();
    return std::move(out_);
  }

private:
  char peek(size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }

  void step() {
    auto c = peek();
    if (std::isspace(uint8_t(c)) != 0 || c == '\0')
      ++at_;
    else if (c == '#' || (c == '-' && peek(1) == '-' && (peek(2) == '\0' || std::isspace(uint8_t(peek(2))))))
      at_ = std::min(sql_.find('\n', at_), sql_.size());
    else if (c == '/' && peek(1) == '*')
      comment();
    else if (c == '*' && peek(1) == '/' && in_comment_)
      at_ += 2, in_comment_ = false; // The end of one whose inside counts.
    else if (c == '`' || (c == '"' && rules_.ansi_quotes))
      quoted(c, token::what::identifier, false);
    else if (c == '\'' || c == '"')
      quoted(c, token::what::text, !rules_.no_backslash_escapes);
    else if (is_word(c))
      word();
    else
      out_.push_back({token::what::sign, std::string(1, sql_[at_++])});
  }

  /// /*!50701 … */ and /*M!100301 … */ are no comments to servers of that version or newer.
  void comment() {
    size_t open = at_ + 2;
    bool mine = open < sql_.size() && sql_[open] == 'M' && rules_.mariadb;
    if (mine)
      ++open;
    bool runs = open < sql_.size() && sql_[open] == '!';
    if (runs) {
      unsigned version = 0;
      for (++open; open < sql_.size() && is_digit(sql_[open]); ++open)
        version = version * 10 + unsigned(sql_[open] - '0');
      // MariaDB leaves out what only MySQL 5.7 and newer understand.
      bool foreign = rules_.mariadb && !mine && version >= 50700 && version <= 99999;
      runs = version <= rules_.version && !foreign;
    }
    if (runs) {
      in_comment_ = true;
      at_ = open;
      return;
    }
    auto end = sql_.find("*/", at_ + 2);
    at_ = end == sql_.npos ? sql_.size() : end + 2;
  }

  void quoted(char quote, token::what kind, bool escapes) {
    token t{kind, {}};
    for (++at_; at_ < sql_.size(); ++at_) {
      auto c = sql_[at_];
      if (c == quote) {
        if (peek(1) != quote)
          break;
        ++at_;
      } else if (c == '\\' && escapes && at_ + 1 < sql_.size()) {
        c = sql_[++at_];
        constexpr std::string_view names = "0bnrtZ", values{"\0\b\n\r\t\x1a", 6};
        if (auto found = names.find(c); found != names.npos)
          c = values[found];
      }
      t.text += c;
    }
    ++at_;
    out_.push_back(std::move(t));
  }

  void word() {
    token t{token::what::word, {}};
    auto begin = at_;
    while (is_word(peek()))
      ++at_;
    t.text = sql_.substr(begin, at_ - begin);
    if (std::all_of(t.text.begin(), t.text.end(), is_digit))
      t.kind = token::what::number;
    out_.push_back(std::move(t));
  }

  std::string_view sql_;
  token_rules rules_;
  size_t at_ = 0;
  bool in_comment_ = false;
  std::vector<token> out_;
};

} // namespace

bool token::is(std::string_view upper) const {
  return kind == what::word && text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(),
                    [](char a, char b) { return std::toupper(uint8_t(a)) == b; });
}

std::vector<token> tokens_of(std::string_view sql, const token_rules& rules) {
  return tokenizer(sql, rules).run();
}

} // namespace rtdp::extract::my
