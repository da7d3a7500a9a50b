#include "runtime/state/keyed_state.hpp"

#include "runtime/state/changes.hpp"
#include "runtime/state/merged_walk.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace rtdp::state {
namespace {

constexpr auto none = cell_table::none;
/// Of a change beside its key and value, mostly.
constexpr size_t entry_bytes = 4;

} // namespace

result<std::unique_ptr<keyed_state>> keyed_state::open(const keyed_state_settings& settings) {
  auto made = std::unique_ptr<keyed_state>(new keyed_state);
  made->settings_ = settings;
  auto file = state_file::open(settings.path, settings.cache_bytes);
  if (!file)
    return file.error();
  made->file_ = std::move(*file);
  made->reached_ = made->file_->point();
  made->is_whole_ = made->reached_ == state_point{};
  if (!made->is_whole_)
    made->loaded_to_.emplace();
  return made;
}

// -- steps ----

result<std::optional<std::string_view>> keyed_state::get(std::string_view key) {
  using found = std::optional<std::string_view>;
  if (auto at = cells_.find(key); at != none)
    return cells_.gone(at) ? found{} : found{cells_.value(at)};
  if (is_whole_)
    return found{};
  auto held = file_->get(key);
  if (!held || !*held)
    return held;
  auto at = cells_.add(key);
  cells_.set(at, **held);
  return found{cells_.value(at)};
}

keyed_state::id keyed_state::touch(std::string_view key) {
  auto at = cells_.find(key);
  bool is_new = at == none;
  if (is_new)
    at = cells_.add(key);
  if (auto version = cells_.version(at); version <= version_) {
    auto value = cells_.value(at);
    batch_.touched.push_back(
        {at, is_new, cells_.gone(at), version, batch_.values.size(), value.size()});
    batch_.values += value;
    cells_.mark(at, version_ + 1, false);
    note_changed(at, version);
  }
  return at;
}

void keyed_state::note_changed(id cell, int64_t version_before) {
  auto key = cells_.key(cell);
  changed_bytes_ += key.size() + cells_.value(cell).size();
  if (version_before > collected_)
    return;
  changed_.push_back(cell);
  if (is_ordered(key))
    ordered_.emplace(key, cell);
}

void keyed_state::put(std::string_view key, std::string_view value) {
  auto at = touch(key);
  cells_.set(at, value);
  cells_.mark(at, version_ + 1, false);
}

void keyed_state::erase(std::string_view key) {
  auto at = touch(key);
  cells_.set(at, {});
  cells_.mark(at, version_ + 1, true);
}

error keyed_state::each(std::string_view prefix, const visitor& visit) {
  bool goes_on = true;
  cells_.each([&](id at) {
    if (goes_on && !cells_.gone(at) && cells_.key(at).starts_with(prefix))
      goes_on = visit(cells_.key(at), cells_.value(at));
  });
  if (!goes_on || is_whole_)
    return {};
  auto& rows = file_->rows(prefix, false);
  for (;;) {
    auto row = rows.step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
    if (cells_.find(rows.text(0)) == none && !visit(rows.text(0), rows.text(1)))
      break;
  }
  rows.reset();
  return {};
}

error keyed_state::walk(std::string_view prefix, bool downwards, const visitor& visit) {
  auto begin = ordered_.lower_bound(prefix), end = ordered_.lower_bound(key_behind(prefix));
  merged_walk merged(file_->rows(prefix, downwards), cells_, downwards);
  if (downwards)
    return merged.run(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), visit);
  return merged.run(begin, end, visit);
}

error keyed_state::look_on(std::string_view prefix, const std::string& after, size_t most,
                           const visitor& visit) {
  return file_->look_on(prefix, after, most, visit);
}

// -- batches ----

