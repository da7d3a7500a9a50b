#include "runtime/ops/client.hpp"
#include "runtime/ops/http.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace rtdp;
using namespace rtdp::ops;
using namespace std::chrono_literals;

namespace {

/// Accepts one connection, reads the request, answers `reply` and keeps the connection open until
/// the test ends or, if `hang_up`, closes it.
class one_answer {
public:
  explicit one_answer(std::string reply, bool hang_up)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::listen(socket_, 1) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&a), &size);
    url = "http://127.0.0.1:" + std::to_string(ntohs(a.sin_port));
    thread_ = std::jthread([this, reply, hang_up] {
      peer_ = ::accept(socket_, nullptr, nullptr);
      char buffer[4096];
      auto n = ::recv(peer_, buffer, sizeof buffer, 0);
      request.assign(buffer, size_t(std::max<ssize_t>(n, 0)));
      ::send(peer_, reply.data(), reply.size(), MSG_NOSIGNAL);
      if (hang_up)
        ::shutdown(peer_, SHUT_RDWR);
    });
  }
  ~one_answer() {
    thread_.join();
    ::close(peer_);
    ::close(socket_);
  }

  std::string url, request;

private:
  int socket_, peer_ = -1;
  std::jthread thread_;
};

result<answer> ask(const std::string& url) { return client::make(url, 300ms)->get("/x"); }

} // namespace

TEST_CASE("a URL is checked before anything is sent") {
  for (auto good :
       {"http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:80", "http://node"})
    CHECK_MESSAGE(client::make(good), good);
  for (auto wrong : {"", "127.0.0.1:8080", "https://node:1", "http://", "http://a:b", "http://a/b",
                     "http://user@node:1", "http://a\r\nX: y:1"}) {
    auto got = client::make(wrong);
    REQUIRE_FALSE(got);
    CHECK_MESSAGE(got.error() == ec::rejected, wrong);
  }
}

TEST_CASE("a call brings status and body, and names the host") {
  one_answer server("HTTP/1.1 404 Not Found\r\ncontent-length:  5\r\n\r\nhello", true);
  auto got = ask(server.url);
  REQUIRE(got);
  CHECK(got->status == 404);
  CHECK(got->body == "hello");
  CHECK(server.request.find("GET /x HTTP/1.0\r\nHost: 127.0.0.1:") == 0);
}

TEST_CASE("a server that stops in the middle does not hold the client") {
  for (auto reply :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"}) {
    one_answer server(reply, false);
    auto begin = std::chrono::steady_clock::now();
    auto got = ask(server.url);
    REQUIRE_FALSE(got);
    CHECK(got.error() == ec::unavailable);
    CHECK(got.error().text().find("no answer in time") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
  }
}

TEST_CASE("an answer that is cut off or is no HTTP is an error") {
  one_answer cut("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc", true);
  auto got = ask(cut.url);
  REQUIRE_FALSE(got);
  CHECK(got.error().text().find("after 3 of 50 bytes") != std::string::npos);
  one_answer other("220 mail.example ESMTP\r\n\r\n", true);
  auto foreign = ask(other.url);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error() == ec::rejected);
}

TEST_CASE("a long answer and a long body pass") {
  auto started = http_server::start({.listen = "127.0.0.1:0"},
                                    router({{"POST", "/echo", "", [](const request& r) {
                                               return response{200, "x", r.body};
                                             }}}));
  REQUIRE(started);
  std::string body = "\"" + std::string(1'000'000, 'a') + "\"";
  auto got = client::make((*started)->url())->call("POST", "/echo", body);
  REQUIRE(got);
  CHECK(got->body == body);
}
