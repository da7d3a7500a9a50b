/// The binary log as the server sends it to a replica, event by event. libmariadb waits inside
/// `mariadb_rpl_fetch`, and a wait that it gives up costs the connection: a thread of this class
/// does nothing but fetch, into a queue of bounded size, so that its owner never waits longer than
/// it wants to. Owned by the driver; one thread calls it.
#pragma once

#include "actors/extract/mysql_connection.hpp"
#include "actors/extract/mysql_position.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct st_mariadb_rpl;

namespace rtdp::extract::my {

class log_stream {
public:
  using clock = std::chrono::steady_clock;

  /// The server sends everything from `from` on, and a heartbeat event when it has nothing for
  /// `heartbeat`. `c` must not be used by anybody else any more; its time-out must be longer than
  /// `heartbeat`: a server that is silent for longer is lost.
  static result<std::unique_ptr<log_stream>> start(connection c, const log_place& from,
                                                   uint32_t server_id,
                                                   std::chrono::milliseconds heartbeat);
  ~log_stream();
  log_stream(const log_stream&) = delete;
  log_stream& operator=(const log_stream&) = delete;

  /// The bytes of the next event; empty when none has arrived: `wait` for more. Valid until the
  /// next call. The error that ended the stream comes behind all events that came before it.
  result<std::string_view> next();
  /// Returns when there is something for `next`, or at `until`.
  void wait(clock::time_point until);

private:
  /// Events, one behind the other.
  struct run {
    std::string bytes;
    std::vector<size_t> ends;
  };
  log_stream(connection c, uint32_t server_id) : connection_(std::move(c)), server_id_(server_id) {}
  error request(const log_place& from, std::chrono::milliseconds heartbeat);
  void fetch();
  bool put(std::string_view event);

  connection connection_;
  uint32_t server_id_;
  struct close_rpl {
    void operator()(st_mariadb_rpl* r) const;
  };
  std::unique_ptr<st_mariadb_rpl, close_rpl> rpl_;

  /// Of the caller only.
  run taken_;
  size_t next_ = 0, at_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by `mutex_`.
  run filled_;
  error ended_;
  bool has_ended_ = false, stop_ = false, waiting_ = false;

  std::thread thread_;
};

} // namespace rtdp::extract::my