std::shared_ptr<const std::string> keyed_state::commit() {
  auto changes = std::make_shared<std::string>();
  for (const auto& t : batch_.touched)
    if (cells_.gone(t.cell))
      append_erase(cells_.key(t.cell), *changes);
    else
      append_put(cells_.key(t.cell), cells_.value(t.cell), *changes);
  batch_.version = ++version_;
  in_flight_.push_back(std::move(batch_));
  batch_ = {};
  changed_before_ = changed_.size();
  file_->end_reading();
  make_room();
  return changes;
}

void keyed_state::rollback() {
  for (const auto& t : batch_.touched) {
    if (t.is_new) {
      remove(t.cell);
      continue;
    }
    cells_.set(t.cell, batch_.value(t));
    cells_.mark(t.cell, t.version, t.gone);
    if (auto key = cells_.key(t.cell); is_ordered(key) && in_file(t.version))
      ordered_.erase(ordered_.find(key));
  }
  batch_ = {};
  changed_.resize(changed_before_);
  file_->end_reading();
  make_room();
}

void keyed_state::remove(id cell) {
  if (auto key = cells_.key(cell); is_ordered(key))
    if (auto at = ordered_.find(key); at != ordered_.end())
      ordered_.erase(at);
  cells_.remove(cell);
}

void keyed_state::make_room() {
  cells_.shrink(settings_.memory_bytes, [this](id cell) {
    if (!in_file(cells_.version(cell)))
      return false;
    is_whole_ = is_whole_ && cells_.gone(cell);
    return true;
  });
}

// -- the file ----

error keyed_state::committed(int64_t version) {
  ready_ = std::max(ready_, version);
  while (!in_flight_.empty() && in_flight_.front().version <= ready_)
    in_flight_.pop_front();
  return write_on();
}

error keyed_state::write_on() {
  if (auto failed = check_written(false))
    return failed;
  bool enough = changed_.size() >= settings_.changed_keys ||
                changed_bytes_ >= settings_.memory_bytes / 4;
  // Beyond its memory it waits for the disk: that slows the flow down and nobody else.
  bool wait = changed_bytes_ >= settings_.memory_bytes;
  return enough || wait ? flush(wait) : error{};
}

error keyed_state::check_written(bool wait) {
  if (!file_->is_writing())
    return {};
  auto done = file_->written(wait);
  if (!done || *done)
    return done.value_or(error{});
  file_->end_reading();
  for (auto cell : to_tidy_) {
    if (!in_file(cells_.version(cell)))
      continue;
    if (cells_.gone(cell))
      remove(cell);
    else if (auto at = ordered_.find(cells_.key(cell)); at != ordered_.end())
      ordered_.erase(at);
  }
  to_tidy_.clear();
  written_.reset();
  return {};
}

error keyed_state::flush(bool wait) {
  if (auto failed = check_written(wait))
    return failed;
  // What could not be written is written again before anything newer.
  if (file_->is_writing() || (!written_ && !collect()))
    return {};
  file_->write(written_, written_to_);
  return wait ? check_written(true) : error{};
}

/// Every cell that the file does not hold, as it was at the newest version that the target has.
bool keyed_state::collect() {
  written_to_ = ready_ <= begun_at_ ? reached_ : state_point{incarnation_, ready_};
  auto version = written_to_.version;
  if (in_file(version))
    return false;
  std::unordered_map<id, std::pair<const batch*, const before*>> newer;
  for (const auto& b : in_flight_)
    for (const auto& t : b.touched)
      newer.try_emplace(t.cell, &b, &t);
  auto changes = std::make_shared<std::string>();
  changes->reserve(changed_bytes_ + changed_.size() * entry_bytes);
  std::vector<id> left;
  auto take = [&](id cell, std::string_view value, bool gone) {
    auto key = cells_.key(cell);
    if (gone)
      append_erase(key, *changes);
    else
      append_put(key, value, *changes);
    if (gone || cells_.gone(cell) || is_ordered(key))
      to_tidy_.push_back(cell);
  };
  for (auto cell : changed_) {
    if (cells_.version(cell) <= version) {
      take(cell, cells_.value(cell), cells_.gone(cell));
      continue;
    }
    left.push_back(cell);
    const auto& [b, was] = newer.at(cell);
    if (!was->is_new && !in_file(was->version))
      take(cell, b->value(*was), was->gone);
  }
  changed_ = std::move(left);
  changed_before_ = changed_.size();
  changed_bytes_ = 0;
  collected_ = version;
  written_ = std::move(changes);
  return true;
}

