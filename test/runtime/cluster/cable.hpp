/// A way between two nodes that a test can cut: takes connections on the loopback and carries what
/// they say to another port, in a thread of its own. Cut, it carries nothing and keeps everything
/// open, as a network does whose packets get lost.
#pragma once

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <atomic>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rtdp::cluster::test {

class cable {
public:
  explicit cable(uint16_t to) : to_(to), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    auto at = loopback(0);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    carrier_ = std::thread([this] { carry(); });
  }
  ~cable() {
    ended_ = true;
    carrier_.join();
    for (auto [one, other] : pairs_) {
      ::close(one);
      ::close(other);
    }
    ::close(listener_);
  }
  cable(const cable&) = delete;
  cable& operator=(const cable&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void cut() { cut_ = true; }
  void heal() { cut_ = false; }

private:
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
  }
  void take() {
    int one = ::accept(listener_, nullptr, nullptr);
    int other = ::socket(AF_INET, SOCK_STREAM, 0);
    auto at = loopback(to_);
    if (::connect(other, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) {
      pairs_.emplace_back(one, other);
      return;
    }
    ::close(one);
    ::close(other);
  }
  /// False: one of the two ends has closed.
  static bool pass(int from, int to) {
    char part[65536];
    auto got = ::recv(from, part, sizeof part, MSG_DONTWAIT);
    return got > 0 && ::send(to, part, size_t(got), MSG_NOSIGNAL) == got;
  }
  void carry() {
    while (!ended_) {
      std::vector<pollfd> all{{listener_, POLLIN, 0}};
      for (auto [one, other] : pairs_) {
        all.push_back({one, POLLIN, 0});
        all.push_back({other, POLLIN, 0});
      }
      bool cut = cut_;
      if (::poll(all.data(), cut ? 0 : all.size(), 20) <= 0 || cut)
        continue;
      std::vector<std::pair<int, int>> left;
      for (size_t i = 0; i < pairs_.size(); ++i) {
        auto [one, other] = pairs_[i];
        bool open = (!all[1 + 2 * i].revents || pass(one, other)) &&
                    (!all[2 + 2 * i].revents || pass(other, one));
        if (open) {
          left.emplace_back(one, other);
          continue;
        }
        ::close(one);
        ::close(other);
      }
      pairs_ = std::move(left);
      if (all[0].revents)
        take();
    }
  }

  uint16_t to_, port_ = 0;
  int listener_;
  std::vector<std::pair<int, int>> pairs_;
  std::atomic<bool> cut_ = false, ended_ = false;
  std::thread carrier_;
};

} // namespace rtdp::cluster::test
