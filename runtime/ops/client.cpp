#include "runtime/ops/client.hpp"

#include "runtime/ops/guard.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rtdp::ops {
namespace {

using clock = std::chrono::steady_clock;

/// A list of 10,000 dead letters has some 3 MB.
constexpr size_t answer_bytes_max = 64 << 20;

class connection {
public:
  explicit connection(int fd) : fd_(fd) {}
  connection(connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  connection& operator=(connection&&) = delete;
  ~connection() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int fd() const { return fd_; }

  /// Why the socket is not ready in time; empty when it is.
  std::string wait(short events, clock::time_point until) const {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    pollfd p{fd_, events, 0};
    if (left <= 0 || ::poll(&p, 1, int(left)) == 0)
      return "no answer in time";
    return "";
  }

private:
  int fd_;
};

/// Tries the addresses of the name one after another; `why` gets the last failure.
result<connection> connect_to(const addrinfo* addresses, clock::time_point until) {
  std::string why = "the name has no address";
  for (const auto* a = addresses; a != nullptr; a = a->ai_next) {
    connection c(::socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (c.fd() < 0)
      continue;
    if (::connect(c.fd(), a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) {
      why = std::strerror(errno);
      continue;
    }
    why = c.wait(POLLOUT, until);
    int failure = 0;
    socklen_t size = sizeof failure;
    if (why.empty() && ::getsockopt(c.fd(), SOL_SOCKET, SO_ERROR, &failure, &size) == 0 &&
        failure == 0)
      return c;
    if (failure != 0)
      why = std::strerror(failure);
  }
  return unavailable(why);
}

error send_all(const connection& c, std::string_view bytes, clock::time_point until) {
  while (!bytes.empty()) {
    if (auto why = c.wait(POLLOUT, until); !why.empty())
      return unavailable(why);
    auto n = ::send(c.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      return unavailable(std::strerror(errno));
    bytes.remove_prefix(size_t(std::max<ssize_t>(n, 0)));
  }
  return {};
}

/// Everything until the server closes, which ends an answer of HTTP/1.0.
result<std::string> receive_all(const connection& c, clock::time_point until) {
  std::string got;
  char buffer[65536];
  while (got.size() < answer_bytes_max) {
    if (auto why = c.wait(POLLIN, until); !why.empty())
      return unavailable(why);
    auto n = ::recv(c.fd(), buffer, sizeof buffer, 0);
    if (n == 0)
      return got;
    if (n > 0)
      got.append(buffer, size_t(n));
    else if (errno != EAGAIN && errno != EINTR)
      return unavailable(std::strerror(errno));
  }
  return rejected(fmt::format("the answer has more than {} bytes", answer_bytes_max));
}

/// The value of Content-Length, if there is one.
std::optional<size_t> content_length(std::string_view head) {
  constexpr std::string_view name = "\r\ncontent-length:";
  std::string lower(head);
  for (auto& c : lower)
    c = char(std::tolower(static_cast<unsigned char>(c)));
  auto at = lower.find(name);
  if (at == lower.npos)
    return std::nullopt;
  at = lower.find_first_not_of(' ', at + name.size());
  size_t value = 0;
  auto from = lower.data() + std::min(at, lower.size());
  if (std::from_chars(from, lower.data() + lower.size(), value).ec != std::errc())
    return std::nullopt;
  return value;
}

result<answer> parse(const std::string& text) {
  auto end = text.find("\r\n\r\n");
  answer out;
  auto digits = text.rfind("HTTP/1.", 0) == 0 && text.size() > 12 ? text.data() + 9 : nullptr;
  if (end == text.npos || digits == nullptr ||
      std::from_chars(digits, digits + 3, out.status).ec != std::errc())
    return rejected("what answers there does not speak HTTP");
  out.body = text.substr(end + 4);
  auto length = content_length(std::string_view(text).substr(0, end));
  if (length && out.body.size() < *length)
    return unavailable(
        fmt::format("the answer ended after {} of {} bytes", out.body.size(), *length));
  return out;
}

result<answer> exchange(const std::string& host, const std::string& port, std::string_view bytes,
                        clock::time_point until) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0)
    return unavailable(::gai_strerror(code));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  auto c = connect_to(found, until);
  if (!c)
    return c.error();
  if (auto e = send_all(*c, bytes, until))
    return e;
  auto text = receive_all(*c, until);
  return text ? parse(*text) : result<answer>(text.error());
}

} // namespace

result<client> client::make(const std::string& url, std::chrono::milliseconds time_max) {
  constexpr std::string_view scheme = "http://";
  auto rest = std::string_view(url);
  auto is_http = rest.substr(0, scheme.size()) == scheme;
  rest.remove_prefix(is_http ? scheme.size() : 0);
  if (!rest.empty() && rest.back() == '/')
    rest.remove_suffix(1);
  auto where = parse_address(rest);
  if (!is_http || !where || rest.find_first_of("/?#@ \r\n") != rest.npos)
    return rejected(fmt::format("\"{}\" is no address of a node; expected one like "
                                "http://127.0.0.1:8080 in --url or RTDP_URL",
                                url));
  client out;
  out.url_ = std::string(scheme) + std::string(rest);
  out.host_ = where->host;
  out.port_ = std::to_string(where->port < 0 ? 80 : where->port);
  out.time_max_ = time_max;
  return out;
}

result<answer> client::call(const std::string& method, const std::string& target,
                            const std::string& body, const char* type) const {
  // HTTP/1.0: the server closes behind the answer and never sends it in chunks.
  auto request = fmt::format("{} {} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n", method,
                             target, url_.substr(std::strlen("http://")));
  if (!body.empty())
    request += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", type, body.size());
  auto got = exchange(host_, port_, request + "\r\n" + body, clock::now() + time_max_);
  if (got)
    return got;
  return error(
      got.error().code(),
      fmt::format("no node answers at {} ({}): start one with `rtdp run FILE`, or name its "
                  "address with --url",
                  url_, got.error().text()));
}

} // namespace rtdp::ops
