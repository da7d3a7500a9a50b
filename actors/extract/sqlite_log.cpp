#include "actors/extract/sqlite_log.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <set>

namespace rtdp::extract::sqlite {
namespace {

constexpr int trim_steps_max = 10;
constexpr int64_t trim_rows = 10'000;

} // namespace

result<int64_t> change_log::number(const std::string& sql) {
  auto row = db_->prepare(sql);
  if (!row)
    return row.error();
  auto found = row->step();
  if (!found)
    return found.error();
  return *found ? row->integer(0) : 0;
}

result<int64_t> change_log::last_seq() {
  auto row = db_->prepare("SELECT seq FROM sqlite_sequence WHERE name = ?1");
  if (!row)
    return row.error();
  row->bind(1, std::string_view(name_));
  auto found = row->step();
  if (!found)
    return found.error();
  return *found ? row->integer(0) : 0;
}

result<int64_t> change_log::trimmed() {
  return number("SELECT value FROM " + sql_name(name_ + "_state") + " WHERE name = 'trimmed'");
}

error change_log::set_state(std::string_view name, int64_t value) {
  auto row =
      db_->prepare("UPDATE " + sql_name(name_ + "_state") + " SET value = ?2 WHERE name = ?1");
  if (!row)
    return row.error();
  row->bind(1, name).bind(2, value);
  return row->run();
}

error change_log::make_tables() {
  return db_->exec(
      "CREATE TABLE IF NOT EXISTS " + sql_name(name_) +
      "(seq INTEGER PRIMARY KEY AUTOINCREMENT, layout INTEGER NOT NULL, op TEXT NOT NULL, "
      "at INTEGER NOT NULL, c0); CREATE TABLE IF NOT EXISTS " +
      sql_name(name_ + "_layouts") +
      "(id INTEGER PRIMARY KEY, tbl TEXT NOT NULL, version INTEGER NOT NULL, columns TEXT NOT "
      "NULL, "
      "before_images INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0); "
      "CREATE TABLE IF NOT EXISTS " +
      sql_name(name_ + "_state") +
      "(name TEXT PRIMARY KEY, value NOT NULL); "
      "INSERT OR IGNORE INTO " +
      sql_name(name_ + "_state") +
      " VALUES('log', lower(hex(randomblob(8)))), ('trimmed', 0), ('reserved', 0)");
}

error change_log::read_state() {
  auto row = db_->prepare("SELECT (SELECT value FROM " + sql_name(name_ + "_state") +
                          " WHERE name = 'log'), (SELECT value FROM " + sql_name(name_ + "_state") +
                          " WHERE name = 'reserved'), (SELECT count(*) FROM pragma_table_info(?1) "
                          "WHERE name GLOB 'c[0-9]*')");
  if (!row)
    return row.error();
  row->bind(1, std::string_view(name_));
  auto found = row->step();
  if (!found)
    return found.error();
  id_ = utf8(*row, 0);
  reserved_ = row->integer(1);
  width_ = size_t(row->integer(2));
  return {};
}

error change_log::read_layouts() {
  layouts_.clear();
  auto row = db_->prepare("SELECT id, tbl, version, columns, before_images, ended FROM " +
                          sql_name(name_ + "_layouts"));
  if (!row)
    return row.error();
  for (;;) {
    auto more = row->step();
    if (!more)
      return more.error();
    if (!*more)
      return {};
    auto columns = parse_columns(std::string(utf8(*row, 3)));
    if (!columns)
      return columns.error();
    layout l{.id = row->integer(0),
             .table = std::string(utf8(*row, 1)),
             .version = row->integer(2),
             .before_images = row->integer(4) != 0,
             .ended = row->integer(5) != 0,
             .columns = std::move(*columns)};
    layouts_[l.id] = std::move(l);
  }
}

const layout* change_log::newest(const std::string& table) const {
  for (auto at = layouts_.rbegin(); at != layouts_.rend(); ++at)
    if (at->second.table == table)
      return at->second.ended ? nullptr : &at->second;
  return nullptr;
}

const layout* change_log::before(const layout& l) const {
  for (auto at = std::make_reverse_iterator(layouts_.lower_bound(l.id)); at != layouts_.rend();
       ++at)
    if (at->second.table == l.table)
      return &at->second;
  return nullptr;
}

error change_log::widen(size_t columns) {
  for (; width_ < columns; ++width_)
    if (auto failed =
            db_->exec("ALTER TABLE " + sql_name(name_) + " ADD COLUMN c" + std::to_string(width_)))
      return failed;
  return {};
}

error change_log::mark(int64_t layout_id, char op, bool missed) {
  auto row = db_->prepare("INSERT INTO " + sql_name(name_) +
                          "(layout, op, at, c0) VALUES(?1, ?2, ?3, ?4)");
  if (!row)
    return row.error();
  row->bind(1, layout_id).bind(2, std::string_view(&op, 1)).bind(3, now_us());
  row->bind(4, int64_t{missed});
  return row->run();
}

result<bool> change_log::has_triggers(const std::string& table) {
  auto row = db_->prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND "
                          "tbl_name = ?1 AND name IN (?2, ?3, ?4)");
  if (!row)
    return row.error();
  auto i = trigger_name(name_, table, 'i'), u = trigger_name(name_, table, 'u'),
       d = trigger_name(name_, table, 'd');
  row->bind(1, std::string_view(table)).bind(2, std::string_view(i));
  row->bind(3, std::string_view(u)).bind(4, std::string_view(d));
  auto found = row->step();
  if (!found)
    return found.error();
  return row->integer(0) == 3;
}

