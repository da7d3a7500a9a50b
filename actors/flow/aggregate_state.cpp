#include "actors/flow/aggregate_state.hpp"

#include "runtime/state/changes.hpp"

#include <algorithm>
#include <cstring>

namespace rtdp::flow {
namespace {

using state::append_text;
using state::append_varint;
using state::take_text;
using state::take_varint;

template<class T>
void append_raw(const T& value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template<class T>
bool take_raw(std::string_view& from, T& value) {
  if (from.size() < sizeof value)
    return false;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return true;
}

error damaged() { return rejected("the state of an aggregate step is damaged"); }

/// Most values have 64 bits.
void append_sum(const exact& e, std::string& out) {
  bool is_small = e.value >= INT64_MIN && e.value <= INT64_MAX;
  out.push_back(is_small ? 1 : 2);
  out.push_back(char(e.scale));
  if (is_small)
    append_raw(int64_t(e.value), out);
  else
    append_raw(e.value, out);
}

bool take_sum(std::string_view& from, std::optional<exact>& e) {
  uint8_t tag = 0, scale = 0;
  if (!take_raw(from, tag))
    return false;
  e.reset();
  if (tag == 0)
    return true;
  e.emplace();
  int64_t small = 0;
  if (!take_raw(from, scale))
    return false;
  e->scale = scale;
  if (tag == 2)
    return take_raw(from, e->value);
  bool fits = take_raw(from, small);
  e->value = small;
  return fits;
}

} // namespace

void contribution::append(std::string& out) const {
  append_raw(ums_id, out);
  append_raw(ts_us, out);
  out.push_back(gone ? 1 : 0);
  if (gone)
    return;
  append_text(group, out);
  append_varint(sums.size(), out);
  for (const auto& s : sums)
    if (s)
      append_sum(*s, out);
    else
      out.push_back(0);
  append_varint(values.size(), out);
  for (const auto& v : values)
    append_text(v, out);
}

bool contribution::parse(std::string_view from) {
  uint8_t flag = 0;
  if (!take_raw(from, ums_id) || !take_raw(from, ts_us) || !take_raw(from, flag))
    return false;
  gone = flag != 0;
  if (gone)
    return true;
  std::string_view text;
  uint64_t count = 0;
  if (!take_text(from, text) || !take_varint(from, count) || count > from.size())
    return false;
  group = text;
  sums.resize(count);
  for (auto& s : sums)
    if (!take_sum(from, s))
      return false;
  if (!take_varint(from, count) || count > from.size())
    return false;
  values.resize(count);
  for (auto& v : values) {
    if (!take_text(from, text))
      return false;
    v = text;
  }
  return true;
}

void group::append(std::string& out) const {
  append_varint(uint64_t(rows), out);
  for (const auto& s : sums) {
    append_varint(uint64_t(s.count), out);
    append_sum(s.total, out);
  }
  for (const auto& e : edges)
    append_text(e.value, out);
}

bool group::parse(std::string_view from) {
  uint64_t number = 0;
  if (!take_varint(from, number))
    return false;
  rows = int64_t(number);
  for (auto& s : sums) {
    std::optional<exact> total;
    if (!take_varint(from, number) || !take_sum(from, total) || !total)
      return false;
    s = {int64_t(number), *total};
  }
  std::string_view text;
  for (auto& e : edges) {
    if (!take_text(from, text))
      return false;
    e = {std::string(text), false};
  }
  return true;
}

// -- tables ----

result<std::string> aggregate_state::rows_of(const ums::ns& table) {
  auto name = table;
  name.set(ums::ns::version, "0");
  auto key = prefix(meta_table) + "t" + name.text();
  auto held = data().get(key);
  if (!held)
    return held.error();
  std::string number = *held ? std::string(**held) : std::string();
  if (number.empty()) {
    auto count = tables();
    if (!count)
      return count.error();
    for (int shift = 24; shift >= 0; shift -= 8)
      number.push_back(char(*count >> shift & 0xff));
    data().put(key, number);
  }
  return prefix(rows_table) + number;
}

result<size_t> aggregate_state::tables() {
  size_t count = 0;
  auto failed = data().each(prefix(meta_table) + "t", [&](auto, auto) {
    ++count;
    return true;
  });
  if (failed)
    return failed;
  return count;
}

error aggregate_state::note_keyless(const std::string& rows_prefix) {
  auto known = is_keyless(rows_prefix);
  if (!known)
    return known.error();
  if (!*known)
    data().put(prefix(meta_table) + "k" + rows_prefix, "1");
  return {};
}

result<bool> aggregate_state::is_keyless(const std::string& rows_prefix) {
  auto held = data().get(prefix(meta_table) + "k" + rows_prefix);
  if (!held)
    return held.error();
  return held->has_value();
}

result<std::optional<contribution>> aggregate_state::find(std::string_view row_key) {
  using found = std::optional<contribution>;
  auto held = data().get(row_key);
  if (!held)
    return held.error();
  if (!*held)
    return found{};
  contribution c;
  if (!c.parse(**held))
    return damaged();
  return found{std::move(c)};
}

void aggregate_state::keep(std::string_view row_key, const contribution& c) {
  std::string bytes;
  c.append(bytes);
  data().put(row_key, bytes);
}

result<group*> aggregate_state::load(const std::string& key) {
  auto [at, is_new] = touched_.try_emplace(key);
  auto& g = at->second;
  if (!is_new)
    return &g;
  g.sums.resize(shape_.sums);
  g.edges.resize(shape_.extremes.size());
  auto held = data().get(prefix(groups_table) + key);
  if (!held)
    return held.error();
  if (!*held)
    return &g;
  g.existed = true;
  if (!g.parse(**held))
    return damaged();
  return &g;
}

result<bool> aggregate_state::replace(const contribution* old, const contribution* fresh,
                                      int64_t ts_us) {
  group *from = nullptr, *to = nullptr;
  for (auto [c, g] : {std::pair{old, &from}, std::pair{fresh, &to}})
    if (c) {
      auto loaded = load(c->group);
      if (!loaded)
        return loaded.error();
      *g = *loaded;
    }
  // Both in full before any: a sum that does not fit must leave everything as it was.
  auto less = from ? from->sums : std::vector<group::sum>{};
  auto more = to && to != from ? to->sums : std::vector<group::sum>{};
  auto& into = to == from ? less : more;
  for (size_t i = 0; i < shape_.sums; ++i)
    for (auto [c, sums, sign] : {std::tuple{old, &less, -1}, std::tuple{fresh, &into, 1}})
      if (c && c->sums[i]) {
        auto sum = add((*sums)[i].total, *c->sums[i], sign);
        bool is_long = i < are_long_.size() && are_long_[i];
        if (!sum || (is_long && (sum->value > INT64_MAX || sum->value < INT64_MIN)))
          return false;
        (*sums)[i] = {(*sums)[i].count + sign, *sum};
      }
  if (from) {
    from->sums = std::move(less);
    from->ts_us = std::max(from->ts_us, ts_us);
    --from->rows;
    if (auto failed = move_values(*from, *old, -1))
      return failed;
  }
  if (to) {
    if (to != from)
      to->sums = std::move(more);
    to->ts_us = std::max(to->ts_us, ts_us);
    ++to->rows;
    if (auto failed = move_values(*to, *fresh, 1))
      return failed;
  }
  return true;
}

// -- smallest and largest ----

std::string aggregate_state::values_of(std::string_view group, size_t value) const {
  auto out = prefix(values_table);
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(char(group.size() >> shift & 0xff));
  out += group;
  out.push_back(char(value));
  return out;
}

error aggregate_state::move_values(group& g, const contribution& c, int by) {
  for (size_t i = 0; i < c.values.size(); ++i)
    if (!c.values[i].empty())
      if (auto failed = count(g, c.group, i, c.values[i], by))
        return failed;
  return {};
}

error aggregate_state::count(group& g, const std::string& key, size_t value,
                             const std::string& cell, int by) {
  auto place = values_of(key, value) + cell;
  auto held = data().get(place);
  if (!held)
    return held.error();
  uint64_t number = 0;
  if (*held && !take_varint(**held, number))
    return damaged();
  number += uint64_t(int64_t(by));
  if (number == 0) {
    data().erase(place);
  } else {
    std::string bytes;
    append_varint(number, bytes);
    data().put(place, bytes);
  }
  for (size_t i = 0; i < shape_.extremes.size(); ++i) {
    auto [of, is_max] = shape_.extremes[i];
    auto& edge = g.edges[i];
    if (of != value)
      continue;
    bool passes = edge.value.empty() || (is_max ? cell > edge.value : cell < edge.value);
    if (by > 0 && passes)
      edge.value = cell;
    if (by < 0 && number == 0 && edge.value == cell)
      edge.is_stale = true;
  }
  return {};
}

error aggregate_state::look_again(const std::string& key, group& g) {
  for (size_t i = 0; i < g.edges.size(); ++i) {
    auto& edge = g.edges[i];
    if (!edge.is_stale)
      continue;
    edge = {};
    auto [value, is_max] = shape_.extremes[i];
    auto place = values_of(key, value);
    auto failed = data().walk(place, is_max, [&](std::string_view found, std::string_view) {
      edge.value = found.substr(place.size());
      return false;
    });
    if (failed)
      return failed;
  }
  return {};
}

// -- the end of a batch ----

result<aggregate_state::touched> aggregate_state::finish() {
  auto all = std::move(touched_);
  touched_.clear();
  std::string bytes;
  for (auto& [key, g] : all) {
    if (auto failed = look_again(key, g))
      return failed;
    auto place = prefix(groups_table) + key;
    if (g.rows == 0) {
      data().erase(place);
      continue;
    }
    bytes.clear();
    g.append(bytes);
    data().put(place, bytes);
  }
  return all;
}

error aggregate_state::empty_all() {
  std::vector<std::string> groups, values;
  auto into = [](std::vector<std::string>& keys) {
    return [&keys](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    };
  };
  if (auto failed = data().each(prefix(groups_table), into(groups)))
    return failed;
  if (auto failed = data().each(prefix(values_table), into(values)))
    return failed;
  for (const auto& key : groups) {
    auto g = load(key.substr(2));
    if (!g)
      return g.error();
    **g = {};
    (*g)->existed = true;
    (*g)->sums.resize(shape_.sums);
    (*g)->edges.resize(shape_.extremes.size());
  }
  for (const auto& key : values)
    data().erase(key);
  return {};
}

result<std::string> aggregate_state::fields() {
  auto held = data().get(prefix(meta_table) + "f");
  if (!held)
    return held.error();
  return *held ? std::string(**held) : std::string();
}

void aggregate_state::keep_fields(std::string_view text) {
  data().put(prefix(meta_table) + "f", text);
}

} // namespace rtdp::flow
