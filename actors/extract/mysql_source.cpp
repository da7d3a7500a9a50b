/// Source `mysql`: snapshots piece by piece, merged with the changes of the binary log.
///
/// Each piece of a snapshot is the state of its table at exactly one place of the log, and goes out
/// when the log stands there (mysql_snapshot.hpp). A table's changes go out from the place of its
/// first piece on. The position is the end of the last whole transaction in the log and what was
/// handed over behind it, with the columns of every table there: statements in the log change them
/// in log order, and no event is ever read with columns of another moment.

#include "actors/extract/driver.hpp"
#include "actors/extract/mysql_changes.hpp"
#include "actors/extract/mysql_describe.hpp"
#include "actors/extract/mysql_log.hpp"
#include "actors/extract/mysql_settings.hpp"
#include "actors/extract/mysql_snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <random>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Ids left out when rows may have been published whose position was not stored: more than the
/// 50,000 rows of a full collector and everything that waits for a flush behind it.
constexpr int64_t ids_left_out = 10'000'000;
/// How often the server is asked where its log ends: until we are there, then, and under load.
constexpr auto catching_up_probe_every = 50ms;
constexpr auto idle_probe_every = 1s;
constexpr auto busy_probe_every = 10s;
/// The server's own heartbeat is at most this; three of them fit into any time-out.
constexpr auto heartbeat_max = 1s;
/// Servers and people take small numbers for their replicas.
constexpr uint32_t drawn_id_min = 1U << 30;

class mysql_driver final : public driver {
public:
  mysql_driver(std::string name, my::settings s)
      : name_(std::move(name)), set_(std::move(s)), rate_(set_.snapshots.rows_per_second) {}

  error open(const std::string& position) override;
  error read(collector& out, std::chrono::milliseconds wait) override;
  error confirm(const std::string& position) override;
  error snapshot(const snapshot_request& asked) override;
  source_progress progress() const override { return progress_; }

private:
  /// What comes next; each ends in the one below it.
  enum class phase { closed, announce, await_confirm, run };

  using captured_tables = std::vector<my::captured_table>;
  error restore(const my::position& stored, const captured_tables& tables);
  void add_tables(my::position stored, const captured_tables& tables, bool lost);
  error start_log();
  error step(collector& out, bool& moved);
  error take_event(collector& out, bool& moved);
  error hand_over_piece(collector& out);
  error next_piece();
  void end_piece(collector& out, my::table_state& t);
  bool piece_is_due() const;
  error nothing_new(collector& out);
  error probe();
  void settle(collector& out, bool durable = false);
  void tell_progress();

  std::string name_;
  my::settings set_;
  phase phase_ = phase::closed;
  my::position at_;
  std::string tables_text_;
  std::optional<my::connection> catalog_;
  std::optional<my::changes> changes_;
  std::unique_ptr<my::log_stream> log_;
  bool skip_ids_ = false;
  /// The log turned out to be another one than that of the stored position.
  bool other_log_ = false;
  std::string announced_;

  throttle rate_;
  std::unique_ptr<my::snapshot_piece> piece_;
  /// Set while rows of `piece_` are handed over.
  bool piece_begun_ = false;
  collector::handle piece_handle_ = 0;
  std::vector<my::planned_column> piece_columns_;
  /// A request changed the plan: the next read stores it.
  bool plan_changed_ = false;

  /// The last position that was given to the collector, and when.
  std::string committed_;
  clock::time_point committed_at_{};

  source_progress progress_;
  std::vector<int64_t> estimated_;
  clock::time_point probed_at_{};
  /// Where the log ended at the last probe, and the server's time then.
  std::optional<my::log_end> probe_;
};

// -- open ----

