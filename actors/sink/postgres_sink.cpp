#include "actors/sink/driver.hpp"
#include "actors/sink/newest.hpp"
#include "actors/sink/pg_connection.hpp"
#include "actors/sink/pg_copy.hpp"
#include "actors/sink/pg_fence.hpp"
#include "actors/sink/pg_statements.hpp"
#include "actors/sink/shard.hpp"
#include "actors/sink/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::sink {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Rows encoded before they are sent: small enough that the server parses one piece while the next
/// is made, large enough to cost no system call per row.
constexpr size_t rows_per_piece = 2048;

/// Column sets that alternate (an unchanged TOAST value is left out) keep their stages; a table has
/// few of them.
constexpr size_t stages_max = 8;

class pg_catalog final : public catalog {
public:
  explicit pg_catalog(pg_connection& c) : c_(c) {}

  result<std::vector<existing_column>> columns(const table_name& table) override {
    auto r =
        c_.run(fmt::format("SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
                           "atthasdef OR attidentity <> '' FROM pg_attribute WHERE attrelid = "
                           "to_regclass({}) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                           c_.literal(table.sql())));
    if (!r)
      return r.error();
    std::vector<existing_column> all;
    for (const auto& row : r->rows)
      all.push_back({*row[0], *row[1], row[2] == "t", row[3] == "t"});
    return all;
  }

  error run(const std::string& sql) override {
    auto r = c_.run(sql);
    return r ? error{} : r.error();
  }

  result<bool> has_unique(const table_name& table, const std::string& columns) override {
    // The planner says whether it finds the constraint; nothing is run.
    auto e =
        run(fmt::format("EXPLAIN INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {0} "
                        "ON CONFLICT ({1}) DO NOTHING",
                        table.sql(), columns));
    if (c_.sqlstate() == "42P10")
      return false;
    if (e)
      return e;
    return true;
  }

private:
  pg_connection& c_;
};

/// A layout with the temporary table that rows of it go through.
struct prepared {
  std::vector<ums::field> fields;
  layout to;
  std::string stage;
};

/// A commit whose answer was lost with the connection.
struct doubt {
  std::string transaction;
  const ums::batch* data;
  size_t first, count;
  std::string progress;

  bool is_about(const ums::slice& rows, const fence& f) const {
    return data == rows.data && first == rows.first && count == rows.count &&
           progress == f.progress;
  }
};

class postgres final : public driver {
public:
  postgres(pg_options options, target to) : options_(std::move(options)), to_(std::move(to)) {}

  error connect() override {
    prepared_.clear();
    c_.reset();
    auto c = pg_connection::open(options_);
    if (!c)
      return c.error();
    c_ = std::make_unique<pg_connection>(std::move(*c));
    if (!flow_.empty())
      renew_session(*c_, flow_, epoch_);
    return {};
  }

  result<std::string> take(const std::string& flow, int64_t epoch) override {
    if (!alive())
      return unavailable("not connected");
    flow_ = flow;
    epoch_ = epoch;
    return take_fence(*c_, flow, epoch);
  }

  error prepare(const ums::schema& schema) override {
    if (!alive())
      return unavailable("not connected");
    // A heartbeat or a truncate: nothing to make room for.
    if (std::all_of(schema.fields.begin(), schema.fields.end(),
                    [](const auto& f) { return ums::is_system(f.name); }))
      return {};
    if (find(schema))
      return {};
    auto e = make_ready(schema);
    if (e) {
      c_->roll_back();
      forget();
    }
    return e;
  }

  error write(const ums::slice& rows, const fence& f) override {
    if (!alive())
      return unavailable("not connected");
    if (auto done = settle(rows, f); !done)
      return done.error();
    else if (*done)
      return {};
    auto e = rows.data->carries_rows() ? write_rows(rows, f) : clear(rows, f);
    if (e && c_->sqlstate() == "21000" && !dedupe_) {
      // Keys that differ as bytes are one key for the server; from now on it sorts that out.
      dedupe_ = true;
      c_->roll_back();
      e = write_rows(rows, f);
    }
    if (e)
      give_up(e);
    return e;
  }

  error advance(const fence& f) override {
    if (!alive())
      return unavailable("not connected");
    auto moved = c_->run(move_fence(*c_, f));
    if (!moved)
      return moved.error();
    return moved->rows.empty() ? fenced_error(f) : error{};
  }

  bool transactional() const override { return true; }

private:
  bool alive() const { return c_ && c_->alive(); }

  const prepared* find(const ums::schema& schema) const {
    for (const auto& p : prepared_)
      if (p.fields == schema.fields)
        return &p;
    return nullptr;
  }

  /// Forgets what is known of the target, so that the next `prepare` looks again.
  void forget() {
    prepared_.clear();
    if (alive())
      (void)c_->run("DISCARD TEMP");
  }

  error make_ready(const ums::schema& schema) {
    if (prepared_.size() >= stages_max)
      forget();
    // One flow at a time changes tables, so that two of them can make the same one.
    auto begun = c_->run("BEGIN; SELECT pg_advisory_xact_lock(hashtext('rtdp ddl'))");
    if (!begun)
      return begun.error();
    pg_catalog store(*c_);
    auto to = prepare_table(store, postgres_dialect, schema, to_, was_there_);
    if (!to)
      return to.error();
    prepared p{schema.fields, std::move(*to), fmt::format("pg_temp.rtdp_stage_{}", ++stages_)};
    auto made = c_->run(fmt::format("{}; COMMIT", create_stage(p.to, p.stage)));
    if (!made)
      return made.error().in(fmt::format("table {}", p.to.table.sql()));
    // The empty stage goes through every statement once: missing rights show now, not at a row.
    picked nothing;
    nothing.has_deletes = true;
    if (auto e = apply(p, nothing, false))
      return e.in(fmt::format("table {}", p.to.table.sql()));
    was_there_ = true;
    prepared_.push_back(std::move(p));
    return {};
  }

  error write_rows(const ums::slice& rows, const fence& f) {
    if (auto e = prepare(*rows.data->schema))
      return e;
    const auto* p = find(*rows.data->schema);
    if (!p)
      return rejected("the rows carry no business columns");
    auto picked = newest_rows(rows, p->to);
    if (!picked)
      return picked.error();
    if (picked->rows.empty())
      return advance(f);
    auto begun = c_->begin_copy(
        fmt::format("BEGIN; {}; {}", move_fence(*c_, f), copy_to_stage(p->to, p->stage)));
    if (!begun)
      return begun.error();
    if (begun->rows.empty()) {
      c_->abort_copy();
      return fenced_error(f);
    }
    if (auto e = copy(*rows.data, picked->rows, p->to))
      return e;
    if (dedupe_ && p->to.mutation != mutation::insert)
      if (auto r = c_->run(dedupe_stage(p->to, p->stage)); !r)
        return r.error();
    if (auto e = apply(*p, *picked, true)) {
      if (!alive())
        doubt_ = {*begun->rows[0][0], rows.data, rows.first, rows.count, f.progress};
      return e;
    }
    return {};
  }

  error copy(const ums::batch& b, std::span<const uint32_t> rows, const layout& to) {
    for (; !rows.empty(); rows = rows.subspan(std::min(rows_per_piece, rows.size()))) {
      text_.clear();
      if (auto e = append_copy(b, rows.first(std::min(rows_per_piece, rows.size())), to, text_)) {
        c_->abort_copy();
        return e;
      }
      if (auto e = c_->send(text_))
        return e;
    }
    return c_->end_copy();
  }

  /// Stage to target; the last statement travels with the COMMIT.
  error apply(const prepared& p, const picked& rows, bool commit) {
    std::string last;
    if (p.to.mutation == mutation::insert) {
      last = apply_insert(p.to, p.stage);
    } else if (p.to.mutation == mutation::iud) {
      last = apply_iud(p.to, p.stage, rows.has_deletes);
    } else {
      auto guarded = c_->run(clean_guard(p.to, p.stage));
      if (!guarded)
        return guarded.error();
      bool all_won = guarded->affected == int64_t(rows.rows.size()) && !dedupe_ && commit;
      if (rows.has_deletes)
        last = clean_delete(p.to, p.stage, all_won) + "; ";
      last += clean_upsert(p.to, p.stage, all_won);
    }
    auto r = c_->run(commit ? last + "; COMMIT" : last);
    return r ? error{} : r.error();
  }

  /// Of a truncate or a sweep.
  error clear(const ums::slice& rows, const fence& f) {
    auto sweep = swept(rows, to_.mutation);
    bool truncate = rows.data->kind == ums::protocol::increment_truncate && rows.count > 0;
    if (!truncate && !sweep)
      return advance(f);
    if (truncate && !to_.truncate)
      return rejected(fmt::format("the source emptied its table, and truncate: false forbids to "
                                  "empty {}; empty it by hand, or allow it",
                                  to_.table));
    auto ids = rows.data->ids().subspan(rows.first, rows.count);
    auto to = truncate_layout();
    if (!to)
      return to.error();
    if (to->table.table.empty())
      return advance(f);
    auto only = only_shard(rows, to->key_names(), to->table);
    if (!only)
      return only.error();
    auto moved = c_->run("BEGIN; " + move_fence(*c_, f));
    if (!moved)
      return moved.error();
    if (moved->rows.empty())
      return fenced_error(f);
    auto sql = sweep ? apply_sweep(*to, *sweep)
                     : apply_truncate(*to, *std::max_element(ids.begin(), ids.end()), *only);
    auto r = c_->run(sql + "; COMMIT");
    return r ? error{} : r.error();
  }

  /// Enough of a layout to empty the table; without a name when there is no table yet. A truncate
  /// carries no columns, so the side table tells the keys.
  result<layout> truncate_layout() {
    layout to;
    to.mutation = to_.mutation;
    auto name = table_name::parse(to_.table);
    if (!name)
      return name.error();
    pg_catalog store(*c_);
    auto found = store.columns(to_.mutation == mutation::iud_clean ? name->side() : *name);
    if (!found)
      return found.error();
    for (size_t i = 0; i < found->size(); ++i)
      if (!ums::is_system((*found)[i].name) && (*found)[i].name != ums::active_name)
        to.keys.push_back({0, quote((*found)[i].name), (*found)[i].type});
    if (!found->empty())
      to.table = *name;
    return to;
  }

  /// True: these rows were committed already, only the answer was lost. Without this check an
  /// appended row would stand there twice.
  result<bool> settle(const ums::slice& rows, const fence& f) {
    if (!doubt_ || !doubt_->is_about(rows, f)) {
      doubt_.reset();
      return false;
    }
    auto r = c_->run(fmt::format("SELECT txid_status({})", doubt_->transaction));
    if (!r)
      return r.error();
    auto status = r->rows.at(0).at(0).value_or("");
    if (status == "in progress")
      return unavailable("the commit of the lost connection is still in progress");
    doubt_.reset();
    return status == "committed";
  }

  void give_up(const error& e) {
    auto state = c_->sqlstate();
    c_->roll_back();
    // The server refused: the table may have changed under us.
    if (e == ec::rejected && !state.empty())
      forget();
  }

  pg_options options_;
  target to_;
  std::unique_ptr<pg_connection> c_;
  std::string flow_;
  int64_t epoch_ = 0;
  std::vector<prepared> prepared_;
  /// Counts names of stages; never reused on one connection.
  size_t stages_ = 0;
  bool was_there_ = false;
  bool dedupe_ = false;
  std::optional<doubt> doubt_;
  std::string text_;
};

} // namespace

kind postgres_sink() {
  using config::field;
  config::spec spec{"postgres", "Writes to a PostgreSQL table: COPY into a stage, then one guarded "
                                "statement, with the flow's position in the same transaction."};
  spec.add(field{"url", config::secret{}, "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"}
               .required())
      .add(field{"statement_timeout", milliseconds{30'000},
                 "A statement that takes longer is cancelled and tried again."}
               .range(1'000, 3'600'000))
      .add(field{"connect_timeout", milliseconds{10'000},
                 "How long to wait for the server's answer."}
               .range(100, 600'000)
               .advanced())
      .add(field{"application_name", std::string{"rtdp"}, "Shown in pg_stat_activity."}.advanced())
      .add(field{
          "synchronous_commit", std::string{"on"},
          "When a commit counts as durable. With off a crash of the server loses up to 0.6 s of "
          "rows together with the position stored beside them."}
               .one_of({"on", "remote_apply", "remote_write", "local", "off"})
               .advanced());
  return {std::move(spec),
          [](const config::section& settings, const target& to) -> std::unique_ptr<driver> {
            pg_options options;
            options.url = settings.get<config::secret>("url").reveal();
            options.application_name = settings.text("application_name");
            options.synchronous_commit = settings.text("synchronous_commit");
            options.connect_timeout = settings.duration("connect_timeout");
            options.statement_timeout = settings.duration("statement_timeout");
            return std::make_unique<postgres>(std::move(options), to);
          }};
}

} // namespace rtdp::sink
