#include "runtime/ops/http.hpp"
#include "test/runtime/ops/talk.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace rtdp;
using namespace rtdp::ops;
using ops::test::ask;
using ops::test::converse;
using ops::test::parse_reply;

namespace {

std::unique_ptr<http_server> serve(http_options options = {}) {
  options.listen = "127.0.0.1:0";
  auto started = http_server::start(
      options,
      router({{"GET", "/echo/{name}", "",
               [](const request& r) {
                 auto q = r.query.find("q");
                 return response{200, "text/plain",
                                 r.parts.at("name") + "|" + (q == r.query.end() ? "" : q->second)};
               }},
              {"POST", "/echo", "",
               [](const request& r) {
                 return response{200, "text/plain", r.body};
               }},
              {"GET", "/throws", "",
               [](const request&) -> response { throw std::runtime_error("broken"); }}}));
  REQUIRE(started);
  return std::move(*started);
}

const std::string as_json = "Content-Type: application/json\r\n";

} // namespace

TEST_CASE("the server listens on a free port, answers and reports where it is") {
  auto server = serve();
  CHECK(server->port() > 0);
  CHECK(server->url() == "http://127.0.0.1:" + std::to_string(server->port()));
  auto got = ask(server->port(), "GET", "/echo/a%2Fb?q=x%20y");
  CHECK(got.status == 200);
  CHECK(got.body == "a/b|x y");
  CHECK(got.headers["Content-Type"] == "text/plain");
  CHECK(got.headers["Content-Length"] == "7");
}

