#include "actors/extract/mysql_log.hpp"

#include <fmt/format.h>
// Needs what comes before it.
// clang-format off
#include <mysql.h>
#include <mariadb_rpl.h>
// clang-format on
#include <mysqld_error.h>

#include <sys/socket.h>
#include <utility>

namespace rtdp::extract::my {

namespace {

/// What the queue holds before the thread waits; one event more may come on top.
constexpr size_t queue_bytes_max = 4 << 20;

error explain(error e, unsigned code, uint32_t server_id) {
  if (code != ER_MASTER_FATAL_ERROR_READING_BINLOG)
    return e.in("binary log");
  if (e.text().find("server_uuid/server_id") != std::string::npos ||
      e.text().find("same server") != std::string::npos)
    return rejected(fmt::format("binary log: another replica has server_id {} too: give this "
                                "source another `server_id` ({})",
                                server_id, e.text()));
  return rejected("binary log: " + e.text());
}

} // namespace

void log_stream::close_rpl::operator()(st_mariadb_rpl* r) const { mariadb_rpl_close(r); }

result<std::unique_ptr<log_stream>> log_stream::start(connection c, const log_place& from,
                                                      uint32_t server_id,
                                                      std::chrono::milliseconds heartbeat) {
  std::unique_ptr<log_stream> s(new log_stream(std::move(c), server_id));
  if (auto failed = s->request(from, heartbeat))
    return failed.in("binary log from " + from.text());
  s->thread_ = std::thread([p = s.get()] { p->fetch(); });
  return s;
}

log_stream::~log_stream() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  // Ends a fetch that waits for the server.
  ::shutdown(mysql_get_socket(connection_.handle()), SHUT_RDWR);
  if (thread_.joinable())
    thread_.join();
}

error log_stream::request(const log_place& from, std::chrono::milliseconds heartbeat) {
  if (from.offset > UINT32_MAX)
    return rejected("the protocol names no offset beyond 2^32");
  // 4: GTID events as they are. The server sends its checksums only to whom knows of them.
  auto set = fmt::format("set @master_heartbeat_period = {}, @mariadb_slave_capability = 4, "
                         "@master_binlog_checksum = @@global.binlog_checksum, "
                         "@source_binlog_checksum = @@global.binlog_checksum",
                         std::chrono::nanoseconds(heartbeat).count());
  if (auto failed = connection_.run(set))
    return failed;
  rpl_.reset(mariadb_rpl_init(connection_.handle()));
  if (!rpl_)
    return unavailable("libmariadb has no memory for a replica");
  mariadb_rpl_optionsv(rpl_.get(), MARIADB_RPL_FILENAME, from.file.c_str(), from.file.size());
  mariadb_rpl_optionsv(rpl_.get(), MARIADB_RPL_START, static_cast<unsigned long>(from.offset));
  mariadb_rpl_optionsv(rpl_.get(), MARIADB_RPL_SERVER_ID, server_id_);
  mariadb_rpl_optionsv(rpl_.get(), MARIADB_RPL_FLAGS, 0U);
  mariadb_rpl_optionsv(rpl_.get(), MARIADB_RPL_VERIFY_CHECKSUM, 1U);
  if (mariadb_rpl_open(rpl_.get()) != 0)
    return explain(connection_.last_error(), mysql_errno(connection_.handle()), server_id_);
  return {};
}

void log_stream::fetch() {
  mysql_thread_init();
  MARIADB_RPL_EVENT* e = nullptr;
  bool go_on = true;
  while (go_on) {
    // Gives the event back to be filled again, or frees it and gives none.
    e = mariadb_rpl_fetch(rpl_.get(), e);
    if (e == nullptr)
      break;
    // The first byte is the packet's own: 0, an event follows.
    go_on = e->raw_data_size > 1 &&
            put({reinterpret_cast<const char*>(e->raw_data) + 1, e->raw_data_size - 1});
  }
  auto code = mysql_errno(connection_.handle());
  auto failure = code != 0 ? explain(connection_.last_error(), code, server_id_)
                           : unavailable("binary log: the server ended it" +
                                         (mariadb_rpl_errno(rpl_.get()) != 0
                                              ? ": " + std::string(mariadb_rpl_error(rpl_.get()))
                                              : std::string()));
  if (e != nullptr)
    mariadb_free_rpl_event(e);
  {
    std::lock_guard lock(mutex_);
    ended_ = std::move(failure);
    has_ended_ = true;
  }
  changed_.notify_all();
  mysql_thread_end();
}

bool log_stream::put(std::string_view event) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stop_ || filled_.bytes.size() < queue_bytes_max; });
  if (stop_)
    return false;
  filled_.bytes += event;
  filled_.ends.push_back(filled_.bytes.size());
  if (waiting_) {
    waiting_ = false;
    lock.unlock();
    changed_.notify_all();
  }
  return true;
}

result<std::string_view> log_stream::next() {
  if (next_ == taken_.ends.size()) {
    taken_.bytes.clear();
    taken_.ends.clear();
    next_ = at_ = 0;
    bool was_full = false;
    {
      std::lock_guard lock(mutex_);
      if (filled_.ends.empty())
        return has_ended_ ? result<std::string_view>(ended_) : std::string_view{};
      was_full = filled_.bytes.size() >= queue_bytes_max;
      std::swap(taken_, filled_);
    }
    if (was_full)
      changed_.notify_all();
  }
  auto begin = std::exchange(at_, taken_.ends[next_++]);
  return std::string_view(taken_.bytes).substr(begin, at_ - begin);
}

void log_stream::wait(clock::time_point until) {
  if (next_ < taken_.ends.size())
    return;
  std::unique_lock lock(mutex_);
  waiting_ = true;
  changed_.wait_until(lock, until,
                      [&] { return !filled_.ends.empty() || has_ended_ || stop_; });
  waiting_ = false;
}

} // namespace rtdp::extract::my
