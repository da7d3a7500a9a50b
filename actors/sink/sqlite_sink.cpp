#include "actors/sink/driver.hpp"
#include "actors/sink/newest.hpp"
#include "actors/sink/sqlite_statements.hpp"
#include "actors/sink/shard.hpp"
#include "actors/sink/sweep.hpp"
#include "runtime/core/time.hpp"
#include "runtime/state/sqlite.hpp"
#include "runtime/ums/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rtdp::sink {

namespace {

using state::database;
using state::statement;

class sqlite_catalog final : public catalog {
public:
  explicit sqlite_catalog(database& db) : db_(db) {}

  result<std::vector<existing_column>> columns(const table_name& table) override {
    auto found = db_.prepare("SELECT name, type, \"notnull\", dflt_value IS NOT NULL OR hidden > 0 "
                             "FROM pragma_table_xinfo(?1, ?2)");
    if (!found)
      return found.error();
    auto schema = table.schema.empty() ? std::string("main") : table.schema;
    found->bind(1, std::string_view(table.table)).bind(2, std::string_view(schema));
    std::vector<existing_column> all;
    for (;;) {
      auto row = found->step();
      if (!row)
        return row.error();
      if (!*row)
        return all;
      all.push_back({std::string(found->text(0)), std::string(found->text(1)),
                     found->integer(2) != 0, found->integer(3) != 0});
    }
  }

  error run(const std::string& sql) override { return db_.exec(sql); }

  result<bool> has_unique(const table_name& table, const std::string& columns) override {
    // Preparing is enough for SQLite to look for the constraint.
    auto s =
        db_.prepare(fmt::format("INSERT INTO {0} ({1}) SELECT {1} FROM {0} WHERE 0 ON CONFLICT "
                                "({1}) DO NOTHING",
                                table.sql(), columns));
    if (!s && s.error() == ec::unavailable)
      return s.error();
    return bool(s);
  }

private:
  database& db_;
};

/// A layout with its statements.
struct prepared {
  std::vector<ums::field> fields;
  layout to;
  /// A new row or a newer one: insert_row, upsert_row or upsert_clean.
  statement put;
  /// mark_deleted or delete_row.
  statement remove;
  statement guard;
  statement update;
};

/// Stores what a SQLite source would have stored: numbers as numbers, bytes as bytes.
/// `text` must live until the statement has run.
void bind_cell(statement& s, int index, const ums::column& c, size_t row, std::string& text) {
  if (c.is_null(row)) {
    s.bind_null(index);
    return;
  }
  switch (c.type()) {
  case ums::type::int_:
  case ums::type::long_:
  case ums::type::boolean:
    s.bind(index, c.ints()[row]);
    return;
  case ums::type::float_:
  case ums::type::double_:
    // SQLite makes NULL of a NaN; as text it survives.
    if (!std::isnan(c.reals()[row])) {
      s.bind(index, c.reals()[row]);
      return;
    }
    break;
  case ums::type::binary:
    s.bind_blob(index, c.text(row));
    return;
  case ums::type::date:
  case ums::type::datetime:
    break;
  default:
    s.bind(index, c.text(row));
    return;
  }
  text.clear();
  ums::append_cell(c, row, text);
  s.bind(index, std::string_view(text));
}

class sqlite final : public driver {
public:
  sqlite(std::string path, target to) : path_(std::move(path)), to_(std::move(to)) {}

  error connect() override {
    prepared_.clear();
    auto db = database::open(path_);
    if (!db)
      return db.error();
    db_ = std::move(*db);
    return {};
  }

  result<std::string> take(const std::string& flow, int64_t epoch) override {
    if (auto e = check_open())
      return e;
    if (auto e =
            db_.exec("CREATE TABLE IF NOT EXISTS rtdp_fence (flow TEXT PRIMARY KEY, epoch INTEGER "
                     "NOT NULL, progress TEXT NOT NULL DEFAULT '', updated_at INTEGER NOT NULL)"))
      return e;
    auto claim =
        db_.prepare("INSERT INTO rtdp_fence AS f (flow, epoch, updated_at) VALUES (?1, ?2, ?3) "
                    "ON CONFLICT (flow) DO UPDATE SET epoch = excluded.epoch, updated_at = "
                    "excluded.updated_at WHERE f.epoch <= excluded.epoch RETURNING progress");
    if (!claim)
      return claim.error();
    claim->bind(1, std::string_view(flow)).bind(2, epoch).bind(3, now_us());
    auto row = claim->step();
    if (!row)
      return row.error();
    if (!*row)
      return fenced(fmt::format(
          "flow {0} has an owner newer than epoch {1}: another node runs it, or this node's "
          "data_dir "
          "was lost. If no other node runs it: DELETE FROM rtdp_fence WHERE flow = '{0}' in the "
          "target, then start the flow",
          flow, epoch));
    std::string progress(claim->text(0));
    // Only the end of the statement commits it.
    if (auto e = claim->run())
      return e;
    return progress;
  }

