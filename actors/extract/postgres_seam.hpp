/// The seam between the log and the first snapshot of a table that is read in chunks: each row comes
/// from one of them. Functions over a connection of the driver, bounded by its time-out.
///
/// One moment S parts the transactions. What S sees is the snapshot's: the log leaves it out
/// (`table_state::seen`). What S does not see is the log's: a chunk leaves out the rows that such a
/// transaction wrote last, which the server tells by `xmin`. S is in the position, so that whoever
/// goes on after a kill parts the rows as before.
///
/// A row must never be missing from both, so chunks leave out nothing
/// - when S is not known: a snapshot that an operator asked for, a server with more than 2^32
///   transactions behind it, whose `xmin` may mean another one;
/// - when the rows' `xmin` may be of something that is not in the log: the table was rewritten since
///   S, or has children that are published under names of their own;
/// - when the log does not bring whole rows: the publication leaves out inserts or updates, or the
///   table has values out of line (TOAST), which an update does not carry.
/// With a slot that was there before, rows of a transaction with savepoints that was under way at S
/// may come from both.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_position.hpp"

#include <optional>
#include <string>

namespace rtdp::extract::pg {

/// The moment S for tables of which nothing was handed over yet: `exported` of a new slot, or, when
/// that is empty, now. Then every transaction that S does not see has begun after this call: those
/// under way are waited for, 1 s at most. Empty: there is no such moment.
result<std::optional<seen_by>> find_seam(connection& c, const std::string& exported);

/// The condition of rows that chunks have to bring; "" when they bring all.
result<std::string> not_in_log(connection& c, const table_name& name,
                               const std::string& publication, const seen_by& seen);

} // namespace rtdp::extract::pg
