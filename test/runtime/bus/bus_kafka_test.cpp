/// Beside a real broker: RTDP_TEST_KAFKA, set by test/services/with kafka.
#include "test/runtime/bus/contract_fenced.hpp"

#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>

namespace rtdp::bus {

namespace contract {

std::unique_ptr<bus> bus_with(const std::map<std::string, config::value>& own) {
  auto kafka = kind_named("kafka");
  auto settings = kafka.spec.defaults();
  const char* broker = std::getenv("RTDP_TEST_KAFKA");
  if (broker == nullptr)
    FAIL("RTDP_TEST_KAFKA is not set; run this by test/services/with kafka -- …");
  settings.values["brokers"] = std::string(broker);
  for (const auto& [name, value] : own)
    settings.values[name] = value;
  return kafka.make(settings, "");
}

std::unique_ptr<bus> open_bus() {
  auto b = bus_with({});
  require_ok(b->open());
  return b;
}

std::unique_ptr<bus> open_bus_for(int64_t message_bytes_max) {
  auto b = bus_with({{"message_bytes_max", message_bytes_max}});
  require_ok(b->open());
  return b;
}

} // namespace contract

using namespace contract;

namespace {

/// A port that nothing listens on.
class dead_port {
public:
  dead_port() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    text = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~dead_port() { close(socket_); }
  dead_port(const dead_port&) = delete;
  dead_port& operator=(const dead_port&) = delete;

