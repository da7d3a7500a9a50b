#include "actors/extract/postgres_slot.hpp"

#include "actors/extract/postgres_tables.hpp"
#include "actors/extract/postgres_text.hpp"

#include <fmt/format.h>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// A slot waits for transactions that run when it is made.
constexpr auto slot_timeout = 60s;
constexpr auto end_timeout = 5s;

/// Where the server's history left the line `from`, by the text of its history file: a line each of
/// "<timeline> <tab> <log position> <tab> <reason>". Empty: it never was on that line.
std::optional<lsn> left_timeline(std::string_view history, uint32_t from) {
  while (!history.empty()) {
    auto end = std::min(history.find('\n'), history.size());
    auto line = history.substr(0, end);
    history.remove_prefix(std::min(end + 1, history.size()));
    auto first = line.find('\t');
    if (first == line.npos || number<uint32_t>(std::string(line.substr(0, first))) != from)
      continue;
    line.remove_prefix(first + 1);
    return parse_lsn(line.substr(0, line.find('\t')));
  }
  return {};
}

/// Another line than before is as good when it branched off behind our place.
result<std::string> other_timeline(connection& replication, uint32_t now, const position& stored) {
  std::string restored =
      fmt::format("the server was restored to a time before the stored position {}: its log is on "
                  "timeline {} now, the position on timeline {}",
                  lsn_text(stored.at), now, stored.server.timeline);
  if (now < stored.server.timeline)
    return restored;
  auto rows = replication.query(fmt::format("TIMELINE_HISTORY {}", now));
  if (!rows)
    return rows.error();
  auto left = left_timeline((*rows)[0][1].value_or(""), stored.server.timeline);
  return left && *left >= stored.at ? std::string() : restored;
}

result<std::string> other_server(connection& replication, const position& stored) {
  auto log = identify(replication);
  if (!log)
    return log.error();
  if (!stored.server.system.empty()) {
    if (log->name.system != stored.server.system)
      return fmt::format("this is another server: its system identifier is {}, that of the stored "
                         "position {}",
                         log->name.system, stored.server.system);
    if (log->name.timeline != stored.server.timeline) {
      auto why = other_timeline(replication, log->name.timeline, stored);
      if (!why || !why->empty())
        return why;
    }
  }
  if (log->end < stored.at)
    return fmt::format(
        "the server's log ends at {}, before the stored position {}: was it restored "
        "from a backup?",
        lsn_text(log->end), lsn_text(stored.at));
  return std::string();
}

} // namespace

error check_server(connection& c) {
  auto rows = c.query("select current_setting('wal_level')");
  if (!rows)
    return rows.error();
  const auto& level = *(*rows)[0][0];
  if (level != "logical")
    return rejected("wal_level is " + level +
                    ": changes can be read only with wal_level = logical "
                    "in postgresql.conf and a restart of the server");
  return {};
}

result<server_log> identify(connection& replication) {
  auto rows = replication.query("IDENTIFY_SYSTEM");
  if (!rows)
    return rows.error();
  const auto& r = (*rows)[0];
  return server_log{{.system = r[0].value_or(""), .timeline = number<uint32_t>(r[1])},
                    parse_lsn(r[2].value_or("")).value_or(0)};
}

result<std::optional<slot_state>> find_slot(connection& c, const std::string& name) {
  std::string status = c.server_version() < 130000 ? "null" : "wal_status";
  auto rows = c.query(
      "select s.plugin, s.database, current_database(), s.confirmed_flush_lsn, s.active_pid, " +
          status +
          ", a.application_name || coalesce(' at ' || host(a.client_addr), '') from "
          "pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid "
          "where s.slot_name = $1",
      {name});
  if (!rows)
    return rows.error();
  if (rows->empty())
    return std::optional<slot_state>();
  const auto& r = (*rows)[0];
  if (r[0] != "pgoutput")
    return rejected(fmt::format("slot {}: expected a logical slot of plugin pgoutput; found {}",
                                name, r[0].value_or("a physical slot")));
  if (r[1] != r[2])
    return rejected(fmt::format("slot {} belongs to database {}; this one is {}", name,
                                r[1].value_or(""), r[2].value_or("")));
  return std::optional(slot_state{.confirmed = parse_lsn(r[3].value_or("")).value_or(0),
                                  .active_pid = number<int32_t>(r[4]),
                                  .reader = r[6].value_or(""),
                                  .lost = r[5] == "lost"});
}

error end_reader(connection& c, const std::string& name) {
  auto ended = c.query("select pg_terminate_backend(active_pid) from pg_replication_slots "
                       "where slot_name = $1 and active_pid is not null",
                       {name});
  if (!ended)
    return unavailable("slot " + name + ": its reader cannot be ended: " + ended.error().text());
  // The server looks now and then whether it should end.
  for (auto until = std::chrono::steady_clock::now() + end_timeout;
       std::chrono::steady_clock::now() < until;) {
    auto active = c.query("select 1 from pg_replication_slots, pg_sleep(0.02) "
                          "where slot_name = $1 and active_pid is not null",
                          {name});
    if (!active || active->empty())
      return active ? error{} : active.error();
  }
  return unavailable("slot " + name + ": its reader does not end");
}

result<std::string> why_lost(connection& c, connection& replication, const slot_names& names,
                             const std::optional<slot_state>& slot, const position& stored) {
  if (slot && slot->lost)
    return fmt::format("slot {} is lost: the server removed log that it needed, more than "
                       "max_slot_wal_keep_size allows",
                       names.slot);
  if (stored.at == 0)
    return std::string();
  auto other = other_server(replication, stored);
  if (!other || !other->empty())
    return other;
  if (!slot)
    return fmt::format("slot {} is gone", names.slot);
  if (slot->confirmed > stored.at)
    return fmt::format(
        "slot {} was confirmed up to {}, but the stored position is {}: was the slot "
        "made anew, or read by another?",
        names.slot, lsn_text(slot->confirmed), lsn_text(stored.at));
  auto published = has_publication(c, names.publication);
  if (!published)
    return published.error();
  return *published
             ? std::string()
             : fmt::format("publication {} was dropped: the server cannot tell any more what "
                           "of its log it published",
                           names.publication);
}

result<log_state> read_log_state(connection& c, const std::string& slot) {
  auto rows = c.query("select pg_current_wal_flush_lsn(), "
                      "(extract(epoch from clock_timestamp()) * 1000000)::int8, "
                      "coalesce((select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8 "
                      "from pg_replication_slots where slot_name = $1), -1)",
                      {slot});
  if (!rows)
    return rows.error();
  const auto& r = (*rows)[0];
  return log_state{parse_lsn(r[0].value_or("")).value_or(0), number<int64_t>(r[1]),
                   number<int64_t>(r[2])};
}

result<new_slot> create_slot(connection& replication, const std::string& name) {
  auto rows = replication.query_for(slot_timeout, "CREATE_REPLICATION_SLOT " +
                                                      connection::identifier(name) +
                                                      " LOGICAL pgoutput EXPORT_SNAPSHOT");
  if (!rows)
    return rows.error().in("create slot " + name);
  const auto& r = (*rows)[0];
  return new_slot{parse_lsn(r[1].value_or("")).value_or(0), r[2].value_or("")};
}

error drop_slot(connection& c, const std::string& name) {
  auto done = c.query("select pg_drop_replication_slot($1)", {name});
  return done ? error{} : done.error().in("drop slot " + name);
}

} // namespace rtdp::extract::pg
