#include "runtime/cluster/remote.hpp"

#include "test/runtime/cluster/cable.hpp"
#include "test/runtime/cluster/machine.hpp"
#include "test/support/certificates.hpp"
#include "test/support/temp_folder.hpp"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace rtdp::cluster::test {

namespace {

using rtdp::test::authority;

/// Nodes of a cluster and of another one.
struct certificates {
  rtdp::test::temp_folder folder;
  authority ours{"the cluster"}, others{"another cluster"};

  /// Signed by `by`; trusts who `by` signed, and who `also` signed.
  tls_settings of(const std::string& node, const authority& by, const authority* also = nullptr) {
    tls_settings out{folder.file(node + ".pem"), folder.file(node + ".key"),
                     folder.file(node + ".ca.pem")};
    by.issue(node, out.certificate, out.key);
    by.write(out.ca);
    if (also)
      also->write(out.ca);
    return out;
  }
};

int connected_to(uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  return socket;
}

/// Says something and waits until the other side has hung up.
void say(uint16_t port, const std::string& words) {
  int socket = connected_to(port);
  CHECK(::send(socket, words.data(), words.size(), MSG_NOSIGNAL) == ssize_t(words.size()));
  char rest[256];
  while (::recv(socket, rest, sizeof rest, 0) > 0)
    continue;
  ::close(socket);
}

/// Of this process and all of its threads.
std::chrono::microseconds cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         std::chrono::microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/// Whether a client without a certificate is let in.
bool lets_in_anybody(uint16_t port) {
  int socket = connected_to(port);
  auto* context = SSL_CTX_new(TLS_client_method());
  auto* session = SSL_new(context);
  SSL_set_fd(session, socket);
  char first = 0;
  // A node says who it is as soon as it lets somebody in.
  bool in = SSL_connect(session) == 1 && SSL_read(session, &first, 1) == 1;
  SSL_free(session);
  SSL_CTX_free(context);
  ::close(socket);
  return in;
}

} // namespace

TEST_CASE("nodes with certificates of one ca work together, also when their files are gone") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  for (const auto& each : std::filesystem::directory_iterator(t.folder.path()))
    std::filesystem::remove(each);
  join(a, b);
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("y")) == "progress of y");
  runtime::command order{"apply", "", "", std::string(200'000, 'x')};
  CHECK(a.ask<std::string>(to_b, atom::ask_v, order) == "done");
  auto asked = b.next<atom::ask, runtime::command>(atom::ask_v);
  REQUIRE(asked);
  CHECK(asked->text == order.text);
}

TEST_CASE("whichever of two nodes begins first, they use one connection under TLS") {
  certificates t;
  machine b("n2", t.of("n2", t.ours)), a("n1", t.of("n1", t.ours));
  join(b, a);
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
  CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("y")) == "progress of y");
}

TEST_CASE("a node of the cluster comes back under TLS") {
  certificates t;
  machine a("n1", t.of("n1", t.ours));
  auto files = t.of("n2", t.ours);
  auto b = std::make_unique<machine>("n2", files);
  auto port = b->port();
  a.link_to("n2", b->address());
  a.next_handle();
  b.reset();
  auto lost = a.next_peer();
  REQUIRE(lost);
  CHECK(*lost == nullptr);
  b = std::make_unique<machine>("n2", files, port);
  a.next_handle();
}

TEST_CASE("nodes whose connection was cut find each other again under TLS") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  cable way(b.port());
  a.link_to("n2", way.address());
  a.next_handle();
  b.next_handle();
  way.cut();
  auto lost = a.next_peer();
  REQUIRE(lost);
  CHECK(*lost == nullptr);
  way.heal();
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
  CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("y")) == "progress of y");
}

TEST_CASE("of three nodes under TLS one that goes is lost, and the two others notice nothing") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  auto c = std::make_unique<machine>("n3", t.of("n3", t.ours));
  join(a, b);
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  join(a, *c);
  a.next_handle();
  join(b, *c);
  b.next_handle();
  c.reset();
  for (auto* one : {&a, &b}) {
    auto lost = one->next_peer();
    REQUIRE(lost);
    CHECK(*lost == nullptr);
  }
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
  CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("y")) == "progress of y");
}

TEST_CASE("strangers that speak no TLS, or hang up within it, cut no connection between nodes") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  join(a, b);
  auto to_b = a.next_handle();
  auto to_a = b.next_handle();
  for (int i = 0; i < 20; ++i) {
    say(b.port(), "GET / HTTP/1.0\r\n\r\n");
    CHECK_FALSE(lets_in_anybody(b.port()));
    CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
    CHECK(b.ask<std::string>(to_a, atom::progress_v, std::string("y")) == "progress of y");
  }
}

TEST_CASE("a node does not call one whose certificate another ca signed") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.others));
  auto why = a.why_not(b.address());
  CHECK(why.find(b.address() + ": the `cluster.tls.ca` of this node does not confirm its "
                               "certificate: ") == 0);
}

TEST_CASE("a node does not let one in whose certificate another ca signed") {
  certificates t;
  // It believes both, but b believes only its own.
  machine a("n1", t.of("n1", t.ours, &t.others)), b("n2", t.of("n2", t.others));
  auto why = a.why_not(b.address());
  CHECK(why.find(b.address() + ": it refuses the certificate of this node: ") == 0);
  CHECK(b.script->greetings.empty());
}

TEST_CASE("a client without a certificate is not let in") {
  certificates t;
  machine a("n1", t.of("n1", t.ours));
  CHECK_FALSE(lets_in_anybody(a.port()));
  // It still lets in who may.
  machine b("n2", t.of("n2", t.ours));
  CHECK(b.why_not(a.address()).empty());
}

TEST_CASE("a client that connects and says nothing costs no time and keeps nobody out") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  std::vector<int> silent;
  for (int i = 0; i < 10; ++i)
    silent.push_back(connected_to(b.port()));
  join(a, b);
  auto to_b = a.next_handle();
  auto before = cpu_time();
  a.self->receive([](atom::stop) {}, caf::after(500ms) >> [] {});
  // A thread that spins takes all of the 500 ms.
  CHECK(cpu_time() - before < 150ms);
  CHECK(a.ask<std::string>(to_b, atom::progress_v, std::string("x")) == "progress of x");
  for (int socket : silent)
    ::close(socket);
}

TEST_CASE("nodes with and without TLS do not work together, and say why") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), plain("n2");
  CHECK(a.why_not(plain.address()) ==
        plain.address() + ": it does not speak TLS; set `cluster.tls` on all nodes or on none");
  CHECK(plain.why_not(a.address()) ==
        a.address() +
            ": it says nothing; it hangs, or `cluster.tls` is set there and not here");
}

TEST_CASE("a node whose certificate is wrong does not begin") {
  certificates t;
  auto files = t.of("n1", t.ours);
  files.ca = t.of("n2", t.others).ca;
  runtime::system_config config;
  auto e = load_remoting(config, files);
  CHECK(e == ec::rejected);
  CHECK(config.module_factories.empty());
}

} // namespace rtdp::cluster::test