error mysql_driver::open(const std::string& position) {
  phase_ = phase::closed;
  log_.reset();
  piece_.reset();
  piece_begun_ = false;
  changes_.reset();
  probe_.reset();
  probed_at_ = {};
  if (set_.wrong)
    return set_.wrong;
  auto c = my::connection::open(set_.connect);
  if (!c)
    return c.error();
  catalog_.emplace(std::move(*c));
  if (auto failed = my::check_server(*catalog_))
    return failed;
  my::position stored;
  if (!position.empty()) {
    auto parsed = my::parse_position(position);
    if (!parsed)
      return parsed.error();
    stored = std::move(*parsed);
  }
  auto tables = my::find_tables(*catalog_, set_.tables, stored);
  if (!tables)
    return tables.error();
  if (auto failed = restore(stored, *tables))
    return failed;
  auto collations = my::read_collations(*catalog_);
  if (!collations)
    return collations.error();
  auto checksum = my::has_checksums(*catalog_);
  if (!checksum)
    return checksum.error();
  changes_.emplace(my::change_rules{.source = name_,
                                    .mariadb = catalog_->is_mariadb(),
                                    .version = catalog_->version(),
                                    .zeros = set_.zeros,
                                    .checksum = *checksum,
                                    .resnapshot = set_.resnapshot,
                                    .collations = std::move(*collations)},
                   at_, *tables);
  tables_text_ = at_.tables_text();
  tell_progress();
  phase_ = phase::announce;
  return start_log();
}

/// `stored` is empty at the very first start.
error mysql_driver::restore(const my::position& stored, const captured_tables& tables) {
  bool first = stored.at.file.empty();
  auto lost = first ? error{} : my::check_place(*catalog_, stored);
  if (other_log_ && !lost)
    lost = rejected("the log file was replaced by another of its name");
  if (lost && (lost != ec::rejected || !set_.resnapshot))
    return lost;
  other_log_ = false;
  at_ = stored;
  at_.tables.clear();
  at_.plan = {};
  skip_ids_ = !first && (lost || stored.tables.size() != tables.size());
  if (first || lost) {
    auto end = my::read_log_end(*catalog_);
    if (!end)
      return end.error();
    auto gtid = my::read_gtids(*catalog_, end->at);
    auto uuid = my::read_server_uuid(*catalog_);
    if (!gtid || !uuid)
      return !gtid ? gtid.error() : uuid.error();
    at_ = {.at = end->at, .gtid = std::move(*gtid), .server_uuid = std::move(*uuid)};
  }
  add_tables(stored, tables, bool(lost));
  return {};
}

/// `lost`: everything is read anew.
void mysql_driver::add_tables(my::position stored, const captured_tables& tables, bool lost) {
  estimated_.clear();
  bool first = stored.at.file.empty();
  for (const auto& t : tables) {
    auto name = my::quoted(t.name);
    auto* old = stored.find(t.name);
    auto& now = at_.tables.emplace_back(old != nullptr ? *old : my::table_state{.name = t.name});
    estimated_.push_back(t.rows_estimated);
    now.begun = now.begun && !lost;
    auto kept = stored.plan.remove(name);
    skip_ids_ = skip_ids_ || (!first && (old == nullptr || kept.has_value()));
    if (kept && !lost)
      at_.plan.add(std::move(*kept));
    else if (lost || (old == nullptr && set_.initial))
      at_.plan.add({.table = name, .sweep = lost, .estimated = t.rows_estimated});
  }
}

error mysql_driver::start_log() {
  auto c = my::connection::open(set_.connect);
  if (!c)
    return c.error();
  auto id = set_.server_id;
  if (id == 0)
    id = drawn_id_min + std::random_device{}() % drawn_id_min;
  auto heartbeat = std::min<std::chrono::milliseconds>(heartbeat_max, set_.connect.timeout / 3);
  auto log = my::log_stream::start(std::move(*c), at_.at, id, heartbeat);
  if (!log)
    return log.error();
  log_ = std::move(*log);
  return {};
}

// -- read ----

