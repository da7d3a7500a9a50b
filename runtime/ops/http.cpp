#include "runtime/ops/http.hpp"

#include "runtime/ops/guard.hpp"
#include "runtime/ops/log.hpp"

#include <civetweb.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

namespace rtdp::ops {
namespace {

/// Request line and headers together; civetweb refuses more.
constexpr auto header_bytes_max = "16384";

/// Everything a page may load comes from this server; nothing may frame it.
constexpr auto security_headers = "X-Content-Type-Options: nosniff\r\n"
                                  "Content-Security-Policy: default-src 'self'; "
                                  "img-src 'self' data:; "
                                  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
                                  "Cross-Origin-Resource-Policy: same-origin\r\n"
                                  "Referrer-Policy: no-referrer\r\n";

void send(mg_connection* to, const response& r, bool with_body) {
  auto head =
      fmt::format("HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S GMT}\r\nContent-Type: {}\r\n"
                  "Content-Length: {}\r\nConnection: close\r\n{}",
                  r.status, mg_get_response_code_text(to, r.status),
                  fmt::gmtime(std::time(nullptr)), r.type, r.body.size(), security_headers);
  if (r.headers.find("Cache-Control") == r.headers.end())
    head += "Cache-Control: no-store\r\n";
  for (const auto& [name, value] : r.headers)
    head += fmt::format("{}: {}\r\n", name, value);
  head += "\r\n";
  if (with_body)
    head += r.body;
  // A client that is gone is nobody's problem.
  mg_write(to, head.data(), head.size());
}

/// Nothing when the whole body is in `out`.
std::optional<response> read_body(mg_connection* from, size_t bytes_max, std::string& out) {
  auto length = mg_get_request_info(from)->content_length;
  if (length > 0 && size_t(length) > bytes_max)
    return problem(413, fmt::format("the body has {} bytes; at most {}", length, bytes_max));
  // One more than allowed, to tell a chunked body that is too long. One call: each has its own
  // time-out.
  std::string buffer(length >= 0 ? size_t(length) : bytes_max + 1, '\0');
  auto got = mg_read(from, buffer.data(), buffer.size());
  if (got < 0 || (length > 0 && got != length))
    return problem(408,
                   fmt::format("the body ended after {} of {} bytes", std::max(got, 0), length));
  if (size_t(got) > bytes_max)
    return problem(413, fmt::format("the body has more than {} bytes", bytes_max));
  buffer.resize(size_t(got));
  out = std::move(buffer);
  return std::nullopt;
}

/// The request without its body, or the refusal.
std::optional<response> read_head(const mg_connection* from, request& out) {
  const auto* info = mg_get_request_info(from);
  out.method = info->request_method;
  for (int i = 0; i < info->num_headers; ++i)
    out.headers[lower(info->http_headers[i].name)] = info->http_headers[i].value;
  if (info->local_uri_raw == nullptr || info->local_uri_raw[0] != '/')
    return problem(400, "the request names no path of this server");
  out.path = info->local_uri_raw;
  auto query = parse_query(info->query_string == nullptr ? "" : info->query_string);
  if (!query)
    return problem(400, "the query has a percent sign that begins no two hex digits", out.path);
  out.query = std::move(*query);
  return std::nullopt;
}

} // namespace

struct http_server::impl {
  impl(http_options o, router r, address a)
      : options(std::move(o)), routes(std::move(r)), bound(std::move(a)) {}

  http_options options;
  router routes;
  address bound;
  mg_context* context = nullptr;
  mg_callbacks callbacks{};
  std::mutex guard;
  std::string last_message;

  response answer(mg_connection* from, request& r) const {
    if (auto refused = read_head(from, r))
      return *refused;
    if (auto refused = read_body(from, options.body_bytes_max, r.body))
      return *refused;
    if (auto refused = options.guarded ? refuse(r, options.names) : std::nullopt)
      return *refused;
    return routes.handle(r);
  }

  static impl& of(const mg_connection* c) {
    return *static_cast<impl*>(mg_get_user_context_data(c));
  }

  /// Answers everything, so that civetweb's own file serving is never reached.
  static int begin_request(mg_connection* c) {
    request r;
    auto out = problem(500, "out of memory");
    try {
      out = of(c).answer(c, r);
      send(c, out, r.method != "HEAD");
    } catch (const std::exception& e) {
      logger("http")->error("{} {}: {}", r.method, r.path, e.what());
    }
    return out.status;
  }

