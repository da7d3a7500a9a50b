#include "runtime/cluster/endpoint.hpp"

#include "runtime/ops/guard.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace rtdp::cluster {

namespace {

class socket_handle {
public:
  explicit socket_handle(int fd) : fd_(fd) {}
  socket_handle(socket_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  socket_handle& operator=(socket_handle&&) = delete;
  ~socket_handle() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  int get() const { return fd_; }

private:
  int fd_;
};

using addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

/// `rejected` when it is no address at all.
result<addresses> look_up(const std::string& text, int flags) {
  auto parsed = ops::parse_address(text);
  if (!parsed || parsed->port < 0)
    return rejected("expected host:port, such as 10.0.0.2:7001; found \"" + text + "\"");
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | flags;
  auto code = ::getaddrinfo(parsed->host.c_str(), std::to_string(parsed->port).c_str(), &wanted,
                            &found);
  if (code != 0)
    return unavailable(fmt::format("cannot look up {}: {}", parsed->host, ::gai_strerror(code)));
  return addresses(found, ::freeaddrinfo);
}

endpoint in_numbers(const addrinfo& from) {
  char host[NI_MAXHOST] = {}, port[NI_MAXSERV] = {};
  ::getnameinfo(from.ai_addr, from.ai_addrlen, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
  return {host, uint16_t(std::atoi(port))};
}

socket_handle open_for(const addrinfo& to) {
  return socket_handle(::socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool wait_for(int socket, short what, std::chrono::milliseconds time) {
  pollfd one{socket, what, 0};
  return ::poll(&one, 1, int(time.count())) == 1;
}

/// 0, or the errno of why it takes no connection.
int connect_within(int socket, const addrinfo& to, std::chrono::milliseconds time) {
  if (socket < 0)
    return errno;
  if (::connect(socket, to.ai_addr, to.ai_addrlen) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  if (!wait_for(socket, POLLOUT, time))
    return ETIMEDOUT;
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size);
  return code;
}

} // namespace

result<endpoint> reach(const std::string& address, std::chrono::milliseconds time) {
  auto found = look_up(address, 0);
  if (!found)
    return found.error();
  int code = 0;
  for (auto* to = found->get(); to != nullptr; to = to->ai_next) {
    auto socket = open_for(*to);
    code = connect_within(socket.get(), *to, time);
    if (code == 0)
      return in_numbers(*to);
  }
  return unavailable(std::strerror(code));
}

result<endpoint> free_to_listen(const std::string& address, const std::string& setting) {
  auto found = look_up(address, AI_PASSIVE);
  if (!found)
    return found.error().in(setting);
  auto socket = open_for(**found);
  int yes = 1;
  // A predecessor's connections may still time out; a listener that lives is noticed all the same.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), (*found)->ai_addr, (*found)->ai_addrlen) == 0)
    return in_numbers(**found);
  auto code = errno;
  auto text = fmt::format("{}: cannot listen on {}: {}; {}", setting, address,
                          std::strerror(code),
                          code == EADDRINUSE
                              ? "is another node or program running there?"
                              : "expected an address of this machine and a port it may take");
  return code == EADDRINUSE ? unavailable(text) : rejected(text);
}

std::string why_silent(const endpoint& at, const tls_settings& mine,
                       std::chrono::milliseconds time) {
  auto found = look_up(at.host.find(':') == at.host.npos
                           ? fmt::format("{}:{}", at.host, at.port)
                           : fmt::format("[{}]:{}", at.host, at.port),
                       AI_NUMERICHOST);
  if (!found)
    return found.error().text();
  auto socket = open_for(**found);
  if (int code = connect_within(socket.get(), **found, time); code != 0)
    return std::strerror(code);
  if (mine.on()) {
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
    auto why = why_tls_fails(socket.get(), mine, time);
    return why.empty() ? "it speaks TLS, but not as a node of rtdp" : why;
  }
  // A node says who it is as soon as somebody connects, unless it waits for TLS to begin.
  if (!wait_for(socket.get(), POLLIN, time))
    return "it says nothing; it hangs, or `cluster.tls` is set there and not here";
  char first = 0;
  return ::recv(socket.get(), &first, 1, 0) == 1 ? "it does not speak as a node of rtdp does"
                                                 : "it hangs up at once";
}

} // namespace rtdp::cluster