error mysql_driver::read(collector& out, std::chrono::milliseconds wait) {
  auto until = clock::now() + wait;
  switch (phase_) {
  case phase::closed:
    return unavailable("source " + name_ + " is not open");
  case phase::announce:
    if (std::exchange(skip_ids_, false))
      out.skip_ids(ids_left_out);
    settle(out);
    announced_ = committed_;
    // Rows of a snapshot go out only when it is stored that they may have gone out: a run that
    // finds this in its position never gives their ids again.
    phase_ = at_.plan.empty() ? phase::run : phase::await_confirm;
    return {};
  case phase::await_confirm:
    return {};
  case phase::run:
    break;
  }
  bool any = false;
  for (;;) {
    bool moved = false;
    if (auto failed = step(out, moved))
      return failed;
    any = any || moved;
    if (out.full())
      break;
    if (moved)
      continue;
    // A transaction that has begun to arrive is worth waiting for its end, within `wait`.
    bool whole = any && !changes_->in_transaction();
    if (whole || clock::now() >= until)
      break;
    if (auto failed = nothing_new(out))
      return failed;
    log_->wait(std::min(until, clock::now() + 100ms));
  }
  if (any) {
    progress_.idle = false;
    progress_.complete_until_us = std::max(progress_.complete_until_us, changes_->committed_us());
  } else if (auto failed = nothing_new(out)) {
    return failed;
  }
  if (clock::now() - probed_at_ >= busy_probe_every)
    if (auto failed = probe())
      return failed;
  // Transactions of other tables are not worth a store each.
  if (out.rows() > 0 || out.bytes() > 0 || plan_changed_ ||
      (any && clock::now() - committed_at_ >= set_.heartbeat))
    settle(out);
  return {};
}

error mysql_driver::step(collector& out, bool& moved) {
  if (changes_->pending()) {
    moved = true;
    return changes_->go_on(out);
  }
  if (!changes_->in_transaction() && piece_is_due()) {
    moved = true;
    return hand_over_piece(out);
  }
  if (!piece_)
    if (auto failed = next_piece())
      return failed;
  return take_event(out, moved);
}

error mysql_driver::take_event(collector& out, bool& moved) {
  auto bytes = log_->next();
  // The log may have been purged: opening again finds out.
  if (!bytes)
    return set_.resnapshot ? unavailable(bytes.error().text()) : bytes.error();
  if (bytes->empty())
    return {};
  // A heartbeat moves nothing.
  moved = bytes->size() > 4 && (*bytes)[4] != char(my::event_type::heartbeat);
  auto failed = changes_->apply(*bytes, out);
  if (!failed || !set_.resnapshot || !changes_->other_log())
    return failed;
  other_log_ = true;
  return unavailable(failed.text());
}

void mysql_driver::settle(collector& out, bool durable) {
  if (changes_->tables_changed())
    tables_text_ = at_.tables_text();
  tell_progress();
  committed_ = at_.text(tables_text_);
  committed_at_ = clock::now();
  plan_changed_ = false;
  if (durable)
    out.commit_and_settle(committed_);
  else
    out.commit(committed_);
}

void mysql_driver::tell_progress() {
  auto before = std::move(progress_.tables);
  progress_.tables.clear();
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    auto* planned = at_.plan.find(my::quoted(at_.tables[i].name));
    table_progress p = i < before.size() ? before[i] : table_progress{};
    p.name = changes_->name_of(i);
    p.snapshot_done = planned == nullptr;
    p.snapshot_rows_estimated = i < estimated_.size() ? estimated_[i] : -1;
    if (planned != nullptr)
      tell(*planned, p);
    progress_.tables.push_back(std::move(p));
  }
  progress_.place = at_.at.text();
}

// -- snapshots ----

bool mysql_driver::piece_is_due() const {
  return piece_ && (piece_begun_ || !at_.at.before(piece_->at()));
}

error mysql_driver::next_piece() {
  if (!rate_.ready(clock::now()))
    return {};
  for (auto& t : at_.tables) {
    auto name = my::quoted(t.name);
    auto* planned = at_.plan.find(name);
    bool wants_rows = planned != nullptr && !planned->paused;
    bool wants_columns = planned == nullptr && !t.begun && t.lost.empty();
    if (!wants_rows && !wants_columns)
      continue;
    my::snapshot_piece::request r{.name = t.name,
                                  .rows_max = set_.snapshots.chunk_rows,
                                  .rows = wants_rows};
    if (wants_rows) {
      r.where = planned->where;
      r.last = planned->last;
    }
    auto piece = my::snapshot_piece::open(set_.connect, *catalog_, std::move(r));
    if (!piece)
      return piece.error();
    if (!*piece) {
      // It is gone, as the log is going to say; what comes under its name is read then.
      at_.plan.remove(name);
      t.lost = "the table does not exist any more";
      continue;
    }
    piece_ = std::move(*piece);
    piece_begun_ = false;
    return {};
  }
  return {};
}

