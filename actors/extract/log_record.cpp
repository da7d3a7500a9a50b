#include "actors/extract/log_record.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace rtdp::extract::logs {

namespace {

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto end = text.data() + text.size();
  auto [at, code] = std::from_chars(text.data(), end, value);
  if (text.empty() || code != std::errc{} || at != end)
    return {};
  return value;
}

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(' ');
  if (first == text.npos)
    return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

size_t find_origin(std::span<const cell> origin, std::string_view name) {
  auto at =
      std::find_if(origin.begin(), origin.end(), [&](const cell& c) { return c.name == name; });
  return at == origin.end() ? none : size_t(at - origin.begin());
}

void add_once(std::vector<size_t>& out, size_t at) {
  if (std::find(out.begin(), out.end(), at) == out.end())
    out.push_back(at);
}

} // namespace

std::string_view arena::keep(std::string_view text) {
  if (text.empty())
    return {};
  auto* to = static_cast<char*>(memory_.allocate(text.size(), 1));
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

size_t find(const record& cells, std::string_view name) {
  for (size_t i = cells.size(); i > 0; --i)
    if (cells[i - 1].name == name)
      return i - 1;
  return none;
}

result<scope> scope::parse(std::string_view text) {
  scope out;
  auto whole = trimmed(text);
  if (whole == "*") {
    out.parts_.push_back({.name = {}, .first = 0, .last = 0, .open = true, .is_range = true});
    return out;
  }
  if (auto colon = whole.find(':'); colon != whole.npos) {
    auto first = number(whole.substr(0, colon));
    auto rest = whole.substr(colon + 1);
    auto last = number(rest);
    if (first && (last || rest.empty())) {
      out.parts_.push_back({.name = {},
                            .first = *first,
                            .last = last.value_or(0),
                            .open = rest.empty(),
                            .is_range = true});
      return out;
    }
  }
  for (size_t begin = 0; begin <= whole.size();) {
    auto end = std::min(whole.find(',', begin), whole.size());
    auto item = trimmed(whole.substr(begin, end - begin));
    if (item.empty())
      return rejected("a scope is *, a position n or -n, a range a:b, a list a,b,c, or names of "
                      "cells; found an empty item at character " +
                      std::to_string(begin + 1) + " of \"" + std::string(text) + "\"");
    if (auto n = number(item))
      out.parts_.push_back({.name = {}, .first = *n});
    else
      out.parts_.push_back({.name = std::string(item)});
    begin = end + 1;
  }
  return out;
}

void scope::resolve(const record& cells, std::span<const cell> origin,
                    std::vector<size_t>& out) const {
  out.clear();
  auto size = int64_t(cells.size());
  auto from_start = [size](int64_t n) { return n < 0 ? n + size : n; };
  for (const auto& p : parts_) {
    if (!p.name.empty()) {
      auto at = find(cells, p.name);
      if (at == none && p.name[0] == '@')
        if (auto fact = find_origin(origin, p.name); fact != none)
          at = cells.size() + fact;
      if (at != none)
        add_once(out, at);
      continue;
    }
    auto first = from_start(p.first);
    auto last = !p.is_range ? first + 1 : p.open ? size : from_start(p.last);
    for (auto i = std::max<int64_t>(first, 0); i < std::min(last, size); ++i)
      add_once(out, size_t(i));
  }
}

bool scope::is_single() const { return parts_.size() == 1 && !parts_[0].is_range; }

bool scope::names_origin() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const part& p) { return !p.name.empty() && p.name[0] == '@'; });
}

} // namespace rtdp::extract::logs