// -- on the way to a state ----

result<bool> keyed_state::load(size_t most) {
  if (!loaded_to_ || file_->is_between() || file_->bytes() > settings_.memory_bytes / 2) {
    loaded_to_.reset();
    return true;
  }
  size_t seen = 0;
  auto after = *loaded_to_;
  auto failed = file_->look_on({}, after, most, [&](std::string_view key, std::string_view value) {
    ++seen;
    *loaded_to_ = key;
    auto at = cells_.add(key);
    cells_.set(at, value);
    return true;
  });
  if (failed)
    return failed;
  if (seen == most)
    return false;
  loaded_to_.reset();
  is_whole_ = true;
  make_room();
  return true;
}

error keyed_state::reset() {
  batch_ = {};
  in_flight_.clear();
  changed_.clear();
  changed_before_ = changed_bytes_ = 0;
  collected_ = ready_ = version_ = 0;
  ordered_.clear();
  to_tidy_.clear();
  cells_.clear();
  loaded_to_.reset();
  begun_at_ = INT64_MAX;
  file_->end_reading();
  if (auto failed = file_->reset())
    return failed;
  written_.reset();
  is_whole_ = true;
  reached_ = {};
  return {};
}

error keyed_state::apply(std::string_view changes, std::optional<state_point> after) {
  loaded_to_.reset();
  if (!after || file_->is_between())
    return restore_part(changes, after);
  return take_in(changes, *after);
}

/// A snapshot comes in the order of its keys and may be larger than memory.
error keyed_state::restore_part(std::string_view changes, std::optional<state_point> after) {
  if (auto failed = file_->apply(changes, after))
    return failed;
  reached_ = file_->point();
  version_ = ready_ = collected_ = reached_.version;
  auto entries = entries_of(changes);
  if (!entries)
    return entries.error();
  for (auto begin : *entries) {
    auto at = entry_at(changes, begin);
    auto cell = cells_.find(at.key);
    if (at.gone && cell != none)
      remove(cell);
    if (at.gone)
      continue;
    if (cell == none && cells_.bytes() > settings_.memory_bytes) {
      is_whole_ = false;
      continue;
    }
    cells_.set(cell == none ? cells_.add(at.key) : cell, at.value);
  }
  return {};
}

error keyed_state::take_in(std::string_view changes, state_point after) {
  // All of it or nothing.
  auto entries = entries_of(changes);
  if (!entries)
    return entries.error();
  for (auto begin : *entries) {
    auto at = entry_at(changes, begin);
    auto cell = cells_.find(at.key);
    if (cell == none)
      cell = cells_.add(at.key);
    auto version_before = cells_.version(cell);
    cells_.set(cell, at.value);
    cells_.mark(cell, after.version, at.gone);
    note_changed(cell, version_before);
  }
  reached_ = after;
  version_ = ready_ = after.version;
  changed_before_ = changed_.size();
  make_room();
  return write_on();
}

bool keyed_state::rest() {
  if (changed() || ready_ != version_)
    return false;
  if (ready_ > begun_at_)
    reached_ = {incarnation_, ready_};
  begun_at_ = INT64_MAX;
  return true;
}

void keyed_state::begin(int64_t incarnation, int64_t version) {
  incarnation_ = incarnation;
  version_ = ready_ = begun_at_ = version;
}

} // namespace rtdp::state