error mysql_driver::hand_over_piece(collector& out) {
  auto* t = at_.find(piece_->asked().name);
  auto index = size_t(t - at_.tables.data());
  auto* planned = at_.plan.find(my::quoted(t->name));
  if (!piece_begun_) {
    const auto& asked = piece_->asked();
    // What the log told meanwhile may have changed what is to be read.
    bool still = asked.rows ? planned != nullptr && planned->last == asked.last &&
                                  planned->where == asked.where && !planned->paused
                            : planned == nullptr && !t->begun;
    if (!still) {
      piece_.reset();
      return {};
    }
    changes_->begin_table(*t, piece_->columns());
    auto columns = changes_->planned(index);
    if (!columns)
      return columns.error();
    piece_columns_ = std::move(*columns);
    piece_handle_ = changes_->version_for(index, piece_columns_, out);
    piece_begun_ = true;
    if (planned != nullptr && planned->started_us == 0) {
      planned->started_us = piece_->at_us();
      planned->first_id = out.next_id();
    }
  }
  if (auto failed = piece_->copy(out, piece_handle_, piece_columns_))
    return failed;
  if (piece_->complete())
    end_piece(out, *t);
  return {};
}

void mysql_driver::end_piece(collector& out, my::table_state& t) {
  auto name = my::quoted(t.name);
  auto index = size_t(&t - at_.tables.data());
  if (piece_->asked().rows) {
    at_.plan.advance(name, piece_->last(), piece_->rows());
    rate_.took(size_t(piece_->rows()), clock::now());
    if (piece_->last_piece())
      if (auto done = at_.plan.remove(name)) {
        progress_.tables[index].snapshot_rows = done->rows;
        if (done->sweep)
          out.sweep(changes_->name_of(index), piece_->at_us(), done->first_id);
      }
  }
  piece_.reset();
  piece_begun_ = false;
  // Read again, its rows would be others.
  settle(out, true);
}

error mysql_driver::snapshot(const snapshot_request& asked) {
  if (phase_ == phase::closed)
    return unavailable("source " + name_ + " is not open");
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    const auto& t = at_.tables[i].name;
    auto written = my::parse_table_name(asked.table, t.database);
    if (t.table != asked.table && !(written && *written == t))
      continue;
    if (auto failed = at_.plan.apply(asked, my::quoted(t), estimated_[i]))
      return failed;
    plan_changed_ = true;
    // Its rows go out after it is stored that they may have gone out.
    phase_ = phase::announce;
    return {};
  }
  return rejected("table " + asked.table + ": this source does not read it");
}

// -- idle ----

error mysql_driver::nothing_new(collector& out) {
  bool between = !changes_->in_transaction() && !changes_->pending() && !piece_;
  if (between && probe_ && !at_.at.before(probe_->at)) {
    progress_.idle = at_.plan.empty() ||
                     std::all_of(at_.plan.all().begin(), at_.plan.all().end(),
                                 [](auto& p) { return p.paused; });
    progress_.complete_until_us = std::max(progress_.complete_until_us, probe_->now_us);
    probe_.reset();
  }
  auto waits = clock::now() - committed_at_ >= set_.heartbeat;
  if (between && waits && !committed_.starts_with(at_.at.text() + " "))
    settle(out);
  if (clock::now() - probed_at_ < (progress_.idle ? idle_probe_every : catching_up_probe_every))
    return {};
  if (probe_)
    progress_.idle = false;
  return probe();
}

error mysql_driver::probe() {
  auto end = my::read_log_end(*catalog_);
  if (!end)
    return end.error();
  probe_ = std::move(*end);
  progress_.retained_bytes = my::retained_bytes(*catalog_, at_.at);
  probed_at_ = clock::now();
  return {};
}

error mysql_driver::confirm(const std::string& position) {
  if (phase_ == phase::await_confirm && position == announced_)
    phase_ = phase::run;
  return {};
}

} // namespace

kind mysql_source() {
  return {.spec = my::settings_spec(),
          .make =
              [](const std::string& name, const config::section& s) {
                return std::unique_ptr<driver>(
                    std::make_unique<mysql_driver>(name, my::read_settings(name, s)));
              },
          .describe = &my::describe_source,
          .pattern = &my::table_pattern};
}

} // namespace rtdp::extract
