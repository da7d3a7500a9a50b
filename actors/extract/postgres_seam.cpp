#include "actors/extract/postgres_seam.hpp"

#include "actors/extract/postgres_catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

constexpr auto wait_max = 1s;
constexpr auto look_every = 5ms;

/// Empty when transaction numbers do not say enough.
result<std::optional<seen_by>> look(connection& c, const std::string& exported) {
  std::string sql = "select s, pg_current_wal_insert_lsn(), "
                    "pg_snapshot_xmax(s)::text::int8 < 4294967296 from pg_current_snapshot() s";
  if (!exported.empty())
    sql = fmt::format("begin isolation level repeatable read read only; set transaction snapshot "
                      "'{}'; {}; commit",
                      exported, sql);
  auto rows = c.query(sql);
  if (!rows)
    return rows.error().in("seam of log and snapshot");
  const auto& r = rows->front();
  auto seen = parse_seen_by(r[0].value_or(""), r[1].value_or(""));
  if (!seen)
    return seen.error();
  return r[2] == "t" ? std::optional(std::move(*seen)) : std::nullopt;
}

} // namespace

result<std::optional<seen_by>> find_seam(connection& c, const std::string& exported) {
  auto first = look(c, exported);
  if (!first || !*first || !exported.empty())
    return first;
  // A transaction that is older than the publication of its table may be in the log in part only.
  for (auto until = connection::clock::now() + wait_max; connection::clock::now() < until;) {
    auto now = look(c, "");
    if (!now || !*now || (*now)->xmin >= (*first)->xmax)
      return now;
    if (auto failed = c.wait(connection::clock::now() + look_every))
      return failed;
  }
  return std::optional<seen_by>();
}

result<std::string> not_in_log(connection& c, const table_name& name,
                               const std::string& publication, const seen_by& seen) {
  auto rows = c.query(
      "select coalesce((select p.pubinsert and p.pubupdate from pg_publication p where p.pubname = "
      "$2), false) and not (c.relkind = 'r' and exists (select from pg_inherits h where h.inhparent "
      "= c.oid)) and not exists (select from pg_class l where (l.oid = c.oid or l.oid in (select "
      "relid from pg_partition_tree(c.oid))) and l.reltoastrelid <> 0 and "
      "coalesce(pg_relation_size(l.reltoastrelid), 1) > 0) from pg_class c where c.oid = "
      "$1::regclass",
      {quoted(name), publication});
  if (!rows)
    return rows.error();
  if (rows->empty() || rows->front()[0] != "t")
    return std::string();
  std::string running;
  if (!seen.running.empty())
    running = fmt::format(" or xmin = any ('{{{}}}'::xid[])", fmt::join(seen.running, ","));
  // Rows of long ago, which are most of them, are told at the cost of a subtraction.
  return fmt::format("not (age(xmin) <= age('{}'::xid) and (xmin::text::int8 >= {}{}))", seen.xmin,
                     seen.xmax, running);
}

} // namespace rtdp::extract::pg
