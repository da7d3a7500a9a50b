#include "actors/extract/snapshot_windows.hpp"

#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace rtdp::extract {

namespace {

/// A transaction with more changes is not written down key by key (60 bytes each): chunks that do
/// not hold it are read again.
constexpr size_t keys_of_transaction_max = 100'000;

} // namespace

std::vector<uint32_t> key_columns_of(const ums::batch& b) {
  std::vector<uint32_t> out;
  for (uint32_t i = 0; i < b.schema->fields.size(); ++i)
    if (b.schema->fields[i].key)
      out.push_back(i);
  return out;
}

std::string key_of(const ums::batch& b, const std::vector<uint32_t>& key_columns, size_t row) {
  std::string out;
  for (auto i : key_columns) {
    auto before = out.size();
    auto length = UINT32_MAX;
    if (!b.columns[i].is_null(row)) {
      ums::append_cell(b.columns[i], row, out);
      length = uint32_t(out.size() - before);
    }
    // The length tells ("a", "bc") from ("ab", "c"), and "" from null.
    for (int shift = 24; shift >= 0; shift -= 8)
      out += char(length >> shift);
  }
  return out;
}

void snapshot_windows::add(watched& t, change c) {
  bool same = !t.changes.empty() && t.changes.back().by == c.by;
  if (same && !t.changes.back().key)
    return;
  t.run = same ? t.run + 1 : 1;
  if (t.run > keys_of_transaction_max) {
    for (; t.run > 1; --t.run)
      t.changes.pop_back();
    c.key.reset();
    c.absent.clear();
    for (auto& [number, w] : t.windows)
      w.first = std::min(w.first, t.base + t.changes.size());
  }
  t.changes.push_back(std::move(c));
}

void snapshot_windows::changed(size_t at, const change_stamp& by, std::string key,
                               std::vector<std::string> absent) {
  if (auto found = tables_.find(at); found != tables_.end())
    add(found->second, {by, std::move(key), std::move(absent)});
}

void snapshot_windows::all_changed(size_t at, const change_stamp& by) {
  if (auto found = tables_.find(at); found != tables_.end())
    add(found->second, {by, std::nullopt, {}});
}

void snapshot_windows::trim(watched& t) {
  auto keep = t.base + t.changes.size();
  for (const auto& [number, w] : t.windows)
    keep = std::min(keep, w.first);
  // What the last chunk does not hold, the next one may not hold either.
  for (; t.base < keep && t.last_held && t.last_held(t.changes.front().by); ++t.base)
    t.changes.pop_front();
  t.run = std::min(t.run, t.changes.size());
}

snapshot_windows::id snapshot_windows::open(size_t at) {
  auto& t = tables_.at(at);
  window w{.first = t.base};
  if (t.last_held)
    while (w.first < t.base + t.changes.size() && t.last_held(t.changes[w.first - t.base].by))
      ++w.first;
  t.windows.emplace(next_, std::move(w));
  trim(t);
  return next_++;
}

snapshot_windows::watched* snapshot_windows::table_of(id which) {
  for (auto& [number, t] : tables_)
    if (t.windows.contains(which))
      return &t;
  return nullptr;
}

void snapshot_windows::fill(id which, ums::batch&& rows, holds held) {
  auto* t = table_of(which);
  if (t == nullptr)
    return;
  t->last_held = held;
  auto& w = t->windows.at(which);
  w.rows = std::move(rows);
  w.held = std::move(held);
}

std::optional<snapshot_windows::chunk> snapshot_windows::close(id which) {
  auto* t = table_of(which);
  if (t == nullptr)
    return {};
  auto w = std::move(t->windows.at(which));
  // Of each changed row the columns that no change carried.
  std::unordered_map<std::string, std::vector<std::string>> keys;
  bool whole = true;
  for (auto i = w.first - t->base; i < t->changes.size(); ++i) {
    const auto& c = t->changes[i];
    if (w.held && w.held(c.by))
      continue;
    whole = whole && c.key;
    if (!c.key)
      continue;
    if (auto [at, first] = keys.try_emplace(*c.key, c.absent); !first)
      std::erase_if(at->second, [&](const std::string& name) {
        return std::find(c.absent.begin(), c.absent.end(), name) == c.absent.end();
      });
  }
  drop(which);
  if (!whole || !w.rows)
    return {};
  chunk out{std::move(*w.rows), {}, {}};
  if (keys.empty())
    return out;
  auto key_columns = key_columns_of(out.rows);
  auto rows = out.rows.columns.back().size();
  out.keep.resize(rows);
  for (size_t row = 0; row < rows; ++row) {
    auto changed = keys.find(key_of(out.rows, key_columns, row));
    out.keep[row] = changed == keys.end();
    if (changed != keys.end() && !changed->second.empty())
      out.rest.emplace_back(row, changed->second);
  }
  return out;
}

void snapshot_windows::drop(id which) {
  auto* t = table_of(which);
  if (t == nullptr)
    return;
  t->windows.erase(which);
  trim(*t);
}

} // namespace rtdp::extract
