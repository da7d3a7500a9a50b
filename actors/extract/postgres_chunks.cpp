#include "actors/extract/postgres_chunks.hpp"

#include "actors/extract/postgres_seam.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// A commit that is in the log and not yet visible becomes so within milliseconds, mostly.
constexpr auto read_again_after = 50ms;
/// Chunks of one table that wait for each other: what is read is held in memory.
constexpr size_t ahead_max = 4;
/// Transactions that are remembered for a snapshot that has not begun.
constexpr size_t remembered = 1024;

holds held_by(const seen_by& s) {
  return [s](const change_stamp& c) { return s.covers(uint32_t(c.transaction), c.commit); };
}

} // namespace

bool chunks::active() const {
  const auto& all = at_.plan.all();
  return std::any_of(all.begin(), all.end(), [](auto& s) { return !s.paused; });
}

void chunks::handed_over(const change_stamp& by) {
  handed_over_.push_back(by);
  if (handed_over_.size() > remembered)
    handed_over_.pop_front();
}

// -- work ----

error chunks::work(int64_t next_id) {
  due_ = clock::time_point::max();
  if (auto failed = prepare(next_id))
    return failed;
  if (tables_.empty()) {
    // Idle connections are the source's, not ours.
    workers_.clear();
    return {};
  }
  workers_.resize(options_.how.parallel);
  for (auto& w : workers_) {
    if (w.reader && w.what != nullptr)
      if (auto failed = w.reader->advance())
        if (auto still = refused(w, failed))
          return still;
    if (auto failed = take_results(w))
      return failed;
    if (auto failed = begin_next(w))
      return failed;
  }
  return {};
}

error chunks::refused(worker& w, const error& why) {
  if (!(why == ec::rejected) || w.work->def.where.empty())
    return why;
  plan_changed_ = true;
  at_.plan.refuse(planned_name(w.work->def.name), why.text());
  drop(w.work->table);
  return {};
}

error chunks::prepare(int64_t next_id) {
  for (const auto& planned : at_.plan.all()) {
    if (planned.paused || tables_.size() >= options_.how.parallel)
      continue;
    bool known = std::any_of(tables_.begin(), tables_.end(), [&](auto& t) {
      return planned_name(at_.tables[t.table].name) == planned.table;
    });
    auto at = std::find_if(at_.tables.begin(), at_.tables.end(),
                           [&](auto& t) { return planned_name(t.name) == planned.table; });
    if (!known && at != at_.tables.end())
      return prepare(*at_.plan.find(planned.table), size_t(at - at_.tables.begin()), next_id);
  }
  return {};
}

error chunks::prepare(planned_snapshot& s, size_t table, int64_t next_id) {
  auto def = find_chunk_table(catalog_, at_.tables[table].name, options_.publication);
  if (!def)
    return def.error().in("snapshot of " + s.table);
  if (!*def)
    return rejected("snapshot of " + s.table +
                    ": its key is gone or left out by the publication; "
                    "give it one, or take the table out of tables:");
  table_work work{
      .table = table, .def = std::move(**def), .version = at_.tables[table].version, .line = {}};
  auto rows = chunk_rows_for(catalog_, work.def.name, options_.how.chunk_rows);
  if (!rows)
    return rows.error().in("snapshot of " + s.table);
  work.def.rows = *rows;
  // So that the rate holds within any second.
  if (auto rate = options_.how.rows_per_second; rate > 0)
    work.def.rows = std::clamp<size_t>(size_t(rate), 1, *rows);
  work.def.where = s.where;
  if (!s.seam.empty() && s.seam == work.def.seam) {
    auto rest = not_in_log(catalog_, work.def.name, options_.publication, at_.tables[table].seen);
    if (!rest)
      return rest.error().in("snapshot of " + s.table);
    work.def.not_in_log = std::move(*rest);
  }
  if (s.key != work.def.key_text())
    at_.plan.begin_again(s.table);
  s.key = work.def.key_text();
  if (s.started_us == 0)
    s.started_us = now_us();
  if (s.first_id == 0)
    s.first_id = next_id;
  plan_changed_ = true;
  windows_.watch(table);
  for (const auto& by : handed_over_)
    windows_.all_changed(table, by);
  work.line.push_back({.from = s.last, .to = {}});
  tables_.push_back(std::move(work));
  return {};
}

