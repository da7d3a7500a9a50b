#include "runtime/ops/guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace rtdp::ops {
namespace {

bool is_ip(const std::string& host) {
  in6_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

/// A page of another origin cannot send these without asking first, which nobody answers.
bool is_taken(const std::string& type) { return type == json_type || type == yaml_type; }

/// "http://host:port" without its scheme; empty for "null" and anything else without one.
std::string_view authority(std::string_view origin) {
  auto at = origin.find("://");
  return at == origin.npos ? std::string_view() : origin.substr(at + 3);
}

} // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return out;
}

std::optional<address> parse_address(std::string_view text) {
  auto colon = text.rfind(':');
  auto bracket = text.rfind(']');
  if (bracket != text.npos && colon != text.npos && colon < bracket)
    colon = text.npos;
  address out{std::string(text.substr(0, colon)), -1};
  if (!out.host.empty() && out.host.front() == '[') {
    if (out.host.back() != ']')
      return std::nullopt;
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != out.host.npos) {
    return std::nullopt;
  }
  if (out.host.empty())
    return std::nullopt;
  if (colon == text.npos)
    return out;
  auto digits = text.substr(colon + 1);
  auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (code != std::errc() || end != digits.data() + digits.size() || out.port < 0 ||
      out.port > 65535)
    return std::nullopt;
  return out;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.substr(0, 4) == "127.";
}

std::optional<response> refuse(const request& r, const std::vector<std::string>& names) {
  if (r.method == "GET" || r.method == "HEAD")
    return std::nullopt;
  auto host = lower(r.header("host"));
  auto to = parse_address(host);
  if (!to || (to->host != "localhost" && !is_ip(to->host) &&
              std::find(names.begin(), names.end(), to->host) == names.end()))
    return problem(403,
                   fmt::format("the Host header is \"{}\"; expected localhost, an IP address or a "
                               "name that this node was told",
                               host),
                   r.path);
  auto origin = r.header("origin");
  if (!origin.empty() && lower(authority(origin)) != host)
    return problem(403,
                   fmt::format("a page of {} asks for this; only pages of this node may", origin),
                   r.path);
  if (!r.body.empty() && !is_taken(r.body_type()))
    return problem(415, "send the body as Content-Type: application/json, or no body", r.path);
  return std::nullopt;
}

} // namespace rtdp::ops
