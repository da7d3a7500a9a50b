#include "runtime/state/store.hpp"

namespace rtdp::state {
namespace {

result<int64_t> version_of(database& db) {
  auto query = db.prepare("PRAGMA user_version");
  if (!query)
    return query.error();
  if (auto row = query->step(); !row)
    return row.error();
  return query->integer(0);
}

error create(database& db, int64_t version, const std::string& schema) {
  auto work = transaction::begin(db);
  if (!work)
    return work.error();
  // Another process may have been first.
  auto found = version_of(db);
  if (!found || *found != 0)
    return found ? error{} : found.error();
  if (auto failed = db.exec(schema))
    return failed;
  if (auto failed = db.exec("PRAGMA user_version = " + std::to_string(version)))
    return failed;
  return work->commit();
}

} // namespace

result<database> open_store(const std::string& path, int64_t version, const std::string& schema,
                            database::durability d, int page_bytes) {
  auto db = database::open(path, d, page_bytes);
  if (!db)
    return db;
  auto found = version_of(*db);
  if (found && *found == 0) {
    if (auto failed = create(*db, version, schema))
      return failed;
    found = version_of(*db);
  }
  if (!found)
    return found.error();
  if (*found != version)
    return rejected(path + " holds version " + std::to_string(*found) +
                    " of its layout, this rtdp knows version " + std::to_string(version) +
                    "; run the rtdp that wrote it, or give this one another data_dir");
  return db;
}

} // namespace rtdp::state
