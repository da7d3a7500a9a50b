/// Walks the tokens of a statement. Internal to the readers of statements; plain class.
#pragma once

#include "actors/extract/mysql_position.hpp"
#include "actors/extract/mysql_tokens.hpp"

#include <algorithm>

namespace rtdp::extract::my {

class cursor {
public:
  /// REQUIRES: the last token is the end, as `tokens_of` puts it.
  cursor(const std::vector<token>& tokens, size_t at) : tokens_(tokens), at_(at) {}

  const token& now() const { return tokens_[at_]; }
  const token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  size_t at() const { return at_; }
  bool at_end() const { return now().kind == token::what::end; }
  void skip() {
    if (!at_end())
      ++at_;
  }
  bool take(std::string_view upper) {
    bool is = now().is(upper);
    if (is)
      skip();
    return is;
  }
  bool take_sign(char c) {
    bool is = now().is_sign(c);
    if (is)
      skip();
    return is;
  }
  template<class... Words>
  bool take_all(Words... words) {
    auto begin = at_;
    bool all = (take(words) && ...);
    if (!all)
      at_ = begin;
    return all;
  }
  /// An identifier, quoted or not; empty when there is none.
  std::string name() {
    if (!now().is_name())
      return {};
    auto out = now().text;
    skip();
    return out;
  }
  /// `database`.`table` or `table` of `database`; an empty table when there is none.
  table_name table(const std::string& database) {
    table_name out{database, name()};
    if (!out.table.empty() && take_sign('.'))
      out = {out.table, name()};
    return out;
  }
  /// Behind the bracket that closes the one that stands here.
  void skip_group() {
    int depth = 0;
    do {
      depth += now().is_sign('(') ? 1 : now().is_sign(')') ? -1 : 0;
      skip();
    } while (depth > 0 && !at_end());
  }
  /// To the comma or bracket that ends what stands here, or to the end.
  void skip_item() {
    while (!at_end() && !now().is_sign(',') && !now().is_sign(')'))
      now().is_sign('(') ? skip_group() : skip();
  }

private:
  const std::vector<token>& tokens_;
  size_t at_;
};

} // namespace rtdp::extract::my
