#include "runtime/cluster/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <climits>

namespace rtdp::cluster {

namespace {

int at_most_int(size_t size) { return int(std::min<size_t>(size, INT_MAX)); }

} // namespace

void tls_session::freed::operator()(ssl_st* x) const { SSL_free(x); }

tls_session::tls_session(const tls_context& context, int socket, bool accepts)
    : ssl_(SSL_new(context.get())) {
  SSL_set_fd(ssl_.get(), socket);
  if (accepts)
    SSL_set_accept_state(ssl_.get());
  else
    SSL_set_connect_state(ssl_.get());
}

tls_session::outcome tls_session::outcome_of(int returned) const {
  switch (SSL_get_error(ssl_.get(), returned)) {
  case SSL_ERROR_NONE:
    return outcome::done;
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return outcome::later;
  default:
    return outcome::failed;
  }
}

tls_session::outcome tls_session::greet() {
  ERR_clear_error();
  auto out = outcome_of(SSL_do_handshake(ssl_.get()));
  // What a handshake writes, a few KiB, fits into the buffer of a socket that nothing was written to
  // before. Who leaves no room for it is no node.
  if (out == outcome::later && SSL_want_write(ssl_.get()))
    return outcome::failed;
  established_ = out == outcome::done;
  return out;
}

tls_session::outcome tls_session::read(void* into, size_t size, size_t& got) {
  ERR_clear_error();
  auto n = SSL_read(ssl_.get(), into, at_most_int(size));
  got = n > 0 ? size_t(n) : 0;
  return outcome_of(n);
}

tls_session::outcome tls_session::write(const void* from, size_t size, size_t& put) {
  ERR_clear_error();
  auto n = SSL_write(ssl_.get(), from, at_most_int(size));
  put = n > 0 ? size_t(n) : 0;
  return outcome_of(n);
}

size_t tls_session::pending() const { return size_t(SSL_pending(ssl_.get())); }

} // namespace rtdp::cluster
