/// The table `rtdp_fence` in a PostgreSQL target: who may write, and how far the data reaches.
/// Statements and the take-over; the postgres driver owns the connection.
#pragma once

#include "actors/sink/driver.hpp"
#include "actors/sink/pg_connection.hpp"

#include <string>

namespace rtdp::sink {

/// Makes `epoch` the owner and gives the progress stored with the data; `fenced` when a newer owner
/// is there. Waits for the older owner's transaction; one that hangs is ended after 300 ms.
result<std::string> take_fence(pg_connection& c, const std::string& flow, int64_t epoch);

/// Tells the next owner which session to end, after a reconnect.
void renew_session(pg_connection& c, const std::string& flow, int64_t epoch);

/// The statement that checks and moves the fence inside a transaction. It gives one row, the
/// transaction's number, or none when the epoch is not the owner's any more.
std::string move_fence(const pg_connection& c, const fence& f);

error fenced_error(const fence& f);

} // namespace rtdp::sink
