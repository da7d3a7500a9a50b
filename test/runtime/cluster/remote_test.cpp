#include "runtime/cluster/remote.hpp"

#include "test/runtime/cluster/machine.hpp"

#include <caf/deep_to_string.hpp>

#include <arpa/inet.h>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace rtdp::cluster::test {

namespace {

/// What two values of one type say, member by member, for comparison.
template<class T>
std::string printed(const T& x) {
  return caf::deep_to_string(x);
}

runtime::beat full_beat() {
  runtime::beat out;
  out.node = "n1";
  out.boot = boot_id();
  out.version = "0.1.0";
  out.cpu_permille = 2400;
  out.rss_bytes = int64_t{7} << 40;
  out.trouble = "its disk is full";
  for (int i = 0; i < 500; ++i)
    out.components["flow.orders_" + std::to_string(i)] = {int64_t{1} << 62, "running",
                                                          "catches up, \xc3\xa9", -i, i};
  return out;
}

runtime::cluster_report full_list() {
  runtime::cluster_report out;
  out.leader = "n2";
  out.revision = 17;
  out.nodes.push_back({"n2", "draining", "a person wants it", "0.1.0", boot_id(), true, 1, 2, 3, 4,
                       5, 1'700'000'000'000'000});
  out.drifts.push_back({"orders", "n1", "n2", "commit", "drained", 9, 1, 2, 3});
  out.plan.push_back({"flow.orders", "", "n2", "it has the label big"});
  out.owners["flow.orders"] = "n2";
  return out;
}

runtime::report full_report() {
  runtime::report out;
  out.component = "flow";
  out.name = "orders";
  out.kind = "postgres";
  out.state = "running";
  out.figures["rows_in"] = -5;
  out.texts["position"] = "0/15D68C50";
  return out;
}

/// A socket that takes connections and says `word` to each, and nothing more.
class stranger {
public:
  explicit stranger(std::string word) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    if (word.empty())
      return;
    talks_ = std::thread([this, word] {
      for (int one; (one = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(one))
        ::send(one, word.data(), word.size(), MSG_NOSIGNAL);
    });
  }
  ~stranger() {
    ::shutdown(socket_, SHUT_RDWR);
    if (talks_.joinable())
      talks_.join();
    ::close(socket_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
  int socket_;
  uint16_t port_ = 0;
  std::thread talks_;
};

} // namespace

TEST_CASE("two nodes find each other over the one connection that the first of them makes") {
  machine a("n1"), b("n2");
  join(b, a);
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("orders")) == "progress of orders");
  CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("items")) == "progress of items");
}

TEST_CASE("everything that nodes tell each other arrives as it was sent") {
  machine a("n1"), b("n2");
  b.script->list = full_list();
  b.script->status = {full_report(), full_report()};
  a.link_to("n2", b.address());
  auto to_b = a.next_handle();
  auto beat = full_beat();
  a.self->send(to_b, atom::beat_v, beat);
  auto beaten = b.next<atom::beat, runtime::beat>(atom::beat_v);
  REQUIRE(beaten);
  CHECK(printed(*beaten) == printed(beat));
  CHECK(beaten->components.size() == 500);
  runtime::command order{"apply", "flow.orders", "n2", std::string(200'000, 'x')};
  CHECK(a.ask<std::string>(to_b, atom::ask_v, order) == "done");
  auto asked = b.next<atom::ask, runtime::command>(atom::ask_v);
  REQUIRE(asked);
  CHECK(printed(*asked) == printed(order));
  auto list = a.ask<runtime::cluster_report>(to_b, atom::list_v);
  REQUIRE(list);
  CHECK(printed(*list) == printed(b.script->list));
  auto status = a.ask<std::vector<runtime::report>>(to_b, atom::status_v);
  REQUIRE(status);
  CHECK(printed(*status) == printed(b.script->status));
  auto hello = a.ask<runtime::hello>(to_b, atom::greet_v, a.script->me);
  REQUIRE(hello);
  CHECK(printed(*hello) == printed(b.script->me));
  CHECK(a.ask<bool>(to_b, atom::warm_v, std::string("orders"), std::string("{}")) == true);
  CHECK(a.ask<std::string>(to_b, atom::freeze_v, std::string("orders")) == "progress of orders");
}

TEST_CASE("a node that went is told as lost and is found again at its port") {
  machine a("n1");
  auto b = std::make_unique<machine>("n2");
  auto port = b->port();
  a.link_to("n2", b->address());
  a.next_handle();
  b.reset();
  auto lost = a.next_peer();
  REQUIRE(lost);
  CHECK(*lost == nullptr);
  b = std::make_unique<machine>("n2", tls_settings{}, port);
  auto again = a.next_handle();
  CHECK(a.ask<std::string>(again, atom::progress_v, std::string("x")) == "progress of x");
}

TEST_CASE("three nodes know each other, and one that goes is lost to the two others alone") {
  machine a("n1"), b("n2");
  auto c = std::make_unique<machine>("n3");
  for (auto* one : {&a, &b}) {
    join(*one, *c);
    one->next_handle();
  }
  join(a, b);
  auto to_b = a.next_handle();
  b.next_handle();
  c.reset();
  for (auto* one : {&a, &b}) {
    auto lost = one->next_peer();
    REQUIRE(lost);
    CHECK(*lost == nullptr);
  }
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
}

TEST_CASE("a refusal reaches the caller as what it is, and a later greeting may succeed") {
  machine a("n1"), b("n2");
  b.script->refusal = rejected("two nodes are named n1; give one of them another name");
  b.script->refusals = 1;
  a.link_to("n2", b.address());
  a.next_handle();
  CHECK(b.ask<std::string>(b.member, atom::progress_v, std::string("x")));
  REQUIRE(b.script->greetings.size() == 2);
  CHECK(b.script->greetings[0].boot == a.script->me.boot);
}

TEST_CASE("an address that cannot be listened on is named with the reason") {
  machine a("n1");
  auto taken = listen(a.address(), a.member);
  REQUIRE_FALSE(taken);
  CHECK(taken.error() == ec::unavailable);
  CHECK(taken.error().text() == "listen: cannot listen on " + a.address() +
                                    ": Address already in use; is another node or program running "
                                    "there?");
  auto elsewhere = listen("192.0.2.1:7001", a.member);
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error() == ec::rejected);
  CHECK(elsewhere.error().text().find("Cannot assign requested address") != std::string::npos);
  auto wrong = listen("7001", a.member);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text() ==
        "listen: expected host:port, such as 10.0.0.2:7001; found \"7001\"");
}

TEST_CASE("who cannot be reached is named with the reason") {
  machine a("n1");
  std::string gone;
  {
    machine b("n2");
    gone = b.address();
  }
  CHECK(a.why_not(gone) == gone + ": Connection refused");
  CHECK(a.why_not("n2") == "n2: expected host:port, such as 10.0.0.2:7001; found \"n2\"");
  // Longer than what a node says first, so that CAF looks at it.
  stranger quiet(""), polite("220 mail.example.org ESMTP, and " + std::string(100, '.'));
  CHECK(a.why_not(quiet.address()) == quiet.address() + ": it says nothing; it hangs, or "
                                                        "`cluster.tls` is set there and not here");
  CHECK(a.why_not(polite.address()) == polite.address() +
                                           ": it does not speak as a node of rtdp does");
}

} // namespace rtdp::cluster::test
