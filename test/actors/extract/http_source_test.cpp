#include "actors/extract/http_inbox.hpp"
#include "test/actors/extract/driving.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rtdp::extract {

namespace {

using namespace rtdp::test;
using namespace rtdp::extract::web;

int free_port() {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(bind(s, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(getsockname(s, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  close(s);
  return ntohs(at.sin_port);
}

/// The whole answer, as it came.
std::string send(int port, const std::string& request) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(uint16_t(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string out;
  if (connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 &&
      ::send(s, request.data(), request.size(), MSG_NOSIGNAL) == ssize_t(request.size())) {
    char buffer[4096];
    for (ssize_t got; (got = recv(s, buffer, sizeof buffer, 0)) > 0;)
      out.append(buffer, size_t(got));
  }
  close(s);
  return out;
}

std::string post(int port, const std::string& body, const std::string& headers = {}) {
  return send(port, "POST / HTTP/1.1\r\nHost: logs.example\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
}

constexpr const char* tables =
    "tables: [{name: hits, columns: [{name: n, type: long}, {name: who, type: string}]}]";

/// A source that reads as SOURCE does, on its thread, as long as it is told to.
struct listener {
  int port = free_port();
  drive d;
  std::vector<seen_row> rows;
  bool durable = true;

  explicit listener(const std::string& more = "", const std::string& from = "")
      : d(make_source("http",
                      "{listen: '127.0.0.1:" + std::to_string(port) + "', " + tables + more + "}"),
          from, 1) {
    auto failed = d.source->open(from);
    REQUIRE_MESSAGE(!failed, failed.text());
  }

  /// Reads until the client has its answer.
  std::string serve(std::future<std::string> client) {
    while (client.wait_for(0ms) != std::future_status::ready) {
      auto taken = d.step(5ms);
      auto more = rows_of(taken.batches);
      rows.insert(rows.end(), more.begin(), more.end());
      if (durable && !taken.position.empty()) {
        CHECK(taken.settle);
        CHECK_FALSE(d.source->confirm(taken.position));
      }
    }
    return client.get();
  }
  std::string post(const std::string& body, const std::string& headers = {}) {
    return serve(std::async(std::launch::async,
                            [this, body, headers] { return extract::post(port, body, headers); }));
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("lines that were posted become rows, and 200 comes when they are durable") {
  listener l;
  auto answer = l.post("{\"n\":1,\"who\":\"ann\"}\r\n\n{\"n\":2}\n");
  CHECK(answer.find("HTTP/1.1 200") == 0);
  CHECK(has(answer, "{\"events\":2}"));
  REQUIRE(l.rows.size() == 2);
  CHECK(l.rows[0].table == "hits");
  CHECK(l.rows[0].cells == std::map<std::string, std::string>{{"n", "1"}, {"who", "ann"}});
  CHECK(l.rows[1].cells.at("who") == "NULL");
}

TEST_CASE("what the sender says of the type of its lines does not matter") {
  for (const auto* type : {"application/x-www-form-urlencoded", "text/plain", "application/json"}) {
    listener l;
    auto answer = l.post("{\"n\":1}\n", "Content-Type: " + std::string(type) + "\r\n");
    CHECK_MESSAGE(answer.find("HTTP/1.1 200") == 0, type);
    CHECK(l.rows.size() == 1);
  }
}

TEST_CASE("a JSON array is taken like lines") {
  listener l;
  CHECK(has(l.post(" [{\"n\":1}, {\"n\":2,\"who\":\"]\"}]\n"), "{\"events\":2}"));
  REQUIRE(l.rows.size() == 2);
  CHECK(l.rows[1].cells.at("who") == "]");
  CHECK(has(l.post("[]"), "{\"events\":0}"));
}

TEST_CASE("without confirmation there is no 200") {
  listener l(", ack_timeout: 200ms");
  l.durable = false;
  auto answer = l.post("{\"n\":1}");
  CHECK(answer.find("HTTP/1.1 503") == 0);
  CHECK(has(answer, "may be twice"));
  CHECK(has(answer, "Retry-After"));
}

TEST_CASE("a source that does not read takes nothing and says so") {
  listener l(", ack_timeout: 200ms");
  auto answer = extract::post(l.port, "{\"n\":1}");
  CHECK(answer.find("HTTP/1.1 503") == 0);
  CHECK(has(answer, "nothing of the body was taken"));
  CHECK(l.d.step().rows == 0);
}

TEST_CASE("a bad line is named, and nothing of its body is taken") {
  listener l;
  auto answer = l.post("{\"n\":1}\n\n{\"n\":\n{\"n\":2}\n");
  CHECK(answer.find("HTTP/1.1 400") == 0);
  CHECK(has(answer, "line 3"));
  CHECK(has(l.post("[{\"n\":1}, 7]"), "element 2"));
  CHECK(has(l.post("[{\"n\":1}] 7"), "400"));
  CHECK(has(l.post("[{\"n\":1}"), "400"));
  CHECK(l.rows.empty());
}

TEST_CASE("too large, another method, another path, a browser's page, no token: refused") {
  listener l(", body_bytes_max: 1024");
  CHECK(has(l.post(std::string(2000, 'x')), "413"));
  auto asked = [&](const std::string& request) {
    return l.serve(std::async(std::launch::async, [&l, request] { return send(l.port, request); }));
  };
  CHECK(has(asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "405"));
  CHECK(has(asked("POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), "404"));
  CHECK(has(l.post("{\"n\":1}", "Origin: http://evil.example\r\n"), "403"));
  CHECK(l.rows.empty());
}

TEST_CASE("with a token only those come in who have it") {
  config::section settings;
  int port = free_port();
  for (const auto& k : kinds()) {
    if (k.spec.name != "http")
      continue;
    auto problems = k.spec.parse(
        YAML::Load("{listen: '127.0.0.1:" + std::to_string(port) + "', " + tables + "}"), "",
        settings);
    REQUIRE(problems.empty());
    settings.values["token"] = config::secret("open sesame");
    drive d(k.make("shop", settings), "", 1);
    REQUIRE_FALSE(d.source->open(""));
    CHECK(has(post(port, "{\"n\":1}"), "401"));
    CHECK(has(post(port, "{\"n\":1}", "Authorization: Bearer open sesamE\r\n"), "401"));
    CHECK_FALSE(has(post(port, "", "Authorization: Bearer open sesame\r\n"), "401"));
    // Beyond this machine nobody listens without one.
    settings.values["listen"] = std::string("0.0.0.0:1");
    CHECK(k.check(settings).empty());
    settings.values["token"] = config::secret();
    CHECK(k.check(settings).size() == 1);
    settings.values["listen"] = std::string("nonsense");
    CHECK(k.check(settings).size() == 1);
  }
}

TEST_CASE("more requests than may wait are told so at once") {
  inbox box(1);
  auto d = std::make_shared<delivery>();
  auto first = std::async(std::launch::async, [&] { return box.offer(d, 5s); });
  delivery_ptr taken;
  while (!taken)
    taken = box.take(10ms);
  auto second = box.offer(std::make_shared<delivery>(), 5s);
  CHECK(second.what == inbox::outcome::not_taken);
  CHECK(second.reason == "too many requests wait");
  box.decide(taken, inbox::outcome::durable);
  CHECK(first.get().what == inbox::outcome::durable);
}

TEST_CASE("whoever waits is answered when the source goes") {
  inbox box(4);
  auto d = std::make_shared<delivery>();
  auto waiting = std::async(std::launch::async, [&] { return box.offer(d, 5s); });
  while (!box.take(10ms)) {
  }
  box.close();
  CHECK(waiting.get().what == inbox::outcome::unknown);
  CHECK(box.offer(d, 5s).what == inbox::outcome::not_taken);
}

TEST_CASE("a run after another one gives none of its ids again") {
  listener l("", "7");
  l.post("{\"n\":1}");
  REQUIRE(l.rows.size() == 1);
  CHECK(l.rows[0].id > 4'000'000);
  CHECK(l.d.position == "8");
}

} // namespace rtdp::extract
