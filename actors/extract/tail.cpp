#include "actors/extract/tail.hpp"

#include "actors/extract/bus_parts.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>

namespace rtdp::extract {

namespace {

/// A first look at each partition; most often it ends there, at a mark.
constexpr int64_t first_window = 64;
/// More than the rows that one run can publish without storing a position: `flush_bytes` of the
/// smallest rows, and one full collector.
constexpr int64_t unstored_ids_max = 4'000'000;

using parts = bus_parts;

result<parts> held(bus::bus& bus, const std::set<std::string>& topics) {
  parts all;
  for (const auto& topic : topics) {
    auto ranges = bus.ranges(topic);
    if (!ranges)
      return ranges.error();
    for (size_t i = 0; i < ranges->size(); ++i)
      all[{topic, int32_t(i)}] = (*ranges)[i];
  }
  return all;
}

class search {
public:
  explicit search(int64_t next_id) : next_id_(next_id) {}

  void take(const bus::partition& p, const bus::message& m) {
    std::vector<ums::batch> batches;
    std::vector<ums::bad_row> bad;
    // What is no UMS was written by somebody else.
    if (decode_.read(m.value, batches, bad))
      return;
    int64_t highest = 0;
    for (const auto& b : batches)
      highest = std::max(highest, take(p, b));
    if (highest > 0 && highest < next_id_)
      found_.insert(p);
  }

  bool found(const bus::partition& p) const { return found_.count(p) > 0; }

  bus_tail done() {
    std::sort(of_chunks_.begin(), of_chunks_.end());
    std::sort(of_log_.begin(), of_log_.end());
    for (size_t i = 0; i < of_chunks_.size();) {
      // A run lies between two ids of the log. Its own messages may have come through some
      // partitions only, so its ends are not known better; rows of the log that are missing there
      // get new ids as well as old ones.
      auto next = std::upper_bound(of_log_.begin(), of_log_.end(), of_chunks_[i]);
      auto end = next == of_log_.end()
                     ? of_chunks_.size()
                     : size_t(std::lower_bound(of_chunks_.begin(), of_chunks_.end(), *next) -
                              of_chunks_.begin());
      auto first = next == of_log_.begin() ? next_id_ : *std::prev(next) + 1;
      out_.chunks.push_back({first, of_chunks_[end - 1]});
      i = end;
    }
    return std::move(out_);
  }

private:
  /// The highest id of the batch.
  int64_t take(const bus::partition& p, const ums::batch& b) {
    const auto* ids = b.find(ums::id_name);
    if (ids == nullptr || ids->type() != ums::type::long_ || ids->size() == 0)
      return 0;
    auto highest = *std::max_element(ids->ints().begin(), ids->ints().end());
    if (highest < next_id_)
      return highest;
    out_.last_id = std::max(out_.last_id, highest);
    if (b.kind == ums::protocol::increment_heartbeat)
      return highest;
    auto& known = out_.highest[p][b.schema->name.text()];
    auto& into = of_snapshot(b.kind) ? of_chunks_ : of_log_;
    for (size_t row = 0; row < b.rows(); ++row) {
      auto id = ids->ints()[row];
      if (id < next_id_)
        continue;
      into.push_back(id);
      if (!b.carries_rows() || b.op(row) != 'b')
        known = std::max(known, id);
    }
    return highest;
  }

  int64_t next_id_;
  ums::reader decode_;
  std::set<bus::partition> found_;
  std::vector<int64_t> of_chunks_, of_log_;
  bus_tail out_;
};

} // namespace

int64_t bus_tail::highest_of(const bus::partition& p, const std::string& ns) const {
  auto tables = highest.find(p);
  if (tables == highest.end())
    return 0;
  auto at = tables->second.find(ns);
  return at == tables->second.end() ? 0 : at->second;
}

result<bus_tail> read_tail(bus::bus& bus, const std::string& client,
                           const std::set<std::string>& topics, int64_t next_id) {
  auto all = held(bus, topics);
  if (!all)
    return all.error();
  search what(next_id);
  auto rest = std::move(*all);
  for (auto window = first_window;; window *= 4) {
    parts now;
    for (auto& [p, part] : rest)
      if (!what.found(p) && part.first < part.end) {
        now[p] = {std::max(part.first, part.end - window), part.end};
        part.end = now[p].first;
      }
    if (now.empty())
      return what.done();
    if (auto failed = read_parts(bus, client, now,
                                 [&](const auto& p, const auto& m) { what.take(p, m); }))
      return failed;
  }
}

result<int64_t> id_behind(bus::bus& bus, const std::string& client,
                          const std::set<std::string>& topics) {
  auto all = held(bus, topics);
  if (!all)
    return all.error();
  search what(1);
  std::set<bus::partition> seen;
  auto rest = *all;
  // Further and further back, because a part may hold nothing but what was never committed.
  for (auto window = first_window;; window *= 4) {
    parts now;
    for (auto& [p, part] : rest)
      if (seen.count(p) == 0 && part.first < part.end) {
        now[p] = {std::max(part.first, part.end - window), part.end};
        part.end = now[p].first;
      }
    if (now.empty())
      break;
    if (auto failed = read_parts(bus, client, now, [&](const auto& p, const auto& m) {
          seen.insert(p);
          what.take(p, m);
        }))
      return failed;
  }
  int64_t next = 1;
  for (const auto& [p, part] : *all)
    if (seen.count(p) == 0 && part.end > 0)
      // Retention took the ids with the rows. Microseconds since 1970 are above any count of rows.
      next = std::max(next, now_us());
  return seen.empty() ? next : std::max(next, what.done().last_id + unstored_ids_max);
}

} // namespace rtdp::extract
