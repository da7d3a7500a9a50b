#include "actors/extract/syslog_message.hpp"
#include "test/actors/extract/driving.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rtdp::extract {

namespace {

using namespace rtdp::test;
using namespace rtdp::extract::syslog;

const int64_t now = *ums::parse_datetime("2026-11-22 10:00:00");

std::string time_of(const message& m) {
  std::string out;
  if (m.time_us)
    ums::append_datetime(*m.time_us, out);
  return out;
}

std::vector<std::string> cuts(framer& f, bool at_end = false) {
  std::vector<std::string> out;
  while (auto c = f.next(at_end))
    out.push_back(std::string(c->text) + (c->too_long ? "…" : ""));
  return out;
}

using texts = std::vector<std::string>;

/// A port that was free a moment ago.
int free_port(int type) {
  int s = socket(AF_INET, type, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(bind(s, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(getsockname(s, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  close(s);
  return ntohs(at.sin_port);
}

int connected(int type, int port) {
  int s = socket(AF_INET, type, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(uint16_t(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return s;
}

void say(int s, const std::string& text) {
  REQUIRE(send(s, text.data(), text.size(), MSG_NOSIGNAL) == ssize_t(text.size()));
}

struct receiver {
  int port = free_port(SOCK_STREAM);
  drive d;

  explicit receiver(const std::string& more = "")
      : d(make_source(
              "syslog",
              "{listen: '127.0.0.1:" + std::to_string(port) +
                  "', tables: [{name: log, columns: [{name: severity, from: '@severity'}, "
                  "{name: host, from: '@host'}, {name: app, from: '@app'}, {name: pid, "
                  "from: '@procid', type: int}, {name: data, from: '@data', type: "
                  "jsonobject}, {name: time, from: '@time', type: datetime}, {name: remote, "
                  "from: '@remote'}, {name: text, from: line}]}]" +
                  more + "}"),
          "", 1) {
    auto failed = d.source->open("");
    REQUIRE_MESSAGE(!failed, failed.text());
  }
  std::vector<seen_row> rows(size_t count) {
    std::vector<seen_row> all;
    for (int i = 0; i < 200 && all.size() < count; ++i) {
      auto more = rows_of(d.step(50ms).batches);
      all.insert(all.end(), more.begin(), more.end());
    }
    CHECK(all.size() == count);
    all.resize(count);
    return all;
  }
};

} // namespace

TEST_CASE("a message of RFC 5424 is taken apart") {
  auto m = parse("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 77 ID47 "
                 "[exampleSDID@32473 iut=\"3\" eventSource=\"a \\\"b\\\" \\] \\\\\"][other] "
                 "\xef\xbb\xbf"
                 "An application event\n",
                 now);
  CHECK(m.facility == "local4");
  CHECK(m.severity == "notice");
  CHECK(time_of(m) == "2003-10-11 22:14:15.003000");
  CHECK(m.host == "mymachine.example.com");
  CHECK(m.app == "evntslog");
  CHECK(m.procid == "77");
  CHECK(m.msgid == "ID47");
  CHECK(m.data == R"({"exampleSDID@32473":{"eventSource":"a \"b\" ] \\","iut":"3"},"other":{}})");
  CHECK(m.text == "An application event");
  m = parse("<34>1 - - - - - -", now);
  CHECK(m.severity == "crit");
  CHECK(m.host.empty());
  CHECK(m.text.empty());
  CHECK_FALSE(m.time_us);
  m = parse("<34>1 2003-08-24T05:14:15.000003-07:00 h a - - - text", now);
  CHECK(time_of(m) == "2003-08-24 12:14:15.000003");
}

TEST_CASE("a message of RFC 3164 is taken apart, in the year that is nearest") {
  auto m = parse("<34>Oct 11 22:14:15 mymachine su[123]: 'su root' failed for lonvick", now);
  CHECK(m.facility == "auth");
  CHECK(time_of(m) == "2026-10-11 22:14:15");
  CHECK(m.host == "mymachine");
  CHECK(m.app == "su");
  CHECK(m.procid == "123");
  CHECK(m.text == "'su root' failed for lonvick");
  CHECK(time_of(parse("<34>Feb  5 17:32:18 h a: t", *ums::parse_datetime("2026-12-30 00:00:00"))) ==
        "2027-02-05 17:32:18");
  CHECK(parse("<34>Feb  5 17:32:18 h no tag here", now).text == "no tag here");
}

TEST_CASE("what follows no RFC is text as a whole") {
  for (const char* text : {"plain text", "<999>text", "<>text", "<34", "1 [", ""}) {
    auto m = parse(text, now);
    CHECK(m.facility == "user");
    CHECK(m.severity == "notice");
    CHECK(m.text == text);
  }
  // A priority alone counts; structured data that does not end is text.
  auto m = parse("<34>1 - h a - - [id x=\"1 text", now);
  CHECK(m.severity == "crit");
  CHECK(m.text == "1 - h a - - [id x=\"1 text");
}

TEST_CASE("a stream is cut into counted messages and into lines, wherever it is torn") {
  std::string stream = "5 a\nbcd<1>line\r\n\n3 xyz\n<2>last";
  for (size_t torn = 0; torn <= stream.size(); ++torn) {
    framer f(100);
    f.feed(std::string_view(stream).substr(0, torn));
    auto got = cuts(f);
    f.feed(std::string_view(stream).substr(torn));
    for (const auto& more : cuts(f))
      got.push_back(more);
    for (const auto& more : cuts(f, true))
      got.push_back(more);
    CAPTURE(torn);
    CHECK(got == texts{"a\nbcd", "<1>line\r", "xyz", "<2>last"});
  }
}

TEST_CASE("what is too long is cut, and the stream goes on behind it") {
  framer f(4);
  f.feed("10 0123456789<1>long line\n2 ok<1\n");
  CHECK(cuts(f) == texts{"0123…", "<1>l…", "ok", "<1"});
}

TEST_CASE("messages over UDP and TCP become rows") {
  receiver r;
  int udp = connected(SOCK_DGRAM, r.port), tcp = connected(SOCK_STREAM, r.port);
  say(udp, "<34>1 2003-10-11T22:14:15Z h app 7 - [a b=\"c\"] over UDP");
  auto rows = r.rows(1);
  CHECK(rows[0].table == "log");
  CHECK(rows[0].cells == std::map<std::string, std::string>{{"severity", "crit"},
                                                            {"host", "h"},
                                                            {"app", "app"},
                                                            {"pid", "7"},
                                                            {"data", R"({"a":{"b":"c"}})"},
                                                            {"time", "2003-10-11 22:14:15"},
                                                            {"remote", "127.0.0.1"},
                                                            {"text", "over UDP"}});
  say(tcp, "<34>Oct 11 22:14:15 h su: one\n21 <34>1 - - - - - - two<34>Oct 11 22:14:15 h su: th");
  rows = r.rows(2);
  CHECK(rows[0].cells.at("text") == "one");
  CHECK(rows[1].cells.at("text") == "two");
  say(tcp, "ree");
  close(tcp);
  CHECK(r.rows(1)[0].cells.at("text") == "three");
  close(udp);
  CHECK(r.d.position == "received=4 dropped=0");
}

TEST_CASE("datagrams that the kernel dropped are counted") {
  receiver r(", buffer_bytes: 4096");
  int udp = connected(SOCK_DGRAM, r.port);
  for (int i = 0; i < 500; ++i)
    say(udp, "<34>" + std::string(400, 'x'));
  size_t received = 0;
  while (auto got = r.d.step(20ms).rows)
    received += got;
  CHECK(received < 500);
  // The kernel tells with the next one that arrives.
  say(udp, "<34>next");
  r.d.step(1s);
  close(udp);
  CHECK(r.d.position ==
        "received=" + std::to_string(received + 1) + " dropped=" + std::to_string(500 - received));
}

TEST_CASE("more connections than allowed are closed, and the others are read") {
  receiver r(", connections_max: 1");
  int first = connected(SOCK_STREAM, r.port);
  say(first, "<34>one\n");
  r.rows(1);
  int second = connected(SOCK_STREAM, r.port);
  while (r.d.source->progress().idle == false)
    r.d.step(20ms);
  r.d.step(50ms);
  char byte = 0;
  CHECK(recv(second, &byte, 1, 0) <= 0);
  say(first, "<34>two\n");
  CHECK(r.rows(1)[0].cells.at("text") == "two");
  close(first);
  close(second);
}

TEST_CASE("a taken address is unavailable and an impossible one is refused") {
  receiver r;
  auto at = [](const std::string& listen) {
    auto yaml =
        "{listen: '" + listen + "', transport: tcp, tables: [{name: t, columns: [{name: line}]}]}";
    return make_source("syslog", yaml)->open("");
  };
  CHECK(at("127.0.0.1:" + std::to_string(r.port)) == ec::unavailable);
  CHECK(at("192.0.2.1:5514") == ec::rejected);
  CHECK(at("nowhere.invalid:5514") == ec::rejected);
}

} // namespace rtdp::extract
