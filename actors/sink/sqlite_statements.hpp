/// The SQL of the sqlite sink: text only. One row a statement; parameters are numbered in the order
/// that each comment gives.
#pragma once

#include "actors/sink/table_ddl.hpp"

#include <string>

namespace rtdp::sink {

extern const dialect sqlite_dialect;

/// ums_id_, ums_ts_, ums_op_, values.
std::string insert_row(const layout& to);
/// ums_id_, ums_ts_, ums_active_ = 1, keys, values.
std::string upsert_row(const layout& to);
/// ums_id_, ums_ts_, ums_active_ = 0, keys. Leaves the values as they are.
std::string mark_deleted(const layout& to);

/// For iud_clean. ums_id_, ums_active_, keys; changes a row when the id won.
std::string guard_row(const layout& to);
/// Keys.
std::string delete_row(const layout& to);
/// Keys, values.
std::string upsert_clean(const layout& to);
/// Keys, values; for rows that lack a column which a new row needs.
std::string update_clean(const layout& to);

/// TRUNCATE of the source as of `id`.
/// `only` ends the WHERE when a part of the rows is meant.
std::string truncate_table(const layout& to, int64_t id, const std::string& only = "");
/// Deletes the rows below the id and leaves a tombstone of each.
std::string sweep_table(const layout& to, int64_t before);

} // namespace rtdp::sink
