#include "actors/sink/pg_fence.hpp"

#include <fmt/format.h>

namespace rtdp::sink {

namespace {

// 3 s: ten times the wait for one lock; a healthy transaction of an older owner is shorter.
constexpr int tries_max = 10;

error make_table(pg_connection& c) {
  // IF NOT EXISTS alone would ask for the right to create where the table is there already.
  auto found = c.run("SELECT to_regclass('rtdp_fence')");
  if (!found)
    return found.error();
  if (found->rows.at(0).at(0))
    return {};
  auto made =
      c.run("BEGIN; SELECT pg_advisory_xact_lock(hashtext('rtdp_fence')); "
            "CREATE TABLE IF NOT EXISTS rtdp_fence (flow text PRIMARY KEY, epoch bigint NOT NULL, "
            "progress text NOT NULL DEFAULT '', backend_pid integer NOT NULL, "
            "updated_at timestamptz NOT NULL DEFAULT now()); COMMIT");
  return made ? error{} : made.error();
}

/// Ends the session of an older owner that holds a lock on the fence right now. The lock is looked
/// for because a process number may belong to somebody else by now.
error end_older_session(pg_connection& c, const std::string& flow, int64_t epoch) {
  auto r =
      c.run(fmt::format("SELECT pg_terminate_backend(f.backend_pid) FROM rtdp_fence f WHERE "
                        "f.flow = {} AND f.epoch <= {} AND f.backend_pid <> pg_backend_pid() AND "
                        "EXISTS (SELECT FROM pg_locks l WHERE l.pid = f.backend_pid AND "
                        "l.relation = 'rtdp_fence'::regclass AND l.granted)",
                        c.literal(flow), epoch));
  return r ? error{} : r.error();
}

} // namespace

result<std::string> take_fence(pg_connection& c, const std::string& flow, int64_t epoch) {
  if (auto e = make_table(c))
    return e.in("rtdp_fence");
  auto claim = fmt::format("INSERT INTO rtdp_fence AS f (flow, epoch, backend_pid) "
                           "VALUES ({}, {}, pg_backend_pid()) ON CONFLICT (flow) DO UPDATE SET "
                           "epoch = excluded.epoch, backend_pid = excluded.backend_pid, "
                           "updated_at = now() WHERE f.epoch <= excluded.epoch RETURNING progress",
                           c.literal(flow), epoch);
  if (auto shorter = c.run("SET lock_timeout = 300"); !shorter)
    return shorter.error();
  result<pg_rows> claimed = unavailable("the older owner's session does not end");
  for (int i = 0; i < tries_max; ++i) {
    claimed = c.run(claim);
    if (claimed || c.sqlstate() != "55P03")
      break;
    if (auto e = end_older_session(c, flow, epoch))
      return e.in(fmt::format("rtdp_fence: ending the older owner of flow {}", flow));
  }
  if (!claimed)
    return claimed.error().in("rtdp_fence");
  if (auto after = c.run(fmt::format("SET lock_timeout = {}", pg_lock_timeout.count())); !after)
    return after.error();
  if (claimed->rows.empty())
    return fenced(fmt::format(
        "flow {0} has an owner newer than epoch {1}: another node runs it, or this node's data_dir "
        "was lost. If no other node runs it: DELETE FROM rtdp_fence WHERE flow = '{0}' in the "
        "target, then start the flow",
        flow, epoch));
  return claimed->rows[0].at(0).value_or("");
}

void renew_session(pg_connection& c, const std::string& flow, int64_t epoch) {
  // Without it a take-over of a hanging session would fail; writing works all the same.
  (void)c.run(
      fmt::format("UPDATE rtdp_fence SET backend_pid = pg_backend_pid() WHERE flow = {} AND "
                  "epoch = {}",
                  c.literal(flow), epoch));
}

std::string move_fence(const pg_connection& c, const fence& f) {
  return fmt::format("UPDATE rtdp_fence SET {}updated_at = now() WHERE flow = {} AND epoch = {} "
                     "RETURNING txid_current()",
                     f.progress.empty() ? ""
                                        : fmt::format("progress = {}, ", c.literal(f.progress)),
                     c.literal(f.flow), f.epoch);
}

error fenced_error(const fence& f) {
  return fenced(fmt::format(
      "flow {}: epoch {} does not own the target any more; nothing was written", f.flow, f.epoch));
}

} // namespace rtdp::sink
