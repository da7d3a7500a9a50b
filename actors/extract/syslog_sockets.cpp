#include "actors/extract/syslog_sockets.hpp"

#include "runtime/ops/guard.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rtdp::extract::syslog {

namespace {

constexpr size_t datagram_bytes = 65'536;
/// Senders that come at the same moment.
constexpr int backlog = 64;

std::string name_of(const sockaddr_storage& from, socklen_t size) {
  char host[NI_MAXHOST] = {};
  auto code = getnameinfo(reinterpret_cast<const sockaddr*>(&from), size, host, sizeof host,
                          nullptr, 0, NI_NUMERICHOST);
  return code == 0 ? host : "";
}

/// Bound, non-blocking.
result<descriptor> open_at(const std::string& setting, const std::string& text, int type,
                           size_t buffer_bytes) {
  auto address = ops::parse_address(text);
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = type;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto host = address && address->host == "localhost" ? std::string("127.0.0.1")
              : address                               ? address->host
                                                      : std::string();
  if (!address || address->port < 0 ||
      getaddrinfo(host.c_str(), std::to_string(address->port).c_str(), &wanted, &found) != 0)
    return rejected(setting +
                    ": expected an IP address and a port, such as 127.0.0.1:5514; found " + text);
  descriptor s(socket(found->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int yes = 1, size = int(buffer_bytes);
  // A second receiver of datagrams at the same address would take some of them away.
  bool bound = bool(s) &&
               (type == SOCK_DGRAM ||
                setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0) &&
               bind(s.get(), found->ai_addr, found->ai_addrlen) == 0;
  auto code = errno;
  freeaddrinfo(found);
  if (!bound) {
    auto what = setting + ": cannot listen on " + text + ": " + std::strerror(code);
    return code == EADDRNOTAVAIL || code == EACCES ? rejected(what) : unavailable(what);
  }
  // The kernel may give less; what it then drops is counted.
  setsockopt(s.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (type == SOCK_DGRAM)
    setsockopt(s.get(), SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
  else if (listen(s.get(), backlog) != 0)
    return unavailable(setting + ": cannot listen on " + text + ": " + std::strerror(errno));
  return s;
}

} // namespace

descriptor::~descriptor() {
  if (fd_ >= 0)
    close(fd_);
}

error sockets::open() {
  buffer_.resize(datagram_bytes);
  if (!settings_.udp.empty()) {
    auto made = open_at("listen (udp)", settings_.udp, SOCK_DGRAM, settings_.buffer_bytes);
    if (!made)
      return made.error();
    udp_ = std::move(*made);
  }
  if (!settings_.tcp.empty()) {
    auto made = open_at("listen (tcp)", settings_.tcp, SOCK_STREAM, settings_.buffer_bytes);
    if (!made)
      return made.error();
    tcp_ = std::move(*made);
  }
  return {};
}

bool sockets::wait(std::chrono::milliseconds wait) {
  std::vector<pollfd> all;
  if (udp_)
    all.push_back({udp_.get(), POLLIN, 0});
  if (tcp_)
    all.push_back({tcp_.get(), POLLIN, 0});
  for (const auto& c : connections_)
    all.push_back({c.socket.get(), POLLIN, 0});
  return poll(all.data(), all.size(), int(wait.count())) > 0;
}

bool sockets::take(const taker& use, const std::function<bool()>& more) {
  bool any = udp_ && take_datagrams(use, more);
  if (tcp_)
    accept_all();
  for (auto& c : connections_)
    if (more())
      any = take_stream(c, use, more) || any;
  connections_.remove_if([](const connection& c) { return c.closed; });
  // The first one shall not have all the room each time.
  if (connections_.size() > 1)
    connections_.splice(connections_.end(), connections_, connections_.begin());
  return any;
}

bool sockets::take_datagrams(const taker& use, const std::function<bool()>& more) {
  bool any = false;
  while (more()) {
    sockaddr_storage from{};
    iovec part{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
    msghdr m{};
    m.msg_name = &from;
    m.msg_namelen = sizeof from;
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    auto got = recvmsg(udp_.get(), &m, MSG_DONTWAIT);
    if (got < 0)
      break;
    any = true;
    for (auto* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
        uint32_t now = 0;
        std::memcpy(&now, CMSG_DATA(c), sizeof now);
        // A 32-bit count that may go round.
        dropped_ += uint32_t(now - dropped_now_);
        dropped_now_ = now;
      }
    auto size = std::min(size_t(got), settings_.message_bytes_max);
    use({{buffer_.data(), size}, size < size_t(got)}, name_of(from, m.msg_namelen));
  }
  return any;
}

void sockets::accept_all() {
  for (;;) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    descriptor s(accept4(tcp_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!s)
      return;
    if (connections_.size() >= settings_.connections_max) {
      ++refused_;
      continue;
    }
    connections_.push_back(
        {std::move(s), name_of(from, size), framer(settings_.message_bytes_max)});
  }
}

bool sockets::take_stream(connection& c, const taker& use, const std::function<bool()>& more) {
  bool any = false;
  for (;;) {
    while (more()) {
      auto cut = c.cutter.next(c.closed);
      if (!cut)
        break;
      any = true;
      use(*cut, c.remote);
    }
    if (c.closed || !more())
      return any;
    auto got = recv(c.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
      return any;
    // What it sent before it went is still taken; a message that is not whole only as a line.
    c.closed = got <= 0;
    if (got > 0)
      c.cutter.feed({buffer_.data(), size_t(got)});
  }
}

} // namespace rtdp::extract::syslog