  /// From now on connections are accepted by the kernel, but nobody answers.
  void fall_silent() { REQUIRE(::listen(socket_, 5) == 0); }
  std::string text;

private:
  int socket_;
};

TEST_CASE("a broker that does not answer is unavailable in time, in the words of the connection") {
  dead_port port;
  SUBCASE("nothing listens") {}
  SUBCASE("something listens and is silent") { port.fall_silent(); }
  auto b = bus_with({{"brokers", port.text}});
  // 5 s for each call, and what the machine takes on top.
  auto begin = clock::now();
  auto failed = b->open();
  CAPTURE(failed.text());
  CHECK(failed == ec::unavailable);
  CHECK(clock::now() - begin < 6s);
  CHECK(failed.text().find(port.text) != std::string::npos);
  CHECK(b->create_topic("t", {}) == ec::unavailable);
  CHECK(clock::now() - begin < 12s);
}

TEST_CASE("a login that the broker does not take is told, and holds no password") {
  auto b = bus_with({{"security", std::string("sasl_plaintext")},
                     {"sasl_mechanism", std::string("PLAIN")},
                     {"username", std::string("someone")},
                     {"password", config::secret("hidden-word")}});
  auto failed = b->open();
  CAPTURE(failed.text());
  CHECK(failed);
  CHECK(failed.text().find("hidden-word") == std::string::npos);
  auto nobody = bus_with({{"security", std::string("sasl_ssl")}});
  CHECK(nobody->open() == ec::rejected);
}

TEST_CASE("a message that is larger than the limit is rejected, and the others go on") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  CHECK(w->send(p, "", std::string(9'000'000, 'x')) == ec::rejected);
  require_ok(w->send(p, "", "x"));
  require_ok(w->flush(10s));
  CHECK(take(b->ranges(p.topic))[0].end == 1);
}

TEST_CASE("every compression reads back") {
  for (const char* codec : {"none", "lz4", "zstd"}) {
    auto b = bus_with({{"compression", std::string(codec)}});
    partition p{make_topic(*b), 0};
    auto w = take(b->make_producer("test"));
    require_ok(w->send(p, "", std::string(1'000'000, 'x')));
    require_ok(w->flush(10s));
    CHECK(read(*reader_at(*b, {{p, 0}}), 1).at(0).value == std::string(1'000'000, 'x'));
  }
}

/// The broker does not run while this lives.
class frozen_broker {
public:
  frozen_broker() : pid_(pid_t(std::stol(std::getenv("RTDP_TEST_KAFKA_PID")))) {
    REQUIRE(::kill(pid_, SIGSTOP) == 0);
  }
  ~frozen_broker() { ::kill(pid_, SIGCONT); }
  frozen_broker(const frozen_broker&) = delete;
  frozen_broker& operator=(const frozen_broker&) = delete;

private:
  pid_t pid_;
};

TEST_CASE("a small queue takes any number of messages while the broker takes them") {
  auto b = bus_with({{"queue_bytes", int64_t{1} << 20}});
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  for (int i = 0; i < 200; ++i)
    require_ok(w->send(p, "", std::string(100'000, char(i))));
  require_ok(w->flush(30s));
  CHECK(take(b->ranges(p.topic))[0].end == 200);
}

TEST_CASE("while the broker is frozen, a full queue and a flush end in unavailable, in time") {
  auto b = bus_with({{"queue_bytes", int64_t{1} << 20}});
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  require_ok(w->send(p, "", "first"));
  require_ok(w->flush(10s));
  {
    frozen_broker frozen;
    error refused;
    auto begin = clock::now();
    for (int i = 0; !refused && i < 50; ++i)
      refused = w->send(p, "", std::string(100'000, 'x'));
    CAPTURE(refused.text());
    CHECK(refused == ec::unavailable);
    CHECK(clock::now() - begin < 7s);
    begin = clock::now();
    CHECK(w->flush(200ms) == ec::unavailable);
    CHECK(clock::now() - begin < 2s);
    CHECK(w->send(p, "", "x") == ec::unavailable);
    begin = clock::now();
    w.reset();
    CHECK(clock::now() - begin < 5s);
  }
  auto again = take(b->make_producer("test"));
  require_ok(again->send(p, "", "last"));
  require_ok(again->flush(30s));
  auto got = read(*reader_at(*b, {{p, 0}}), size_t(take(b->ranges(p.topic))[0].end));
  CHECK(got.front().value == "first");
  // What the dropped producer had on its way may come behind it: a plain one fences nobody.
  auto is_last = [](const message& m) { return m.value == "last"; };
  CHECK(std::count_if(got.begin(), got.end(), is_last) == 1);
}

TEST_CASE("a frozen broker makes a transaction unavailable, in time, and tears none") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto id = make_id();
  auto w = take(b->make_fenced_producer(id));
  require_ok(contract::write(*w, p, "first"));
  {
    frozen_broker frozen;
    auto begin = clock::now();
    require_ok(w->send(p, "", "perhaps"));
    require_ok(w->send(p, "", "perhaps too"));
    CHECK(w->flush(500ms) == ec::unavailable);
    CHECK(w->flush(500ms) == ec::unavailable);
    CHECK(clock::now() - begin < 4s);
    begin = clock::now();
    w.reset();
    CHECK(clock::now() - begin < 5s);
    begin = clock::now();
    auto nobody = b->make_fenced_producer(id);
    REQUIRE(!nobody);
    CHECK(nobody.error() == ec::unavailable);
    CHECK(clock::now() - begin < 13s);
  }
  w = take(b->make_fenced_producer(id));
  require_ok(contract::write(*w, p, "last"));
  auto held = all_of(*b, p);
  if (held.size() != 2)
    CHECK(held == texts{"first", "perhaps", "perhaps too", "last"});
  else
    CHECK(held == texts{"first", "last"});
}

TEST_CASE("a broker that freezes for a moment costs time, but no message and no order") {
  auto b = open_bus();
  partition p{make_topic(*b), 0};
  auto w = take(b->make_producer("test"));
  require_ok(w->send(p, "", "0"));
  require_ok(w->flush(10s));
  auto r = reader_at(*b, {{p, 1}});
  int sent = 1;
  for (int round = 0; round < 3; ++round) {
    {
      frozen_broker frozen;
      for (int i = 0; i < 100; ++i)
        require_ok(w->send(p, "", std::to_string(sent++)));
      // Long enough for requests to be in flight; the time-out of one is 10 s.
      std::vector<message> any;
      (void)r->poll(300ms, 1, any);
    }
    require_ok(w->flush(30s));
  }
  auto got = read(*reader_at(*b, {{p, 0}}), size_t(sent));
  REQUIRE(got.size() == size_t(sent));
  for (int i = 0; i < sent; ++i)
    CHECK(got[size_t(i)].value == std::to_string(i));
  CHECK(take(b->ranges(p.topic))[0].end == sent);
}

} // namespace
} // namespace rtdp::bus
