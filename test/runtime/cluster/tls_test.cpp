#include "runtime/cluster/tls.hpp"

#include "test/support/certificates.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rtdp::cluster::test {

namespace {

using rtdp::test::authority;
using rtdp::test::temp_folder;

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// The files of one node.
struct files_of_node {
  temp_folder folder;
  authority ca{"the cluster"};
  tls_settings files{folder.file("c.pem"), folder.file("k.pem"), folder.file("ca.pem")};

  explicit files_of_node(const rtdp::test::certificate_wish& wish = {}) {
    ca.write(files.ca);
    ca.issue("n1", files.certificate, files.key, wish);
  }
  /// What is wrong with them; the folder's name is taken out.
  std::string refused() const {
    auto loaded = load_tls(files);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error() == ec::rejected);
    auto text = loaded.error().text();
    for (auto at = text.find(folder.path()); at != text.npos; at = text.find(folder.path()))
      text.erase(at, folder.path().size() + 1);
    return text;
  }
  void replace(const std::string& path, const std::string& with) const {
    std::ofstream(path) << with;
  }
};

} // namespace

TEST_CASE("files that belong together are kept as they are, whatever happens to them later") {
  files_of_node t;
  auto before = content_of(t.files.key);
  auto copies = load_tls(t.files);
  REQUIRE(copies);
  t.replace(t.files.key, "changed");
  std::filesystem::remove(t.files.certificate);
  CHECK(content_of(copies->key) == before);
  CHECK_FALSE(content_of(copies->certificate).empty());
  CHECK(content_of(copies->ca) == content_of(t.files.ca));
}

TEST_CASE("a certificate, its key and the ca come together") {
  tls_settings none, only_ca{"", "", "ca.pem"}, no_key{"c.pem", "", "ca.pem"};
  CHECK_FALSE(none.on());
  CHECK(only_ca.on());
  CHECK(load_tls(only_ca).error().text() ==
        "cluster.tls needs certificate, key and ca together; missing: certificate and key");
  CHECK(load_tls(no_key).error().text() ==
        "cluster.tls needs certificate, key and ca together; missing: key");
}

TEST_CASE("a file that is missing or holds something else is named") {
  files_of_node t;
  auto key = content_of(t.files.key), certificate = content_of(t.files.certificate);
  t.replace(t.files.certificate, key);
  CHECK(t.refused() == "cluster.tls.certificate: c.pem holds no certificate in PEM form");
  t.replace(t.files.certificate, certificate);
  t.replace(t.files.key, certificate);
  CHECK(t.refused() == "cluster.tls.key: k.pem holds no private key in PEM form");
  t.replace(t.files.key, key);
  t.replace(t.files.ca, "");
  CHECK(t.refused() == "cluster.tls.ca: ca.pem holds no certificate in PEM form");
  std::filesystem::remove(t.files.ca);
  CHECK(t.refused() == "cluster.tls.ca: cannot read ca.pem: No such file or directory");
}

TEST_CASE("the key of another certificate is told") {
  files_of_node t;
  t.ca.issue("n2", t.folder.file("c2.pem"), t.folder.file("k2.pem"));
  t.files.key = t.folder.file("k2.pem");
  CHECK(t.refused() == "cluster.tls.key: k2.pem is not the key of c.pem");
}

TEST_CASE("a key with a passphrase is told, not asked for") {
  files_of_node t;
  auto command = "openssl pkcs8 -topk8 -passout pass:secret -in " + t.files.key + " -out " +
                 t.folder.file("locked.pem");
  REQUIRE(std::system(command.c_str()) == 0);
  t.files.key = t.folder.file("locked.pem");
  CHECK(t.refused().find("cluster.tls.key: locked.pem has a passphrase") == 0);
}

TEST_CASE("a certificate that another ca signed is told") {
  files_of_node t;
  authority other{"somebody else"};
  t.files.ca = t.folder.file("other.pem");
  other.write(t.files.ca);
  CHECK(t.refused().find("cluster.tls.certificate: c.pem is not signed by other.pem: ") == 0);
}

TEST_CASE("a certificate out of its time is told") {
  files_of_node t({.days = -1, .usage = ""});
  CHECK(t.refused() == "cluster.tls.certificate: c.pem: certificate has expired");
}

TEST_CASE("a certificate that is for servers only is told, since a node calls as well") {
  files_of_node both({.days = 1, .usage = "serverAuth,clientAuth"});
  CHECK(load_tls(both.files));
  files_of_node t({.days = 1, .usage = "serverAuth"});
  CHECK(t.refused().find("cluster.tls.certificate: c.pem is not for both ends") == 0);
}

} // namespace rtdp::cluster::test
