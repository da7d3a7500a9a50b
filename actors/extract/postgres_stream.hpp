/// The change stream of one slot: hands out pgoutput messages, answers keepalives, tells the server
/// what is durable. Owned by the driver; one thread.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_pgoutput.hpp"

namespace rtdp::extract::pg {

class stream {
public:
  /// Begins behind `from`: every transaction whose commit record begins there or later. `c` is a
  /// replication connection.
  static result<stream> start(connection c, const std::string& slot, const std::string& publication,
                              lsn from);

  /// The next message; empty when none has arrived: `wait` for more. Valid until the next call.
  result<std::string_view> next();
  error wait(connection::clock::time_point until) { return connection_.wait(until); }

  int socket() const { return connection_.socket(); }

  /// Everything before `at` may be forgotten by the server; never goes back.
  error confirm(lsn at);
  /// Reports if the last report is older than `interval`; the server gives up on silent readers.
  error report_every(std::chrono::milliseconds interval);
  /// Reports and asks for a keepalive.
  error ask();

  /// Every transaction that committed before this was handed out by `next`.
  lsn sent() const { return sent_; }

private:
  stream(connection c, lsn from) : connection_(std::move(c)), confirmed_(from) {}
  error report(bool ask);

  connection connection_;
  lsn confirmed_ = 0, sent_ = 0;
  connection::clock::time_point reported_{};
};

} // namespace rtdp::extract::pg
