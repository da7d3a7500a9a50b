#include "runtime/state/checkpoint.hpp"

#include "runtime/state/store.hpp"

namespace rtdp::state {
namespace {

constexpr int64_t checkpoint_layout_version = 1;
constexpr const char* checkpoint_layout = "CREATE TABLE checkpoint("
                               "  component TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,"
                               "  PRIMARY KEY (component, name)) WITHOUT ROWID";

} // namespace

result<checkpoint_store> checkpoint_store::open(const std::string& data_dir) {
  auto db = open_store(data_dir + "/state.db", checkpoint_layout_version, checkpoint_layout);
  if (!db)
    return db.error();
  checkpoint_store store;
  store.db_ = std::move(*db);
  return store;
}

error checkpoint_store::save(const std::string& component,
                             const std::map<std::string, std::string>& values) {
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  auto put = db_.prepare("INSERT INTO checkpoint VALUES (?1, ?2, ?3) "
                         "ON CONFLICT DO UPDATE SET value = excluded.value");
  if (!put)
    return put.error();
  for (const auto& [name, value] : values) {
    put->bind(1, component).bind(2, name).bind_blob(3, value);
    if (auto failed = put->run())
      return failed;
  }
  return work->commit();
}

result<std::map<std::string, std::string>> checkpoint_store::load(const std::string& component) {
  auto query = db_.prepare("SELECT name, value FROM checkpoint WHERE component = ?1");
  if (!query)
    return query.error();
  query->bind(1, component);
  std::map<std::string, std::string> values;
  for (;;) {
    auto row = query->step();
    if (!row)
      return row.error();
    if (!*row)
      return values;
    values.emplace(query->text(0), query->text(1));
  }
}

error checkpoint_store::forget(const std::string& component) {
  auto remove = db_.prepare("DELETE FROM checkpoint WHERE component = ?1");
  if (!remove)
    return remove.error();
  remove->bind(1, component);
  return remove->run();
}

} // namespace rtdp::state