  error prepare(const ums::schema& schema) override {
    if (auto e = check_open())
      return e;
    // A heartbeat or a truncate: nothing to make room for.
    if (std::all_of(schema.fields.begin(), schema.fields.end(),
                    [](const auto& f) { return ums::is_system(f.name); }))
      return {};
    return find(schema) ? error{} : make_ready(schema);
  }

  error write(const ums::slice& rows, const fence& f) override {
    if (auto e = check_open())
      return e;
    bool carries = rows.data->carries_rows();
    if (carries)
      if (auto e = prepare(*rows.data->schema))
        return e;
    auto t = state::transaction::begin(db_);
    if (!t)
      return t.error();
    auto e = move_fence(f);
    if (!e)
      e = carries ? write_rows(rows) : clear(rows);
    if (!e)
      e = t->commit();
    if (e == ec::rejected)
      // The table may have changed under us: the next `prepare` looks again.
      prepared_.clear();
    return e;
  }

  error advance(const fence& f) override {
    if (auto e = check_open())
      return e;
    return move_fence(f);
  }

  bool transactional() const override { return true; }

private:
  error check_open() const { return db_.handle() ? error{} : unavailable("not connected"); }

  prepared* find(const ums::schema& schema) {
    for (auto& p : prepared_)
      if (p.fields == schema.fields)
        return &p;
    return nullptr;
  }

  error make_ready(const ums::schema& schema) {
    auto t = state::transaction::begin(db_);
    if (!t)
      return t.error();
    sqlite_catalog store(db_);
    auto to = prepare_table(store, sqlite_dialect, schema, to_, was_there_);
    if (!to)
      return to.error();
    if (auto e = t->commit())
      return e;
    prepared p;
    p.fields = schema.fields;
    p.to = std::move(*to);
    if (auto e = prepare_statements(p))
      return e.in(fmt::format("table {}", p.to.table.sql()));
    was_there_ = true;
    prepared_.push_back(std::move(p));
    return {};
  }

  error prepare_statements(prepared& p) {
    auto make = [this](statement& s, const std::string& sql) -> error {
      auto made = db_.prepare(sql);
      if (!made)
        return made.error();
      s = std::move(*made);
      return {};
    };
    switch (p.to.mutation) {
    case mutation::insert:
      return make(p.put, insert_row(p.to));
    case mutation::iud:
      if (auto e = make(p.put, upsert_row(p.to)))
        return e;
      return make(p.remove, mark_deleted(p.to));
    case mutation::iud_clean:
      break;
    }
    for (auto [s, sql] : {std::pair{&p.put, upsert_clean(p.to)},
                          {&p.remove, delete_row(p.to)},
                          {&p.guard, guard_row(p.to)}})
      if (auto e = make(*s, sql))
        return e;
    return p.to.update_first && !p.to.values.empty() ? make(p.update, update_clean(p.to)) : error{};
  }

  error move_fence(const fence& f) {
    auto s =
        db_.prepare("UPDATE rtdp_fence SET progress = CASE ?1 WHEN '' THEN progress ELSE ?1 END, "
                    "updated_at = ?2 WHERE flow = ?3 AND epoch = ?4");
    if (!s)
      return s.error();
    s->bind(1, std::string_view(f.progress)).bind(2, now_us());
    s->bind(3, std::string_view(f.flow)).bind(4, f.epoch);
    if (auto e = s->run())
      return e;
    if (db_.changes() == 0)
      return fenced(fmt::format("flow {}: epoch {} does not own the target any more; nothing was "
                                "written",
                                f.flow, f.epoch));
    return {};
  }

