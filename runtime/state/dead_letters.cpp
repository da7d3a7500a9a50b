#include "runtime/state/dead_letters.hpp"

#include "runtime/state/store.hpp"

namespace rtdp::state {
namespace {

constexpr int64_t letters_layout_version = 1;
// The digest keeps the search for a repeated letter short when thousands share one position, as the
// rows of a source do that never reached the bus (no topic, offset -1).
constexpr const char* letters_layout =
    "CREATE TABLE dead_letter("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, component TEXT NOT NULL, ns TEXT NOT NULL,"
    "  topic TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,"
    "  reason TEXT NOT NULL, bytes BLOB NOT NULL, at_us INTEGER NOT NULL, digest INTEGER NOT NULL);"
    "CREATE INDEX dead_letter_place"
    "  ON dead_letter(component, topic, partition, position, digest)";

constexpr const char* letter_cols =
    "SELECT id, component, ns, topic, partition, position, reason, bytes, at_us FROM dead_letter ";

/// FNV-1a; std::hash may differ from one build to the next.
int64_t digest_of(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3ULL;
  return int64_t(hash);
}

dead_letter read_letter(const statement& row) {
  dead_letter letter;
  letter.id = row.integer(0);
  letter.component = row.text(1);
  letter.ns = row.text(2);
  letter.topic = row.text(3);
  letter.partition = int32_t(row.integer(4));
  letter.offset = row.integer(5);
  letter.reason = row.text(6);
  letter.bytes = row.text(7);
  letter.at_us = row.integer(8);
  return letter;
}

} // namespace

result<dead_letter_store> dead_letter_store::open(const std::string& data_dir) {
  auto db = open_store(data_dir + "/dead_letters.db", letters_layout_version, letters_layout);
  if (!db)
    return db.error();
  dead_letter_store store;
  store.db_ = std::move(*db);
  return store;
}

error dead_letter_store::add(const std::vector<dead_letter>& letters) {
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  auto put = db_.prepare(
      "INSERT INTO dead_letter"
      "  (component, ns, topic, partition, position, reason, bytes, at_us, digest) "
      "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS ("
      "  SELECT 1 FROM dead_letter WHERE component = ?1 AND topic = ?3 AND partition = ?4"
      "  AND position = ?5 AND digest = ?9 AND bytes = ?7)");
  if (!put)
    return put.error();
  for (const auto& letter : letters) {
    put->bind(1, letter.component).bind(2, letter.ns).bind(3, letter.topic);
    put->bind(4, int64_t{letter.partition}).bind(5, letter.offset).bind(6, letter.reason);
    put->bind_blob(7, letter.bytes).bind(8, letter.at_us).bind(9, digest_of(letter.bytes));
    if (auto failed = put->run())
      return failed;
  }
  return work->commit();
}

result<std::vector<dead_letter>> dead_letter_store::list(const std::string& component,
                                                         int64_t limit) {
  auto query =
      db_.prepare(std::string(letter_cols) + "WHERE ?1 = '' OR component = ?1 ORDER BY id LIMIT ?2");
  if (!query)
    return query.error();
  query->bind(1, component).bind(2, limit);
  std::vector<dead_letter> letters;
  for (;;) {
    auto row = query->step();
    if (!row)
      return row.error();
    if (!*row)
      return letters;
    letters.push_back(read_letter(*query));
  }
}

result<std::optional<dead_letter>> dead_letter_store::find(int64_t id) {
  auto query = db_.prepare(std::string(letter_cols) + "WHERE id = ?1");
  if (!query)
    return query.error();
  query->bind(1, id);
  auto row = query->step();
  if (!row)
    return row.error();
  return *row ? std::optional(read_letter(*query)) : std::nullopt;
}

error dead_letter_store::drop(int64_t id) {
  auto remove = db_.prepare("DELETE FROM dead_letter WHERE id = ?1");
  if (!remove)
    return remove.error();
  remove->bind(1, id);
  if (auto failed = remove->run())
    return failed;
  if (db_.changes() == 0)
    return rejected("there is no dead letter " + std::to_string(id) +
                    "; `rtdp dead-letters list` shows those that are kept");
  return {};
}

result<int64_t> dead_letter_store::count() {
  auto query = db_.prepare("SELECT count(*) FROM dead_letter");
  if (!query)
    return query.error();
  if (auto row = query->step(); !row)
    return row.error();
  return query->integer(0);
}

} // namespace rtdp::state
