#include "runtime/bus/embedded_owners.hpp"

#include "runtime/state/store.hpp"

namespace rtdp::bus {
namespace {

constexpr int64_t owners_layout_version = 1;
constexpr const char* owners_layout = "CREATE TABLE owner(id TEXT PRIMARY KEY, epoch INTEGER NOT NULL)";

result<int64_t> next_epoch(state::database& db, const std::string& id) {
  auto put = db.prepare("INSERT INTO owner VALUES (?1, 1)"
                        "  ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1 RETURNING epoch");
  if (!put)
    return put.error();
  put->bind(1, id);
  auto row = put->step();
  if (!row)
    return row.error();
  auto epoch = put->integer(0);
  // The row is written when the statement is done.
  if (auto failed = put->run())
    return failed;
  return epoch;
}

} // namespace

result<std::unique_ptr<embedded_owner>> embedded_owner::take(const std::string& folder,
                                                             const std::string& id) {
  auto db = state::open_store(folder + "/owners.db", owners_layout_version, owners_layout);
  if (!db)
    return db.error();
  std::unique_ptr<embedded_owner> made(new embedded_owner);
  made->db_ = std::move(*db);
  made->id_ = id;
  auto query = made->db_.prepare("SELECT epoch FROM owner WHERE id = ?1");
  if (!query)
    return query.error();
  made->epoch_of_ = std::move(*query);
  auto work = state::transaction::begin(made->db_);
  if (!work)
    return work.error();
  auto epoch = next_epoch(made->db_, id);
  if (!epoch)
    return epoch.error();
  if (auto failed = work->commit())
    return failed;
  made->epoch_ = *epoch;
  return made;
}

result<state::transaction> embedded_owner::hold(std::chrono::milliseconds wait) {
  sqlite3_busy_timeout(db_.handle(), int(wait.count()));
  auto held = state::transaction::begin(db_);
  if (!held)
    return held.error();
  epoch_of_.bind(1, id_);
  auto row = epoch_of_.step();
  if (!row)
    return row.error();
  auto newest = *row ? epoch_of_.integer(0) : 0;
  epoch_of_.reset();
  if (newest != epoch_)
    return fenced("the producer id " + id_ + " was taken by another owner: this one has epoch " +
                  std::to_string(epoch_) + ", the newest is " + std::to_string(newest));
  return held;
}

} // namespace rtdp::bus
