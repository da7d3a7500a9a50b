/// The server's log and our slot in it: who the server is, what the slot keeps, and whether a
/// stored position can still be gone on from. Functions over connections that the driver owns; each
/// call is bounded by the connection's time-out.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_position.hpp"

#include <optional>
#include <string>

namespace rtdp::extract::pg {

/// Rejects a server that does not decode its log.
error check_server(connection& c);

/// Whose log it is. REQUIRES: a connection with `replication`.
struct server_log {
  server_name name;
  lsn end = 0;
};
result<server_log> identify(connection& replication);

struct slot_state {
  lsn confirmed = 0;
  /// 0 when nobody reads it.
  int32_t active_pid = 0;
  /// Who that is, for people.
  std::string reader = {};
  /// The server removed log that it needed.
  bool lost = false;
};

/// Empty: there is no such slot. Rejects one that cannot be ours.
result<std::optional<slot_state>> find_slot(connection& c, const std::string& name);

/// Ends the session that reads the slot, and waits up to 5 s until it is gone. `unavailable` when
/// it is not, or when the server does not let us.
error end_reader(connection& c, const std::string& name);

struct slot_names {
  std::string slot, publication;
};

/// Why the changes behind `stored` cannot be read any more; empty when they can. A position without
/// a place in the log has only a slot to lose.
result<std::string> why_lost(connection& c, connection& replication, const slot_names& names,
                             const std::optional<slot_state>& slot, const position& stored);

struct log_state {
  /// Every commit of a time before `now_us` is before this.
  lsn flushed = 0;
  /// The server's clock.
  int64_t now_us = 0;
  /// What the slot keeps; -1 when there is no slot.
  int64_t retained_bytes = -1;
};
result<log_state> read_log_state(connection& c, const std::string& slot);

struct new_slot {
  lsn start = 0;
  /// For SET TRANSACTION SNAPSHOT as long as the connection does nothing else: it sees exactly the
  /// transactions that the slot does not deliver.
  std::string snapshot;
};
/// REQUIRES: a connection with `replication`.
result<new_slot> create_slot(connection& replication, const std::string& name);
error drop_slot(connection& c, const std::string& name);

} // namespace rtdp::extract::pg
