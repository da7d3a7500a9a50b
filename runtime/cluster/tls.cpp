#include "runtime/cluster/tls.hpp"

#include <fmt/format.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/mman.h>
#include <sys/socket.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

namespace rtdp::cluster {

namespace {

template<auto Free>
struct freed_by {
  template<class T>
  void operator()(T* x) const {
    Free(x);
  }
};
template<class T, auto Free>
using owned = std::unique_ptr<T, freed_by<Free>>;

using certificate_ptr = owned<X509, X509_free>;
using key_ptr = owned<EVP_PKEY, EVP_PKEY_free>;
using bio_ptr = owned<BIO, BIO_free_all>;
using store_ptr = owned<X509_STORE, X509_STORE_free>;
using check_ptr = owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using context_ptr = owned<SSL_CTX, SSL_CTX_free>;
using session_ptr = owned<SSL, SSL_free>;

/// No certificate or key is larger; a path to a disk image is a mistake.
constexpr size_t file_bytes_max = 1 << 20;

/// The oldest error of OpenSSL in this thread; forgets all of them.
std::string last_error() {
  auto code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

error bad(const char* setting, const std::string& text) {
  return rejected(fmt::format("cluster.tls.{}: {}", setting, text));
}

result<std::string> read_file(const char* setting, const std::string& path) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return bad(setting, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::string out;
  char part[4096];
  ssize_t got = 0;
  while (out.size() <= file_bytes_max && (got = ::read(file, part, sizeof part)) > 0)
    out.append(part, size_t(got));
  auto code = errno;
  ::close(file);
  if (got < 0)
    return bad(setting, fmt::format("cannot read {}: {}", path, std::strerror(code)));
  if (out.size() > file_bytes_max)
    return bad(setting, fmt::format("{} has more than 1 MiB; expected a PEM file", path));
  return out;
}

/// The path of a copy in memory; its descriptor stays open until the process ends.
result<std::string> keep(const char* setting, const std::string& content) {
  int copy = ::memfd_create(setting, MFD_CLOEXEC);
  if (copy < 0 || ::write(copy, content.data(), content.size()) != ssize_t(content.size()))
    return unavailable(fmt::format("cluster.tls.{}: cannot keep it in memory: {}", setting,
                                   std::strerror(errno)));
  return fmt::format("/proc/self/fd/{}", copy);
}

bio_ptr over(const std::string& content) {
  return bio_ptr(BIO_new_mem_buf(content.data(), int(content.size())));
}

std::vector<certificate_ptr> certificates_in(const std::string& content) {
  std::vector<certificate_ptr> out;
  auto from = over(content);
  while (auto* next = PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr))
    out.emplace_back(next);
  // The end of the file counts as an error.
  ERR_clear_error();
  return out;
}

/// OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

error check_key(const tls_settings& files, const std::string& content, X509* certificate) {
  bool asked = false;
  key_ptr key(PEM_read_bio_PrivateKey(over(content).get(), nullptr, no_passphrase, &asked));
  ERR_clear_error();
  if (asked)
    return bad("key", files.key + " has a passphrase; expected a key without one, in a file that "
                                  "only rtdp may read");
  if (!key)
    return bad("key", files.key + " holds no private key in PEM form");
  bool fits = X509_check_private_key(certificate, key.get()) == 1;
  ERR_clear_error();
  if (!fits)
    return bad("key",
               fmt::format("{} is not the key of {}", files.key, files.certificate));
  return {};
}

/// Whether peers will believe it. `role`: "ssl_client" or "ssl_server"; a node is both.
error check_signed(const tls_settings& files, const std::vector<certificate_ptr>& own,
                   X509_STORE* signers, const char* role) {
  owned<STACK_OF(X509), [](STACK_OF(X509) * s) { sk_X509_free(s); }> between(sk_X509_new_null());
  for (size_t i = 1; i < own.size(); ++i)
    sk_X509_push(between.get(), own[i].get());
  check_ptr check(X509_STORE_CTX_new());
  X509_STORE_CTX_init(check.get(), signers, own[0].get(), between.get());
  X509_STORE_CTX_set_default(check.get(), role);
  if (X509_verify_cert(check.get()) == 1)
    return {};
  auto code = X509_STORE_CTX_get_error(check.get());
  const char* reason = X509_verify_cert_error_string(code);
  ERR_clear_error();
  bool of_ca = X509_STORE_CTX_get_error_depth(check.get()) >= int(own.size());
  switch (code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return of_ca ? bad("ca", fmt::format("{}: {}", files.ca, reason))
                 : bad("certificate", fmt::format("{}: {}", files.certificate, reason));
  case X509_V_ERR_INVALID_PURPOSE:
    return bad("certificate",
               fmt::format("{} is not for both ends of a connection; its extended key usage must "
                           "be absent or have serverAuth and clientAuth",
                           files.certificate));
  default:
    return bad("certificate",
               fmt::format("{} is not signed by {}: {}", files.certificate, files.ca, reason));
  }
}

context_ptr context_of(const tls_settings& files) {
  context_ptr out(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_min_proto_version(out.get(), TLS1_2_VERSION);
  if (SSL_CTX_use_certificate_chain_file(out.get(), files.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(out.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(out.get(), files.ca.c_str(), nullptr) != 1)
    return nullptr;
  SSL_CTX_set_verify(out.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return out;
}

error check_together(const tls_settings& files, const std::string& certificate,
                     const std::string& key, const std::string& ca) {
  auto own = certificates_in(certificate);
  if (own.empty())
    return bad("certificate", files.certificate + " holds no certificate in PEM form");
  auto trusted = certificates_in(ca);
  if (trusted.empty())
    return bad("ca", files.ca + " holds no certificate in PEM form");
  if (auto e = check_key(files, key, own[0].get()))
    return e;
  store_ptr signers(X509_STORE_new());
  for (const auto& each : trusted)
    X509_STORE_add_cert(signers.get(), each.get());
  if (auto e = check_signed(files, own, signers.get(), "ssl_server"))
    return e;
  return check_signed(files, own, signers.get(), "ssl_client");
}

/// OpenSSL writes without MSG_NOSIGNAL.
class without_sigpipe {
public:
  without_sigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~without_sigpipe() {
    timespec none{};
    sigtimedwait(&pipe_, nullptr, &none);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

private:
  sigset_t pipe_, before_;
};

std::string why(SSL* session, int returned) {
  auto kind = SSL_get_error(session, returned);
  if (auto code = SSL_get_verify_result(session); code != X509_V_OK)
    return fmt::format("the `cluster.tls.ca` of this node does not confirm its certificate: {}",
                       X509_verify_cert_error_string(code));
  if (kind == SSL_ERROR_WANT_READ)
    return "it accepts the connection and then says nothing";
  if (kind != SSL_ERROR_SSL)
    return "it hangs up during the TLS handshake; its log may tell more";
  auto code = ERR_GET_REASON(ERR_peek_error());
  if (code == SSL_R_WRONG_VERSION_NUMBER)
    return "it does not speak TLS; set `cluster.tls` on all nodes or on none";
  if (code > SSL_AD_REASON_OFFSET)
    return fmt::format("it refuses the certificate of this node: {}; one `cluster.tls.ca` must "
                       "have signed those of all nodes",
                       last_error());
  return "TLS fails: " + last_error();
}

} // namespace

result<tls_settings> load_tls(const tls_settings& files) {
  std::string missing;
  for (auto [name, path] : {std::pair{"certificate", &files.certificate},
                            std::pair{"key", &files.key}, std::pair{"ca", &files.ca}})
    if (path->empty())
      missing += std::string(missing.empty() ? "" : " and ") + name;
  if (!missing.empty())
    return rejected("cluster.tls needs certificate, key and ca together; missing: " + missing);
  auto certificate = read_file("certificate", files.certificate);
  if (!certificate)
    return certificate.error();
  auto key = read_file("key", files.key);
  if (!key)
    return key.error();
  auto ca = read_file("ca", files.ca);
  if (!ca)
    return ca.error();
  if (auto e = check_together(files, *certificate, *key, *ca))
    return e;
  tls_settings out;
  for (auto [name, content, into] : {std::tuple{"certificate", &*certificate, &out.certificate},
                                     std::tuple{"key", &*key, &out.key},
                                     std::tuple{"ca", &*ca, &out.ca}}) {
    auto path = keep(name, *content);
    if (!path)
      return path.error();
    *into = *path;
  }
  if (!context_of(out))
    return bad("certificate", fmt::format("OpenSSL refuses {} with {} and {}: {}",
                                          files.certificate, files.key, files.ca, last_error()));
  return out;
}

tls_context make_tls_context(const tls_settings& files) { return context_of(files); }

std::string why_tls_fails(int socket, const tls_settings& mine, std::chrono::milliseconds time) {
  without_sigpipe guard;
  auto context = context_of(mine);
  if (!context)
    return "the files of `cluster.tls` cannot be read: " + last_error();
  timeval limit{time.count() / 2000, (time.count() / 2 % 1000) * 1000};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  session_ptr session(SSL_new(context.get()));
  SSL_set_fd(session.get(), socket);
  ERR_clear_error();
  if (auto done = SSL_connect(session.get()); done != 1)
    return why(session.get(), done);
  // With TLS 1.3 the other side looks at the certificate of this one afterwards.
  char first = 0;
  if (auto got = SSL_read(session.get(), &first, 1); got <= 0)
    return why(session.get(), got);
  return {};
}

} // namespace rtdp::cluster