error chunks::take_results(worker& w) {
  if (!w.reader || w.what == nullptr || w.reader->busy())
    return {};
  auto& c = *w.what;
  auto& work = *w.work;
  w.what = nullptr;
  if (w.reader->too_large()) {
    w.reader.reset();
    auto rows = std::max<size_t>(work.def.rows / 8, 1);
    auto& s = *at_.plan.find(planned_name(work.def.name));
    auto table = work.table;
    drop(table);
    if (auto failed = prepare(s, table, s.first_id))
      return failed;
    tables_.back().def.rows = rows;
    return {};
  }
  if (auto bound = w.reader->bound()) {
    c.to = std::move(*bound);
    c.at = chunk::to_read;
    if (!c.to.empty())
      work.line.push_back({.from = c.to, .to = {}});
    // The same connection goes on, so that chunks are read in the order of their keys.
    return begin(w, work, c);
  }
  auto data = w.reader->chunk();
  if (!data)
    return {};
  if (data->fingerprint != work.def.fingerprint) {
    drop(work.table);
    return {};
  }
  fit_rows(work, *data);
  windows_.fill(c.window, std::move(data->rows), held_by(data->seen));
  c.data = std::move(*data);
  c.at = chunk::read;
  return {};
}

void chunks::fit_rows(table_work& work, const read_chunk& data) {
  auto rows = data.rows.columns.back().size();
  if (rows == 0)
    return;
  auto most = chunk_bytes / std::max<size_t>(data.rows.bytes() / rows, 1);
  work.def.rows = std::clamp<size_t>(most, 1, std::max(work.def.rows, size_t(1)));
}

error chunks::begin_next(worker& w) {
  if (w.what != nullptr)
    return {};
  auto now = clock::now();
  for (auto& work : tables_)
    for (auto& c : work.line) {
      bool waiting =
          c.at == chunk::to_read || (c.at == chunk::to_bound && work.line.size() <= ahead_max);
      if (!waiting)
        continue;
      auto ready_at = std::max(c.again, throttle_.next());
      due_ = std::min(due_, ready_at);
      if (now < ready_at)
        continue;
      throttle_.took(work.def.rows, now);
      return begin(w, work, c);
    }
  return {};
}

error chunks::begin(worker& w, table_work& work, chunk& c) {
  if (!w.reader) {
    auto r = chunk_reader::open(options_.connect);
    if (!r)
      return r.error().in("snapshot");
    w.reader.emplace(std::move(*r));
  }
  w.work = &work;
  w.what = &c;
  if (c.at == chunk::to_bound) {
    c.at = chunk::bounding;
    return w.reader->find_bound(work.def, c.from);
  }
  c.at = chunk::reading;
  c.window = windows_.open(work.table);
  return w.reader->read(work.def, c.from, c.to, options_.slot);
}

std::vector<int> chunks::sockets() const {
  std::vector<int> out;
  for (const auto& w : workers_)
    if (w.reader && w.what != nullptr)
      out.push_back(w.reader->socket());
  return out;
}

chunks::clock::time_point chunks::due() const { return due_; }

// -- publish ----

bool chunks::ready_at(lsn passed) const {
  return std::any_of(tables_.begin(), tables_.end(), [&](const table_work& work) {
    const auto& c = work.line.front();
    return c.at == chunk::read && c.data->high <= passed;
  });
}

std::optional<chunks::ready> chunks::take(lsn passed) {
  for (auto& work : tables_) {
    auto& c = work.line.front();
    if (c.at != chunk::read || c.data->high > passed)
      continue;
    const auto& t = at_.tables[work.table];
    // The stream has begun another version since the columns were looked up.
    if (t.version != work.version && t.shape != work.def.columns.hash) {
      drop(work.table);
      return {};
    }
    auto kept = windows_.close(c.window);
    if (!kept) {
      c.at = chunk::to_read;
      c.data.reset();
      c.again = clock::now() + read_again_after;
      continue;
    }
    ready out{.table = work.table,
              .columns = work.def.columns,
              .data = std::move(*c.data),
              .keep = std::move(kept->keep),
              .rest = std::move(kept->rest),
              .last = c.to,
              .rows = kept->rows.columns.back().size()};
    out.data.rows = std::move(kept->rows);
    work.line.pop_front();
    return out;
  }
  return {};
}

std::optional<planned_snapshot> chunks::published(const ready& r) {
  auto name = planned_name(at_.tables[r.table].name);
  at_.plan.advance(name, r.last, int64_t(r.rows));
  if (!r.last.empty())
    return {};
  at_.tables[r.table].snapshot = table_state::done;
  drop(r.table);
  return at_.plan.remove(name);
}

void chunks::drop(size_t table) {
  auto at = std::find_if(tables_.begin(), tables_.end(), [&](auto& t) { return t.table == table; });
  if (at == tables_.end())
    return;
  for (auto& w : workers_)
    if (w.work == &*at) {
      // What it is reading nobody wants any more.
      if (w.what != nullptr)
        w.reader.reset();
      w.work = nullptr;
      w.what = nullptr;
    }
  tables_.erase(at);
  windows_.forget(table);
}

} // namespace rtdp::extract::pg
