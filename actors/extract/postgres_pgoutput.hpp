/// Decoder of PostgreSQL's logical replication messages (output plugin pgoutput, protocol version
/// 1). Pure functions over bytes: no connection, no state, never reads past the message.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::pg {

/// A position in the write-ahead log.
using lsn = uint64_t;

/// "16/B374D848", as PostgreSQL writes it.
std::string lsn_text(lsn at);
std::optional<lsn> parse_lsn(std::string_view text);

/// PostgreSQL counts microseconds from 2000-01-01, we from 1970-01-01.
constexpr int64_t epoch_shift_us = 946'684'800'000'000;

/// One value of a row: null, a TOAST value that the change did not touch, or text.
struct cell {
  enum kind : char { null = 'n', unchanged = 'u', text = 't' };
  char what = null;
  std::string_view value;
};
using tuple = std::vector<cell>;

struct relation_column {
  /// Part of the replica identity.
  bool key = false;
  std::string name = {};
  uint32_t type = 0;
  int32_t modifier = -1;
  /// What the log calls a type that is not built in, as `announced_type::name`; the catalog may
  /// have forgotten it by now. Empty when the log did not say.
  std::string type_name = {};
};

/// A type that is not built in, named before a relation has it. Of a domain it is the name of the
/// type below it.
struct announced_type {
  uint32_t id = 0;
  /// "schema.type"; without a schema when it is built in.
  std::string name = {};
};

struct relation {
  uint32_t id = 0;
  std::string schema = {}, table = {};
  /// pg_class.relreplident: d(efault), i(ndex), f(ull), n(othing).
  char identity = 'd';
  std::vector<relation_column> columns = {};
};

/// One message; `type` says which members were filled. Meant to be used again and again: its
/// vectors keep their memory. The texts in it point into the bytes that were decoded.
struct message {
  /// B(egin), C(ommit), R(elation), t(Y)pe, I(nsert), U(pdate), D(elete), T(runcate); O(rigin) and
  /// M(essage) carry nothing that is needed.
  char type = 0;
  /// B: where the commit record begins; C: where it ends, which is where to go on from.
  lsn at = 0;
  /// B, C: microseconds since 1970.
  int64_t commit_us = 0;
  /// B: the top-level transaction.
  uint32_t xid = 0;
  /// R
  pg::relation relation;
  /// Y
  announced_type named_type;
  /// I, U, D
  uint32_t relation_id = 0;
  /// U, D: 'K' when `old_row` holds the identity's columns only (all others are null without
  /// meaning it), 'O' when it is the whole row, 0 when there is none.
  char old_kind = 0;
  tuple old_row, new_row;
  /// T
  std::vector<uint32_t> truncated;
};

/// Rejects what is not a whole message of the known types.
error decode(std::string_view bytes, message& out);

} // namespace rtdp::extract::pg
