#include "actors/extract/postgres_place.hpp"

#include "actors/extract/postgres_catalog.hpp"
#include "runtime/ops/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::pg {

namespace {

/// What was stored about a table, also when it has another name now.
const table_state* stored_state(const position& stored, const captured_table& t) {
  auto by = [&](auto matches) {
    auto found = std::find_if(stored.tables.begin(), stored.tables.end(), matches);
    return found == stored.tables.end() ? nullptr : &*found;
  };
  if (const auto* same = by([&](auto& s) { return s.name == t.name; }))
    return same;
  return by([&](auto& s) { return s.oid != 0 && s.oid == t.oid; });
}

/// The server refuses changes of such tables from now on: whoever wrote to them must hear why.
void warn_unidentified(const settings& set, const std::vector<captured_table>& tables) {
  for (const auto& t : tables)
    if (!t.identified)
      ops::logger("source." + set.name)
          ->warn(
              "table {0} has no primary key and no other replica identity: while publication {1} "
              "holds it, the server refuses every UPDATE and DELETE of it; give it a primary key, "
              "or ALTER TABLE {0} REPLICA IDENTITY FULL",
              quoted(t.name), set.publication);
}

/// The slot; in a cluster without the reader that it had on another node.
result<std::optional<slot_state>> find_free_slot(connection& catalog, const settings& set) {
  auto slot = find_slot(catalog, set.slot);
  if (!slot || !*slot || (*slot)->active_pid == 0 || !set.take_over)
    return slot;
  ops::logger("source." + set.name)
      ->info("ending PID {}, {}, which reads slot {} for the node that had the source",
             (*slot)->active_pid, (*slot)->reader, set.slot);
  if (auto failed = end_reader(catalog, set.slot))
    return failed;
  return find_slot(catalog, set.slot);
}

/// Takes the slot over from what was stored, or from nothing.
error settle_slot(connection& catalog, connection& replication, const settings& set,
                  const std::optional<slot_state>& slot, bool had_position, place& out,
                  bool& anew) {
  auto why = why_lost(catalog, replication, {set.slot, set.publication}, slot, out.at);
  if (!why)
    return why.error();
  anew = !why->empty();
  if (anew && !set.resnapshot)
    return rejected(*why + "; the changes behind the stored position cannot be read any more. "
                           "`on_lost: resnapshot` begins with a new slot and a snapshot of all "
                           "tables");
  if (slot && slot->active_pid != 0)
    return unavailable(fmt::format("slot {} is active for PID {}, {}: waiting until it is free",
                                   set.slot, slot->active_pid,
                                   slot->reader.empty() ? "a client unknown" : slot->reader));
  out.slot_exists = slot.has_value();
  if (anew) {
    ops::logger("source." + set.name)
        ->warn("{}: beginning with a new slot and a snapshot of all tables", *why);
    if (slot)
      if (auto failed = drop_slot(catalog, set.slot))
        return failed;
    out.slot_exists = false;
    out.at.at = 0;
    out.at.index = 0;
  } else if (slot && !had_position) {
    out.at.at = slot->confirmed;
  }
  if (!out.slot_exists && !set.create)
    return rejected(fmt::format("slot {} does not exist: create it with plugin pgoutput, or set "
                                "create: true",
                                set.slot));
  return {};
}

/// Goes on with the table's state; another table of the name, or another place in the publication,
/// is read anew.
void adopt(const captured_table& t, const std::string& origin, lsn log_end,
           const table_state* stored, const settings& set, bool unknown_past, place& out) {
  auto& now = out.at.tables.emplace_back(
      stored != nullptr ? *stored : table_state{.name = t.name, .seen = {}});
  bool renamed = now.name != t.name;
  bool replaced = now.oid != 0 && now.oid != t.oid;
  bool published_anew = !now.origin.empty() && now.origin != origin;
  bool unknown = unknown_past || (set.initial && (replaced || published_anew)) ||
                 (renamed && now.snapshot == table_state::begun);
  out.in_part.push_back(unknown || (stored != nullptr && now.snapshot == table_state::begun));
  if (unknown) {
    now.snapshot = table_state::begun;
    now.seen = {};
  }
  if (stored == nullptr && !set.initial && !set.resnapshot)
    now.snapshot = table_state::done;
  if (now.oid != t.oid)
    now.since = log_end;
  now.name = t.name;
  now.oid = t.oid;
  now.origin = origin;
  out.unknown.push_back(unknown);
  out.skip_ids = out.skip_ids || stored == nullptr || unknown;
}

} // namespace

result<place> find_place(connection& catalog, connection& replication, const settings& set,
                         const std::string& stored) {
  place out;
  if (!stored.empty()) {
    auto parsed = parse_position(stored);
    if (!parsed)
      return parsed.error();
    out.at = std::move(*parsed);
  }
  if (auto failed = check_server(catalog))
    return failed;
  auto tables = find_tables(catalog, set.tables, out.at.tables);
  if (!tables)
    return tables.error();
  out.tables = std::move(*tables);
  auto slot = find_free_slot(catalog, set);
  if (!slot)
    return slot.error();
  bool anew = false;
  if (auto failed = settle_slot(catalog, replication, set, *slot, !stored.empty(), out, anew))
    return failed;
  if (auto failed =
          ensure_publication(catalog, set.publication, set.create, out.tables, out.slot_exists))
    return failed;
  warn_unidentified(set, out.tables);
  auto origins = origins_of(catalog, set.publication, out.tables);
  if (!origins)
    return origins.error();
  auto log = identify(replication);
  if (!log)
    return log.error();
  out.at.server = log->name;
  auto before = std::move(out.at);
  out.at.server = log->name;
  out.at.at = before.at;
  out.at.index = before.index;
  out.at.plan = std::move(before.plan);
  out.at.tables.clear();
  // A slot without a position: an earlier run may have published rows before it could store one.
  bool unknown_past = anew || (stored.empty() && out.slot_exists);
  out.skip_ids = unknown_past || before.tables.size() != out.tables.size();
  for (size_t i = 0; i < out.tables.size(); ++i)
    adopt(out.tables[i], (*origins)[i], log->end, stored_state(before, out.tables[i]), set,
          unknown_past, out);
  // The very first start has no past to keep away from.
  out.first = stored.empty() && !out.slot_exists && !anew;
  return out;
}

} // namespace rtdp::extract::pg
