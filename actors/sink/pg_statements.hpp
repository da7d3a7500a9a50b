/// The SQL of the postgres sink: text only, no connection. Each statement is guarded by ums_id_, so
/// that any replay changes nothing; the comments say why two writers at once are safe.
#pragma once

#include "actors/sink/table_ddl.hpp"

#include <string>

namespace rtdp::sink {

extern const dialect postgres_dialect;

/// True for a type that every PostgreSQL has, written as format_type() does.
bool is_built_in_type(std::string_view native);

/// A temporary table with the target's own types, emptied at each commit.
std::string create_stage(const layout& to, const std::string& stage);
std::string copy_to_stage(const layout& to, const std::string& stage);

/// Leaves one row a key in the stage where the target finds keys equal that differ as bytes
/// (1.0 and 1.00, citext).
std::string dedupe_stage(const layout& to, const std::string& stage);

/// Stage to target for `insert`, and for `iud` in one guarded upsert.
std::string apply_insert(const layout& to, const std::string& stage);
std::string apply_iud(const layout& to, const std::string& stage, bool has_deletes);

/// Stage to target for `iud_clean`, in this order and one transaction: `clean_guard` takes the row
/// lock of every key in the side table and stores the ids that won; the later statements see, with
/// their newer snapshots, all that earlier holders of those locks committed.
/// `all_won`: the guard let every staged row pass, so nothing needs to be filtered.
std::string clean_guard(const layout& to, const std::string& stage);
std::string clean_delete(const layout& to, const std::string& stage, bool all_won);
std::string clean_upsert(const layout& to, const std::string& stage, bool all_won);

/// TRUNCATE of the source as of `id`: rows with a higher id came after it and stay.
/// `only` ends the WHERE when a part of the rows is meant.
std::string apply_truncate(const layout& to, int64_t id, const std::string& only = "");
/// Deletes the rows below the id and leaves a tombstone of each.
std::string apply_sweep(const layout& to, int64_t before);

} // namespace rtdp::sink