  error write_rows(const ums::slice& rows) {
    auto* p = find(*rows.data->schema);
    if (!p)
      return rejected("the rows carry no business columns");
    auto picked = newest_rows(rows, p->to);
    if (!picked)
      return picked.error();
    for (auto row : picked->rows)
      if (auto e = write_row(*p, *rows.data, row))
        return e == ec::rejected ? e.in("row with " + describe_row(*rows.data, row, p->to)) : e;
    return {};
  }

  error write_row(prepared& p, const ums::batch& b, size_t row) {
    const auto& to = p.to;
    auto op = b.columns[to.op].text(row);
    bool is_delete = op == "d" && to.mutation != mutation::insert;
    texts_.resize(to.keys.size() + to.values.size() + 1);
    if (to.mutation == mutation::iud_clean)
      return write_clean(p, b, row, is_delete);
    auto& s = is_delete ? p.remove : p.put;
    s.bind(1, b.columns[to.id].ints()[row]);
    bind_cell(s, 2, b.columns[to.ts], row, texts_.back());
    if (to.mutation == mutation::insert)
      s.bind(3, op.empty() ? std::string_view("i") : op);
    else
      s.bind(3, int64_t(!is_delete));
    bind_columns(s, 4, to, !is_delete, b, row);
    return s.run();
  }

  void bind_columns(statement& s, int index, const layout& to, bool values, const ums::batch& b,
                    size_t row) {
    size_t text = 0;
    for (const auto& c : to.keys)
      bind_cell(s, index++, b.columns[c.field], row, texts_[text++]);
    for (const auto& c : to.values)
      if (values)
        bind_cell(s, index++, b.columns[c.field], row, texts_[text++]);
  }

  error write_clean(prepared& p, const ums::batch& b, size_t row, bool is_delete) {
    const auto& to = p.to;
    p.guard.bind(1, b.columns[to.id].ints()[row]).bind(2, int64_t(!is_delete));
    bind_columns(p.guard, 3, to, false, b, row);
    if (auto e = p.guard.run())
      return e;
    if (db_.changes() == 0)
      return {};
    if (!is_delete && p.update.handle()) {
      bind_columns(p.update, 1, to, true, b, row);
      if (auto e = p.update.run())
        return e;
      if (db_.changes() > 0)
        return {};
    }
    auto& s = is_delete ? p.remove : p.put;
    bind_columns(s, 1, to, !is_delete, b, row);
    return s.run();
  }

  /// Of a truncate or a sweep.
  error clear(const ums::slice& rows) {
    auto sweep = swept(rows, to_.mutation);
    bool truncate = rows.data->kind == ums::protocol::increment_truncate && rows.count > 0;
    if (!truncate && !sweep)
      return {};
    if (truncate && !to_.truncate)
      return rejected(fmt::format("the source emptied its table, and truncate: false forbids to "
                                  "empty {}; empty it by hand, or allow it",
                                  to_.table));
    auto name = table_name::parse(to_.table);
    if (!name)
      return name.error();
    layout to;
    to.table = *name;
    to.mutation = to_.mutation;
    // A truncate carries no columns, so the side table tells the keys.
    auto found =
        sqlite_catalog(db_).columns(to_.mutation == mutation::iud_clean ? name->side() : *name);
    if (!found)
      return found.error();
    for (const auto& c : *found)
      if (!ums::is_system(c.name) && c.name != ums::active_name)
        to.keys.push_back({0, quote(c.name), c.type});
    if (found->empty())
      return {};
    if (sweep)
      return db_.exec(sweep_table(to, *sweep));
    auto ids = rows.data->ids().subspan(rows.first, rows.count);
    auto only = only_shard(rows, to.key_names(), *name);
    if (!only)
      return only.error();
    return db_.exec(truncate_table(to, *std::max_element(ids.begin(), ids.end()), *only));
  }

  std::string path_;
  target to_;
  database db_;
  std::vector<prepared> prepared_;
  bool was_there_ = false;
  /// Text of date cells while a statement runs.
  std::vector<std::string> texts_;
};

} // namespace

kind sqlite_sink() {
  using config::field;
  return {config::spec{"sqlite",
                       "Writes to a table of a SQLite file, with the flow's position in the "
                       "same transaction."}
              .add(field{"path", std::string{}, "The database file; made when it is missing."}
                       .required()),
          [](const config::section& settings, const target& to) -> std::unique_ptr<driver> {
            return std::make_unique<sqlite>(settings.text("path"), to);
          }};
}

} // namespace rtdp::sink