TEST_CASE("every answer carries the security headers and no permission for other origins") {
  auto server = serve();
  for (auto path : {"/echo/a", "/nothing"}) {
    auto got = ask(server->port(), "GET", path, "", "Origin: http://evil.example\r\n");
    CHECK(got.headers["X-Content-Type-Options"] == "nosniff");
    CHECK(got.headers["Content-Security-Policy"].find("default-src 'self'") == 0);
    CHECK(got.headers["Cache-Control"] == "no-store");
    CHECK(got.headers.count("Access-Control-Allow-Origin") == 0);
  }
  auto preflight = ask(server->port(), "OPTIONS", "/echo", "",
                       "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
  CHECK(preflight.status == 403);
  CHECK(preflight.headers.count("Access-Control-Allow-Origin") == 0);
}

TEST_CASE("HEAD answers as GET, without the body") {
  auto server = serve();
  auto got = ask(server->port(), "HEAD", "/echo/abc");
  CHECK(got.status == 200);
  CHECK(got.headers["Content-Length"] == "4");
  CHECK(got.body.empty());
}

TEST_CASE("files are out of reach") {
  auto server = serve();
  for (auto path : {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/./"})
    CHECK_MESSAGE(ask(server->port(), "GET", path).status == 404, path);
  CHECK(ask(server->port(), "PUT", "/x", "{}", as_json).status == 404);
}

TEST_CASE("a wrong verb, an unknown one and a broken query are refused as problems") {
  auto server = serve();
  auto wrong = ask(server->port(), "DELETE", "/echo");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers["Allow"] == "POST");
  CHECK(wrong.headers["Content-Type"] == "application/problem+json");
  CHECK(ask(server->port(), "BREW", "/echo").status == 400);
  CHECK(ask(server->port(), "GET", "/echo/a?q=%").status == 400);
}

TEST_CASE("what cannot be parsed is answered with a problem") {
  auto server = serve();
  auto got = parse_reply(converse(server->port(), "GARBAGE\r\n\r\n"));
  CHECK(got.status == 400);
  CHECK(got.headers["Content-Type"] == "application/problem+json");
  CHECK(nlohmann::json::parse(got.body)["status"] == 400);
}

TEST_CASE("a body is read whole, also chunked") {
  auto server = serve();
  std::string body = "\"" + std::string(200'000, 'a') + "\"";
  CHECK(ask(server->port(), "POST", "/echo", body, as_json).body == body);
  auto chunked = ask(server->port(), "POST", "/echo", "", as_json);
  CHECK(chunked.body.empty());
  CHECK(parse_reply(
            converse(server->port(),
                     "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + as_json +
                         "Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"))
            .body == "[1,2]");
}

TEST_CASE("a body above the limit is refused, whatever it says about its length") {
  http_options small;
  small.body_bytes_max = 1000;
  auto server = serve(small);
  CHECK(ask(server->port(), "POST", "/echo", std::string(1001, ' '), as_json).status == 413);
  CHECK(ask(server->port(), "POST", "/echo", std::string(3'000'000, ' '), as_json).status == 413);
  CHECK(ask(server->port(), "POST", "/echo", std::string(1000, ' '), as_json).status == 200);
  CHECK(
      parse_reply(converse(server->port(), "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + as_json +
                                               "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                                               std::string(1001, ' ') + "\r\n0\r\n\r\n"))
          .status == 413);
}

TEST_CASE("headers above 16 KiB are refused") {
  auto server = serve();
  auto got = ask(server->port(), "GET", "/echo/a", "", "X: " + std::string(20'000, 'a') + "\r\n");
  CHECK(got.status >= 400);
}

TEST_CASE("a client that sends slowly is cut off and does not block the others") {
  http_options hasty;
  hasty.request_time_max = std::chrono::milliseconds(300);
  auto server = serve(hasty);
  std::vector<std::jthread> slow;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 2; ++i)
    slow.emplace_back([&] {
      auto got = parse_reply(converse(server->port(), "POST /echo HTTP/1.1\r\nHost: localhost\r\n" +
                                                          as_json + "Content-Length: 9\r\n\r\n[1"));
      refused += got.status == 408;
    });
  CHECK(ask(server->port(), "GET", "/echo/a").status == 200);
  slow.clear();
  CHECK(refused == 2);
}

TEST_CASE("a change is refused for a rebound name and for a page from elsewhere") {
  auto server = serve();
  auto rebound =
      parse_reply(converse(server->port(), "POST /echo HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
  CHECK(rebound.status == 403);
  CHECK(ask(server->port(), "POST", "/echo", "", "Origin: http://evil.example\r\n").status == 403);
  CHECK(ask(server->port(), "POST", "/echo", "a=b").status == 415);
}

TEST_CASE("a handler that throws answers 500 and the server goes on") {
  auto server = serve();
  CHECK(ask(server->port(), "GET", "/throws").status == 500);
  CHECK(ask(server->port(), "GET", "/echo/a").status == 200);
}

TEST_CASE("many clients are served at the same time") {
  auto server = serve();
  std::atomic<int> good = 0;
  std::vector<std::jthread> clients;
  for (int t = 0; t < 8; ++t)
    clients.emplace_back([&] {
      for (int i = 0; i < 25; ++i)
        good += ask(server->port(), "GET", "/echo/a").status == 200;
    });
  clients.clear();
  CHECK(good == 200);
}

TEST_CASE("a taken port is unavailable and says what to do") {
  auto first = serve();
  http_options same;
  same.listen = "127.0.0.1:" + std::to_string(first->port());
  auto second = http_server::start(same, router({}));
  REQUIRE_FALSE(second);
  CHECK(second.error() == ec::unavailable);
  CHECK(second.error().text().find(same.listen) != std::string::npos);
  CHECK(second.error().text().find("node.http") != std::string::npos);
}

TEST_CASE("an address that is none is rejected") {
  for (auto wrong :
       {"", "8080", "localhost", "127.0.0.1:x", "127.0.0.1:99999", "1.2.3.4.5:80", "192.0.2.1:0"}) {
    http_options o;
    o.listen = wrong;
    auto got = http_server::start(o, router({}));
    REQUIRE_FALSE(got);
    CHECK_MESSAGE(got.error() == ec::rejected, wrong);
    CHECK(got.error().text().find("node.http") != std::string::npos);
  }
}

TEST_CASE("the server stops within a second and starts again") {
  for (int i = 0; i < 3; ++i) {
    auto server = serve();
    CHECK(ask(server->port(), "GET", "/echo/a").status == 200);
    auto begin = std::chrono::steady_clock::now();
    server.reset();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
  }
}
