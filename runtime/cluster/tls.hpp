/// Mutual TLS between the nodes of a cluster: the files of a node, checked once at its start, and
/// what to tell people when two nodes do not come together. Knows no CAF.
///
/// Who holds a certificate that the `ca` signed belongs to the cluster: a node checks signature and
/// dates of the other side, not the names in it. So the ca has to be one for this cluster alone.
#pragma once

#include "runtime/core/error.hpp"

#include <chrono>
#include <memory>
#include <string>

struct ssl_ctx_st;

namespace rtdp::cluster {

/// Paths of PEM files. Either none or all three: nobody is let in who cannot be checked.
struct tls_settings {
  /// Of this node; may be followed by those between it and the ca.
  std::string certificate;
  /// Without a passphrase.
  std::string key;
  /// Signed the certificates of all nodes.
  std::string ca;

  bool on() const { return !certificate.empty() || !key.empty() || !ca.empty(); }
};

/// Reads the files and checks that they belong together, are valid today and can be used for both
/// ends of a connection. Returns the paths of copies in memory, which last as long as the process: a
/// file that is gone or half written later hurts nobody. A new certificate takes effect at the next
/// start.
/// REQUIRES: `on`.
result<tls_settings> load_tls(const tls_settings& files);

/// What OpenSSL needs for each connection, of either end; any thread.
using tls_context = std::shared_ptr<ssl_ctx_st>;

/// Null when OpenSSL refuses the files; never for those of `load_tls`.
tls_context make_tls_context(const tls_settings& files);

/// Tries TLS as a node does it over `socket`, which is connected, and tells in a clause why it fails:
/// "it does not speak TLS". Empty: it does not fail. Blocks for `time` at most.
std::string why_tls_fails(int socket, const tls_settings& mine, std::chrono::milliseconds time);

} // namespace rtdp::cluster
