/// One end of a connection under TLS, over a connected socket that does not block. Knows no CAF and
/// never blocks. Owned by its connection, which owns the socket too; one thread at a time.
///
/// OpenSSL keeps its errors in a queue of the thread and takes an old one for the outcome of the next
/// call. So each call here begins with an empty queue: the end of one connection is none of the
/// others.
#pragma once

#include "runtime/cluster/tls.hpp"

#include <cstddef>
#include <memory>

struct ssl_st;

namespace rtdp::cluster {

class tls_session {
public:
  enum class outcome {
    done,
    /// When the socket can be read (or, after `write`, written) again.
    later,
    /// Ended or broken; only the destructor may follow.
    failed
  };

  /// `accepts`: the other side called.
  tls_session(const tls_context& context, int socket, bool accepts);

  /// Both sides know each other.
  bool established() const { return established_; }
  /// Goes on with the handshake. REQUIRES: !established.
  outcome greet();
  /// REQUIRES: established, as below; size > 0.
  outcome read(void* into, size_t size, size_t& got);
  outcome write(const void* from, size_t size, size_t& put);
  /// Bytes that can be read although the socket has none.
  size_t pending() const;

private:
  struct freed {
    void operator()(ssl_st* x) const;
  };
  outcome outcome_of(int returned) const;

  std::unique_ptr<ssl_st, freed> ssl_;
  bool established_ = false;
};

} // namespace rtdp::cluster
