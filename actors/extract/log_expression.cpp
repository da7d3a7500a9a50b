#include "actors/extract/log_expression.hpp"

namespace rtdp::extract::logs {

result<expression> compile(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto made = std::make_shared<const re2::RE2>(pattern, options);
  if (made->ok())
    return expression(std::move(made));
  auto place = pattern.find(made->error_arg());
  auto where = made->error_arg().empty() || place == std::string::npos
                   ? std::string{}
                   : " at character " + std::to_string(place + 1);
  return rejected("not a regular expression: " + made->error() + where);
}

std::vector<std::string> group_names(const re2::RE2& pattern, std::string_view name) {
  std::vector<std::string> out;
  const auto& named = pattern.CapturingGroupNames();
  for (int i = 1; i <= pattern.NumberOfCapturingGroups(); ++i) {
    auto at = named.find(i);
    out.push_back(at != named.end() ? at->second : std::string(name) + "." + std::to_string(i));
  }
  return out;
}

} // namespace rtdp::extract::logs
