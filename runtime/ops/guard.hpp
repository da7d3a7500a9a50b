/// What stands between a browser and the handlers that change something. A page from elsewhere can
/// make a browser send requests to this server in two ways: by a name that it lets point to us (DNS
/// rebinding), which shows in Host, and by a form or a fetch across sites, which shows in Origin.
/// Pure; several threads may call it.
#pragma once

#include "runtime/ops/router.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ops {

struct address {
  std::string host;
  int port = 0;
};

/// "127.0.0.1:8080", "[::1]:8080", "localhost:8080". A name with a port is taken without one too,
/// as Host headers have it; `port` is then -1.
std::optional<address> parse_address(std::string_view text);

/// Letters of ASCII as small ones: names of hosts and headers do not tell them apart.
std::string lower(std::string_view text);

/// True for localhost and the loopback addresses.
bool is_loopback(std::string_view host);

/// The refusal of a request, or nothing. GET and HEAD pass. Everything else needs
/// - a Host that is localhost, an IP address (a rebound request carries a name) or one of `names`;
/// - an Origin, if there is one, of the same host and port;
/// - Content-Type application/json or text/yaml, unless the body is empty.
std::optional<response> refuse(const request& r, const std::vector<std::string>& names);

} // namespace rtdp::ops
