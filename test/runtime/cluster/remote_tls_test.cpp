#include "runtime/cluster/remote.hpp"

#include "test/runtime/cluster/machine.hpp"
#include "test/support/certificates.hpp"
#include "test/support/temp_folder.hpp"

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

/// Whether a client without a certificate is let in.
bool lets_in_anybody(uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(socket, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
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
  a.link_to("n2", b.address());
  b.link_to("n1", a.address());
  auto to_b = a.next_handle();
  b.next_handle();
  runtime::command order{"apply", "", "", std::string(200'000, 'x')};
  CHECK(a.ask<std::string>(to_b, atom::ask_v, order) == "done");
  auto asked = b.next<atom::ask, runtime::command>(atom::ask_v);
  REQUIRE(asked);
  CHECK(asked->text == order.text);
}

TEST_CASE("a node that is called may call back later under TLS") {
  certificates t;
  machine a("n1", t.of("n1", t.ours)), b("n2", t.of("n2", t.ours));
  a.link_to("n2", b.address());
  auto to_b = a.next_handle();
  b.link_to("n1", a.address());
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
