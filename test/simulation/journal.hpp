/// What happened in one seed, the newest last, and the first rule that was broken. Owned by the
/// world of the seed.
#pragma once

#include "test/simulation/clockwork.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <string>
#include <utility>

namespace rtdp::simulation {

class journal {
public:
  journal(clockwork& clock, bool trace) : clock_(clock), trace_(trace) {}

  template<class... Ts>
  void note(fmt::format_string<Ts...> text, Ts&&... xs) {
    auto at = clock_.now();
    lines_.push_back(fmt::format("{:>10.6f}  {}", double(at.count()) / 1e6,
                                 fmt::format(text, std::forward<Ts>(xs)...)));
    if (trace_)
      std::fprintf(stderr, "%s\n", lines_.back().c_str());
    if (lines_.size() > kept)
      lines_.pop_front();
  }

  /// A rule was broken: the seed ends.
  template<class... Ts>
  void broke(fmt::format_string<Ts...> text, Ts&&... xs) {
    auto what = fmt::format(text, std::forward<Ts>(xs)...);
    note("BROKEN: {}", what);
    if (broken_.empty())
      broken_ = std::move(what);
  }

  const std::string& broken() const { return broken_; }
  const std::deque<std::string>& lines() const { return lines_; }

private:
  static constexpr size_t kept = 120;
  clockwork& clock_;
  bool trace_;
  std::deque<std::string> lines_;
  std::string broken_;
};

} // namespace rtdp::simulation