  /// Requests that civetweb cannot parse.
  static int http_error(mg_connection* c, int status, const char* text) {
    send(c, problem(status, text == nullptr ? "the request cannot be read" : text), true);
    return 0;
  }

  static int log_message(const mg_connection* c, const char* text) {
    auto& self = of(c);
    std::lock_guard lock(self.guard);
    // The first message of a failed start has the reason.
    if (self.context == nullptr && self.last_message.empty())
      self.last_message = text;
    else
      logger("http")->debug("{}", text);
    return 1;
  }

  error listen();
  void stop();
};

error http_server::impl::listen() {
  mg_init_library(0);
  callbacks.begin_request = begin_request;
  callbacks.http_error = http_error;
  callbacks.log_message = log_message;
  auto threads = std::to_string(options.threads);
  auto timeout = std::to_string(options.request_time_max.count());
  // decode_url: the router decodes, part by part, so that %2F may stand in a name.
  // access_control_*: civetweb would answer every page's preflight with yes.
  std::array<const char*, 21> settings = {"listening_ports",
                                          options.listen.c_str(),
                                          "num_threads",
                                          threads.c_str(),
                                          "request_timeout_ms",
                                          timeout.c_str(),
                                          "max_request_size",
                                          header_bytes_max,
                                          "enable_keep_alive",
                                          "no",
                                          "tcp_nodelay",
                                          "1",
                                          "decode_url",
                                          "no",
                                          "enable_directory_listing",
                                          "no",
                                          "access_control_allow_origin",
                                          "",
                                          "access_control_allow_methods",
                                          "",
                                          nullptr};
  mg_init_data init{&callbacks, this, settings.data()};
  auto* started = mg_start2(&init, nullptr);
  std::lock_guard lock(guard);
  if (started == nullptr) {
    mg_exit_library();
    auto taken = last_message.find("(Address already in use)") != last_message.npos;
    auto text = fmt::format("http: cannot listen on {}: {}; {} {} to {}", options.listen,
                            last_message,
                            taken ? "stop the program that has this port (another rtdp?), or set"
                                  : "set",
                            options.setting, taken ? "another address" : "an address of this machine");
    return taken ? unavailable(text) : rejected(text);
  }
  context = started;
  mg_server_port port{};
  if (mg_get_server_ports(context, 1, &port) == 1)
    bound.port = port.port;
  return {};
}

void http_server::impl::stop() {
  if (context == nullptr)
    return;
  // The listening thread looks at the stop flag only every 2 s or when somebody connects; so
  // somebody connects until it is gone.
  std::jthread waker([this](const std::stop_token& stopped) {
    std::mutex unused;
    std::condition_variable_any pause;
    std::array<char, 128> text{};
    auto host = bound.host == "0.0.0.0" || bound.host == "::" ? "127.0.0.1" : bound.host;
    while (!stopped.stop_requested()) {
      if (auto* c = mg_connect_client(host.c_str(), bound.port, 0, text.data(), text.size()))
        mg_close_connection(c);
      std::unique_lock lock(unused);
      pause.wait_for(lock, stopped, std::chrono::milliseconds(5), [] { return false; });
    }
  });
  mg_stop(context);
  waker.request_stop();
  waker.join();
  context = nullptr;
  mg_exit_library();
}

result<std::unique_ptr<http_server>> http_server::start(http_options options, router routes) {
  auto where = parse_address(options.listen);
  if (!where || where->port < 0)
    return rejected(fmt::format("http: \"{}\" is no address; expected HOST:PORT such as "
                                "127.0.0.1:8080 in node.http",
                                options.listen));
  auto held = std::make_unique<impl>(std::move(options), std::move(routes), *where);
  held->options.names.push_back(lower(where->host));
  if (auto e = held->listen())
    return e;
  if (!is_loopback(where->host))
    logger("http")->warn("listens on {}: everybody who reaches this address can start, stop and "
                         "drop; there is no login",
                         held->options.listen);
  return std::unique_ptr<http_server>(new http_server(std::move(held)));
}

http_server::http_server(std::unique_ptr<impl> held) : impl_(std::move(held)) {}

http_server::~http_server() { impl_->stop(); }

int http_server::port() const { return impl_->bound.port; }

std::string http_server::url() const {
  auto host = impl_->bound.host;
  if (host.find(':') != host.npos)
    host = "[" + host + "]";
  return fmt::format("http://{}:{}", host, port());
}

} // namespace rtdp::ops
