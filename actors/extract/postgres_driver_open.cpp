#include "actors/extract/postgres_driver.hpp"

#include "actors/extract/postgres_seam.hpp"

#include <utility>

namespace rtdp::extract::pg {

error postgres_driver::open(const std::string& position) {
  phase_ = phase::closed;
  stream_.reset();
  chunks_.reset();
  changes_.reset();
  windows_ = {};
  asked_ = reopen_ = false;
  checked_at_ = clock::now();
  snapshot_.reset();
  slot_maker_.reset();
  if (set_.tables_wrong)
    return set_.tables_wrong;
  auto c = connection::open(set_.connect);
  if (!c)
    return c.error();
  catalog_.emplace(std::move(*c));
  auto r = connection::open(set_.replicate);
  if (!r)
    return r.error();
  auto found = find_place(*catalog_, *r, set_, position);
  if (!found)
    return found.error();
  slot_maker_.emplace(std::move(*r));
  auto slot_exists = found->slot_exists;
  if (auto failed = restore(std::move(*found)))
    return failed;
  if (auto failed = open_beat(slot_exists))
    return failed;
  return prepare(slot_exists);
}

error postgres_driver::restore(place found) {
  tables_ = std::move(found.tables);
  at_ = std::move(found.at);
  truncate_first_ = found.in_part;
  if (auto failed = plan_chunks(std::exchange(at_.plan, {}), found.unknown))
    return failed;
  // A table that is read in one go may have given ids to rows that are others this time. Chunks are
  // settled one by one, and the rows of the log between them keep the ids that they have on the bus.
  skip_ids_ = !found.first && (found.skip_ids || !at_.unread().empty());
  tables_text_ = at_.tables_text();
  progress_ = {};
  for (size_t i = 0; i < tables_.size(); ++i) {
    progress_.tables.push_back({.name = {},
                                .snapshot_done = at_.tables[i].snapshot == table_state::done,
                                .snapshot_rows_estimated = tables_[i].rows_estimated});
    tell_snapshot(i);
  }
  return {};
}

error postgres_driver::plan_chunks(const snapshot_plan& stored, const std::vector<bool>& unknown) {
  parted_.clear();
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    auto& t = at_.tables[i];
    auto name = planned_name(t.name);
    for (const auto& s : stored.all())
      if (s.table == name && t.snapshot == table_state::begun && !unknown[i])
        at_.plan.add(s);
    if (t.snapshot == table_state::done || at_.plan.find(name) != nullptr)
      continue;
    auto by_key = find_chunk_table(*catalog_, t.name, set_.publication);
    if (!by_key)
      return by_key.error();
    if (!*by_key)
      continue;
    // Of a table that was read in part the log has to bring everything.
    bool parted = unknown[i] || !truncate_first_[i];
    if (parted)
      parted_.push_back(i);
    // Rows that an earlier run published and that are gone since: nobody knows of them but sinks.
    at_.plan.add({.table = name,
                  .sweep = unknown[i],
                  .estimated = tables_[i].rows_estimated,
                  .seam = parted ? (*by_key)->seam : ""});
  }
  return {};
}

error postgres_driver::part_from_log(const std::string& exported) {
  if (parted_.empty())
    return {};
  auto seen = find_seam(*catalog_, exported);
  if (!seen)
    return seen.error();
  for (auto i : parted_)
    if (*seen)
      at_.tables[i].seen = **seen;
    else
      at_.plan.find(planned_name(at_.tables[i].name))->seam.clear();
  return {};
}

error postgres_driver::prepare(bool slot_exists) {
  if (auto unread = at_.unread(); !unread.empty()) {
    auto s = snapshot::begin(set_.connect, unread);
    if (!s)
      return s.error();
    snapshot_.emplace(std::move(*s));
  }
  std::string exported;
  if (!slot_exists) {
    auto made = create_slot(*slot_maker_, set_.slot);
    if (!made)
      return made.error();
    at_.at = made->start;
    exported = made->snapshot;
  }
  if (auto failed = part_from_log(exported))
    return failed;
  changes_.emplace(name_, *catalog_, at_, tables_);
  changes_->tell(&windows_);
  if (beat_)
    changes_->tell(&*beat_);
  chunks_.emplace(chunks::options{.how = set_.chunks,
                                  .connect = set_.connect,
                                  .publication = set_.publication,
                                  .slot = set_.slot},
                  *catalog_, at_, windows_);
  for (size_t i = 0; i < tables_.size(); ++i)
    progress_.tables[i].name = changes_->name_of(i);
  announced_.clear();
  snapshot_table_ = 0;
  phase_ = phase::announce;
  return snapshot_ ? snapshot_->fix(exported) : start_stream();
}

error postgres_driver::start_stream() {
  slot_maker_.reset();
  auto c = connection::open(set_.replicate);
  if (!c)
    return c.error();
  auto s = stream::start(std::move(*c), set_.slot, set_.publication, at_.at);
  if (!s)
    return s.error();
  stream_.emplace(std::move(*s));
  probed_at_ = {};
  return {};
}

} // namespace rtdp::extract::pg
