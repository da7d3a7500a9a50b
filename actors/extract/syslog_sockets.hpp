/// The sockets of a syslog receiver: UDP datagrams, and TCP connections cut into messages. Nothing
/// here waits but `wait`. Owned by the driver, one thread. What is not read stays in the kernel: a
/// TCP sender waits then, UDP datagrams are dropped there and counted.
#pragma once

#include "actors/extract/syslog_message.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::extract::syslog {

/// Closes when it goes.
class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_ = -1;
};

struct socket_settings {
  /// "host:port"; empty: none.
  std::string udp, tcp;
  size_t message_bytes_max = 0, connections_max = 0, buffer_bytes = 0;
};

class sockets {
public:
  explicit sockets(socket_settings s) : settings_(std::move(s)) {}

  /// `unavailable` when an address is taken, `rejected` when it is none of this machine.
  error open();

  /// Waits up to `wait` for something to read; false when nothing came.
  bool wait(std::chrono::milliseconds wait);

  /// Hands over what is there, each message with the sender's address, until `more` says no. True:
  /// there was something.
  using taker = std::function<void(const framer::cut&, std::string_view remote)>;
  bool take(const taker& use, const std::function<bool()>& more);

  /// Datagrams that the kernel dropped, and connections that were refused.
  uint64_t dropped() const { return dropped_; }
  uint64_t refused() const { return refused_; }

private:
  struct connection {
    descriptor socket;
    std::string remote;
    framer cutter;
    bool closed = false;
  };
  bool take_datagrams(const taker& use, const std::function<bool()>& more);
  bool take_stream(connection& c, const taker& use, const std::function<bool()>& more);
  void accept_all();

  socket_settings settings_;
  descriptor udp_, tcp_;
  std::list<connection> connections_;
  std::vector<char> buffer_;
  uint64_t dropped_ = 0, refused_ = 0;
  /// What the kernel said last; it counts from the opening of the socket.
  uint32_t dropped_now_ = 0;
};

} // namespace rtdp::extract::syslog