error change_log::make_triggers(const layout& l, const table_shape& shape) {
  std::string sql;
  for (char what : {'i', 'u', 'd'})
    sql += "DROP TRIGGER IF EXISTS " + sql_name(trigger_name(name_, l.table, what)) + "; ";
  return db_->exec(sql + trigger_sql(name_, l, shape));
}

error change_log::begin_layout(const table_shape& shape, const wanted_table& wanted, bool missed) {
  int64_t version = 0;
  for (const auto& [id, l] : layouts_)
    if (l.table == wanted.name)
      version = l.version + (l.columns == shape.columns ? 0 : 1);
  layout l{.id = layouts_.empty() ? 1 : layouts_.rbegin()->first + 1,
           .table = wanted.name,
           .version = version,
           .before_images = wanted.before_images,
           .columns = shape.columns};
  if (auto failed = widen(l.columns.size()))
    return failed;
  auto row = db_->prepare("INSERT INTO " + sql_name(name_ + "_layouts") +
                          "(id, tbl, version, columns, before_images) VALUES(?1, ?2, ?3, ?4, ?5)");
  if (!row)
    return row.error();
  auto columns = columns_text(l.columns);
  row->bind(1, l.id).bind(2, std::string_view(l.table)).bind(3, l.version);
  row->bind(4, std::string_view(columns)).bind(5, int64_t{l.before_images});
  if (auto failed = row->run())
    return failed;
  if (auto failed = make_triggers(l, shape))
    return failed;
  if (auto failed = mark(l.id, 's', missed))
    return failed;
  layouts_[l.id] = std::move(l);
  return {};
}

error change_log::end_layout(const layout& l) {
  std::string sql;
  for (char what : {'i', 'u', 'd'})
    sql += "DROP TRIGGER IF EXISTS " + sql_name(trigger_name(name_, l.table, what)) + "; ";
  if (auto failed = db_->exec(sql + "UPDATE " + sql_name(name_ + "_layouts") +
                              " SET ended = 1 WHERE id = " + std::to_string(l.id)))
    return failed;
  return mark(l.id, 'e', false);
}

error change_log::capture_one(const wanted_table& wanted) {
  if (wanted.name == name_ || wanted.name == name_ + "_layouts" || wanted.name == name_ + "_state")
    return rejected("table " + sql_name(wanted.name) +
                    " belongs to the change log itself; set `log` "
                    "to another name if it is yours");
  auto shape = describe(*db_, wanted.name);
  if (!shape)
    return shape.error();
  auto there = has_triggers(wanted.name);
  if (!there)
    return there.error();
  const layout* last = newest(wanted.name);
  if (last == nullptr) {
    bool known = std::any_of(layouts_.begin(), layouts_.end(),
                             [&](const auto& l) { return l.second.table == wanted.name; });
    return begin_layout(*shape, wanted, known);
  }
  if (!*there || last->columns != shape->columns)
    return begin_layout(*shape, wanted, !*there);
  if (last->before_images == wanted.before_images)
    return {};
  // Only the triggers change: each entry says by its op what it is.
  layouts_[last->id].before_images = wanted.before_images;
  if (auto failed = db_->exec("UPDATE " + sql_name(name_ + "_layouts") +
                              " SET before_images = " + (wanted.before_images ? "1" : "0") +
                              " WHERE id = " + std::to_string(last->id)))
    return failed;
  return make_triggers(*last, *shape);
}

error change_log::capture(const std::vector<wanted_table>& tables) {
  auto work = state::transaction::begin(*db_);
  if (!work)
    return work.error();
  for (auto part : {&change_log::make_tables, &change_log::read_state, &change_log::read_layouts})
    if (auto failed = (this->*part)())
      return failed;
  std::set<std::string> names;
  for (const auto& wanted : tables) {
    names.insert(wanted.name);
    if (auto failed = capture_one(wanted))
      return failed;
  }
  for (auto& [id, l] : layouts_)
    if (newest(l.table) == &l && !names.contains(l.table)) {
      if (auto failed = end_layout(l))
        return failed;
      l.ended = true;
    }
  auto version = number("PRAGMA schema_version");
  if (!version)
    return version.error();
  if (auto failed = work->commit())
    return failed;
  schema_version_ = *version;
  return {};
}

error change_log::reserve_ids(int64_t up_to) {
  auto work = state::transaction::begin(*db_);
  if (!work)
    return work.error();
  if (auto failed = set_state("reserved", up_to))
    return failed;
  if (auto failed = work->commit())
    return failed;
  reserved_ = up_to;
  return {};
}

error change_log::trim(int64_t seq, std::chrono::milliseconds keep) {
  auto limit = keep.count() == 0 ? INT64_MAX : now_us() - std::chrono::microseconds(keep).count();
  for (int step = 0; step < trim_steps_max; ++step) {
    auto work = state::transaction::begin(*db_);
    if (!work)
      return work.error();
    // The end of this step: the last of so many entries, as long as all of them are old enough.
    auto end = number("SELECT coalesce(max(seq), 0) FROM (SELECT seq, at FROM " + sql_name(name_) +
                      " WHERE seq <= " + std::to_string(seq) + " ORDER BY seq LIMIT " +
                      std::to_string(trim_rows) + ") WHERE at <= " + std::to_string(limit));
    if (!end)
      return end.error();
    if (*end == 0)
      return {};
    if (auto failed =
            db_->exec("DELETE FROM " + sql_name(name_) + " WHERE seq <= " + std::to_string(*end)))
      return failed;
    if (auto failed = set_state("trimmed", *end))
      return failed;
    if (auto failed = work->commit())
      return failed;
  }
  return {};
}

} // namespace rtdp::extract::sqlite
