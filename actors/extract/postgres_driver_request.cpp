#include "actors/extract/postgres_driver.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace rtdp::extract::pg {

result<size_t> postgres_driver::table_asked_for(const std::string& name) const {
  std::vector<std::string> names;
  std::vector<size_t> alike;
  auto parsed = parse_table_name(name);
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    const auto& t = at_.tables[i].name;
    if (parsed && t == *parsed)
      return i;
    if (t.table == name)
      alike.push_back(i);
    names.push_back(planned_name(t));
  }
  if (alike.size() == 1)
    return alike.front();
  return rejected(fmt::format("{} table {}: name one of {}",
                              alike.empty() ? "there is no" : "there is more than one", name,
                              fmt::join(names, ", ")));
}

error postgres_driver::plan_start(const snapshot_request& asked, size_t table) {
  auto& t = at_.tables[table];
  auto name = planned_name(t.name);
  if (at_.plan.find(name) == nullptr && t.snapshot == table_state::begun)
    return rejected("table " + name + ": a snapshot is under way: let it end");
  auto by_key = find_chunk_table(*catalog_, t.name, set_.publication);
  if (!by_key)
    return by_key.error().in("table " + name);
  if (!*by_key) {
    if (!asked.where.empty())
      return rejected("table " + name +
                      ": without a primary key it can be read only at once and "
                      "whole, as an emptied table that is filled anew; leave "
                      "where out");
    t.snapshot = table_state::begun;
    reopen_ = true;
    return {};
  }
  auto estimated = tables_[table].rows_estimated;
  if (!asked.where.empty()) {
    auto rows = check_where(*catalog_, t.name, asked.where);
    if (!rows)
      return rows.error().in("table " + name + ", where");
    estimated = *rows;
  }
  if (auto refused = at_.plan.apply(asked, name, estimated))
    return refused;
  t.snapshot = table_state::begun;
  return {};
}

error postgres_driver::snapshot(const snapshot_request& asked) {
  using verb = snapshot_request::verb;
  if (phase_ == phase::closed)
    return unavailable("source " + name_ + " is not open");
  auto table = table_asked_for(asked.table);
  if (!table)
    return table.error();
  if (asked.what == verb::start) {
    if (auto refused = plan_start(asked, *table))
      return refused;
  } else {
    if (auto refused = at_.plan.apply(asked, planned_name(at_.tables[*table].name)))
      return refused;
    // A chunk that is being read is given up; what was published stays so.
    if (asked.what != verb::resume)
      chunks_->drop(*table);
    if (asked.what == verb::cancel)
      at_.tables[*table].snapshot = table_state::done;
  }
  tables_text_ = at_.tables_text();
  tell_snapshot(*table);
  progress_.idle = progress_.idle && !chunks_->active();
  asked_ = true;
  return {};
}

void postgres_driver::tell_snapshot(size_t table) {
  auto& p = progress_.tables[table];
  if (const auto* s = at_.plan.find(planned_name(at_.tables[table].name)))
    return tell(*s, p);
  p.snapshot_done = at_.tables[table].snapshot == table_state::done;
  p.snapshot_paused = false;
}

} // namespace rtdp::extract::pg
