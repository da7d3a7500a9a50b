/// How one table is cut into chunks: its key in the order of its index, its columns, and the
/// statements that find the end of a chunk and read it. Made from the catalog, plain values
/// afterwards; owned by `chunks`.
#pragma once

#include "actors/extract/postgres_catalog.hpp"

#include <optional>
#include <string>
#include <vector>

namespace rtdp::extract::pg {

/// The columns of a key as text; empty: no bound.
using key_texts = std::vector<std::string>;

struct chunk_table {
  table_name name;
  shape columns;
  struct key_column {
    /// Quoted.
    std::string name;
    /// As a cast takes it.
    std::string type;
  };
  std::vector<key_column> key;
  /// What the chunk's transaction must find unchanged: everything above depends on it.
  std::string fingerprint;
  /// The same, short: what the plan keeps of it.
  std::string seam = {};
  /// The publication's row filter, "" when there is none, the operator's condition, and that of rows
  /// which the log does not bring (postgres_seam.hpp).
  std::string filter, where, not_in_log = {};
  /// Rows of a chunk: fewer where rows are wide.
  size_t rows = 0;

  /// The key's names and types: what stored key texts belong to.
  std::string key_text() const;
};

/// Empty when the table has no key by which chunks can follow each other: no primary key and no
/// replica identity index, or the publication leaves out a column of it.
result<std::optional<chunk_table>> find_chunk_table(connection& c, const table_name& name,
                                                    const std::string& publication);

/// Rows of a chunk so that it takes about `chunk_bytes`, by what the server knows.
result<size_t> chunk_rows_for(connection& c, const table_name& name, size_t rows_max);
/// Rejects what is no condition, in the server's words; else about how many rows it holds for.
result<int64_t> check_where(connection& c, const table_name& name, const std::string& where);

constexpr size_t chunk_bytes = 4 << 20;

/// The key of the last row of a chunk that begins behind `from`; no row when fewer are left.
std::string bound_statement(const chunk_table& t, const key_texts& from);
/// Everything about one chunk in one round trip, see chunks.hpp: locks the table, tells what is
/// seen, reads the rows behind `from` up to and with `to`, and puts a message into the log.
std::string chunk_statements(const chunk_table& t, const key_texts& from, const key_texts& to,
                             const std::string& slot);

} // namespace rtdp::extract::pg
