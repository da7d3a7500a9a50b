#include "runtime/ops/router.hpp"

#include "runtime/ops/component.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

const char* title_of(int status) {
  switch (status) {
  case 400:
    return "Bad Request";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 409:
    return "Conflict";
  case 413:
    return "Content Too Large";
  case 415:
    return "Unsupported Media Type";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 503:
    return "Service Unavailable";
  default:
    return "Error";
  }
}

std::vector<std::string> cut(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    auto end = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_variable(std::string_view part) { return part.size() > 2 && part.front() == '{'; }

/// The variables of the template with their decoded values; nothing when the path does not match.
std::optional<std::map<std::string, std::string>> match(const std::vector<std::string>& pattern,
                                                        const std::vector<std::string>& path) {
  if (pattern.size() != path.size())
    return std::nullopt;
  std::map<std::string, std::string> found;
  for (size_t i = 0; i < path.size(); ++i) {
    auto part = percent_decode(path[i]);
    if (!part)
      return std::nullopt;
    if (is_variable(pattern[i]) && !part->empty())
      found[pattern[i].substr(1, pattern[i].size() - 2)] = *part;
    else if (pattern[i] != *part)
      return std::nullopt;
  }
  return found;
}

/// A body of another type than the route takes; one without a type comes from within the process.
std::optional<response> wrong_type(const route& to, const request& r) {
  auto type = r.body_type();
  if (r.body.empty() || type.empty() || to.takes.empty() || type == to.takes)
    return std::nullopt;
  return problem(415, fmt::format("send the body as Content-Type: {}; found {}", to.takes, type),
                 r.path);
}

response not_allowed(const request& r, const std::set<std::string>& allowed) {
  auto list = fmt::format("{}", fmt::join(allowed, ", "));
  auto out = problem(405, fmt::format("{} is not possible here; use {}", r.method, list), r.path);
  out.headers["Allow"] = list;
  return out;
}

} // namespace

std::string_view request::header(const std::string& lower_case_name) const {
  auto at = headers.find(lower_case_name);
  return at == headers.end() ? std::string_view() : std::string_view(at->second);
}

std::string request::body_type() const {
  auto type = header("content-type");
  std::string out(type.substr(0, type.find(';')));
  out.erase(out.find_last_not_of(" \t") + 1);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return out;
}

response problem(int status, std::string_view detail, std::string_view instance) {
  json body = {
      {"type", "about:blank"}, {"title", title_of(status)}, {"status", status}, {"detail", detail}};
  if (!instance.empty())
    body["instance"] = instance;
  return {status, "application/problem+json", dump(body)};
}

response problem(const error& e, std::string_view instance) {
  if (!(e == ec::unavailable))
    return problem(409, e.text(), instance);
  auto out = problem(503, e.text(), instance);
  out.headers.emplace("Retry-After", "1");
  return out;
}

router::router(std::vector<route> routes) : routes_(std::move(routes)) {
  for (const auto& r : routes_)
    templates_.push_back(cut(r.path));
}

response router::handle(request& r) const {
  auto path = cut(r.path);
  auto method = r.method == "HEAD" ? "GET" : r.method;
  std::set<std::string> allowed;
  for (size_t i = 0; i < routes_.size(); ++i) {
    auto parts = match(templates_[i], path);
    if (!parts)
      continue;
    if (routes_[i].method != method) {
      allowed.insert(routes_[i].method);
      if (routes_[i].method == "GET")
        allowed.insert("HEAD");
      continue;
    }
    if (auto refused = wrong_type(routes_[i], r))
      return *refused;
    r.parts = std::move(*parts);
    try {
      return routes_[i].handler(r);
    } catch (const std::exception& e) {
      return problem(500, fmt::format("the handler of {} failed: {}", r.path, e.what()), r.path);
    }
  }
  if (!allowed.empty())
    return not_allowed(r, allowed);
  return problem(404, "there is nothing here; GET /api/v1/openapi.json lists what there is",
                 r.path);
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    auto digits = text.substr(i + 1, 2);
    auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (code != std::errc() || end != digits.data() + 2 || value == 0)
      return std::nullopt;
    out += char(value);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view plain = "-._~";
  std::string out;
  for (unsigned char c : text)
    if (isalnum(c) || plain.find(char(c)) != plain.npos)
      out += char(c);
    else
      out += fmt::format("%{:02X}", c);
  return out;
}

std::optional<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    auto end = std::min(text.find('&'), text.size());
    std::string pair(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    std::replace(pair.begin(), pair.end(), '+', ' ');
    auto equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(std::string_view(pair).substr(0, equals));
    auto value = percent_decode(std::string_view(pair).substr(std::min(equals + 1, pair.size())));
    if (!name || !value)
      return std::nullopt;
    if (!name->empty())
      out[*name] = *value;
  }
  return out;
}

} // namespace rtdp::ops
