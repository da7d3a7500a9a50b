/// From a request to a response by one table of routes; knows no socket. The table is made once,
/// before the server starts, and is read by all its threads; handlers run on those threads, several
/// at a time, and must return within 5 s.
#pragma once

#include "runtime/core/error.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ops {

struct request {
  /// "GET", "POST" or "DELETE"; a HEAD is handled as GET and loses its body later.
  std::string method;
  /// As it stood in the request, still percent-encoded, without the query.
  std::string path;
  /// Decoded parts of the path, by their names in the route's template.
  std::map<std::string, std::string> parts;
  /// Decoded `?name=value` pairs; the last one counts.
  std::map<std::string, std::string> query;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;

  /// Empty when there is none.
  std::string_view header(const std::string& lower_case_name) const;
  /// The type of the body in lower case, without parameters.
  std::string body_type() const;
};

struct response {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  /// Beside Content-Type, Content-Length and the security headers, which the server writes.
  std::map<std::string, std::string> headers{};
};

/// An error as RFC 9457 has it: `application/problem+json` with type, title, status, detail and
/// instance. `detail` says what to do.
response problem(int status, std::string_view detail, std::string_view instance = "");

/// `unavailable` is 503 with Retry-After, everything else 409: the request was understood and the
/// component refuses it.
response problem(const error& e, std::string_view instance = "");

/// A named value in the query or in the JSON body, for the OpenAPI document.
struct parameter {
  std::string name;
  /// "string" or "integer"
  std::string type;
  std::string doc;
};

inline constexpr auto json_type = "application/json";
inline constexpr auto yaml_type = "text/yaml";

struct route {
  std::string method;
  /// "/api/v1/flows/{name}"; a part in braces matches one path part.
  std::string path;
  std::string summary;
  std::function<response(const request&)> handler;
  std::vector<parameter> query{};
  /// The members of a JSON body.
  std::vector<parameter> body{};
  std::string produces = json_type;
  /// Of a body; other types are a 415. Empty: any.
  std::string takes = json_type;
};

class router {
public:
  explicit router(std::vector<route> routes);

  /// Fills `parts`, `query` must be filled. 404, 405 (with Allow) and 415 as problems; an exception
  /// of a handler becomes a 500.
  response handle(request& r) const;

  const std::vector<route>& routes() const { return routes_; }

private:
  std::vector<route> routes_;
  /// The template of each route, cut at the slashes.
  std::vector<std::vector<std::string>> templates_;
};

/// `%2F` → `/`; a percent sign that begins no pair of hex digits, or a zero byte, is nothing.
std::optional<std::string> percent_decode(std::string_view text);

/// For a path part or a query value that a client sends.
std::string percent_encode(std::string_view text);

/// Decodes "a=1&b=x+y"; nothing when a part cannot be decoded.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view text);

} // namespace rtdp::ops
