#include "actors/extract/table_report.hpp"

#include "runtime/core/time.hpp"
#include "runtime/state/schema_history.hpp"

#include <algorithm>
#include <charconv>

namespace rtdp::extract {

namespace {

bool same_table(ums::ns a, ums::ns b) {
  for (auto* name : {&a, &b})
    for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
      name->set(part, "0");
  return a == b;
}

/// At the speed of this snapshot so far; -1 when nobody can say.
int64_t seconds_left(const table_progress& t) {
  if (t.snapshot_done)
    return 0;
  auto left = t.snapshot_rows_estimated - t.snapshot_rows;
  if (t.snapshot_paused || t.snapshot_rows <= 0 || t.snapshot_started_us == 0 || left < 0)
    return -1;
  auto so_far = std::max<int64_t>(now_us() - t.snapshot_started_us, 1);
  return int64_t(double(so_far) / 1e6 * double(left) / double(t.snapshot_rows)) + 1;
}

void add(runtime::report& r, const table_progress& t) {
  bool first = r.state.empty();
  r.state = "running";
  bool done = (first || r.figures["snapshot_done"] != 0) && t.snapshot_done;
  bool paused = t.snapshot_paused || (!first && r.texts["snapshot"] == "paused");
  r.texts["snapshot"] = done ? "done" : paused ? "paused" : "running";
  r.figures["snapshot_done"] = done;
  r.figures["snapshot_rows_done"] += t.snapshot_rows;
  auto& estimated = r.figures["snapshot_rows_estimated"];
  // What one shard cannot say, the sum cannot either.
  estimated =
      estimated < 0 || t.snapshot_rows_estimated < 0 ? -1 : estimated + t.snapshot_rows_estimated;
  if (!t.snapshot_reason.empty())
    r.texts["snapshot_reason"] = t.snapshot_reason;
  else if (first)
    r.texts["snapshot_reason"].clear();
  // The slowest shard counts.
  auto& left = r.figures["snapshot_eta_seconds"];
  left = std::max(left, seconds_left(t));
  if (t.name[ums::ns::table_partition] != "0")
    ++r.figures["shards"];
}

} // namespace

ums::ns name_for_people(ums::ns name) {
  name.set(ums::ns::table_partition, "0");
  return name;
}

std::string columns_text(const std::vector<ums::field>& fields) {
  std::string out;
  for (const auto& f : fields)
    if (!ums::is_system(f.name))
      out += (out.empty() ? "" : ", ") + f.name + " " + std::string(to_string(f.type)) +
             (f.key ? " key" : "");
  return out;
}

std::map<ums::ns, runtime::report> table_reports(const source_progress& progress,
                                                 const std::vector<ums::ns>& older) {
  std::map<ums::ns, runtime::report> out;
  for (const auto& t : progress.tables)
    add(out[name_for_people(t.name)], t);
  auto now = out;
  for (const auto& name : older) {
    auto successor = std::find_if(now.begin(), now.end(),
                                  [&](const auto& each) { return same_table(each.first, name); });
    if (now.contains(name) || successor == now.end())
      continue;
    auto& r = out[name];
    r.state = "stopped";
    r.reason = "version " + name[ums::ns::version] + " ended; version " +
               successor->first[ums::ns::version] + " goes on";
  }
  return out;
}

void add_columns(std::map<ums::ns, runtime::report>& reports, const std::string& data_dir) {
  auto history = state::schema_history::open(data_dir);
  if (!history)
    return;
  for (auto& [name, r] : reports) {
    int64_t version = 0;
    const auto& text = name[ums::ns::version];
    std::from_chars(text.data(), text.data() + text.size(), version);
    auto found = history->find(state::schema_history::table_of(name), version);
    if (!found || !*found)
      continue;
    r.figures["schema_version"] = version;
    r.texts["columns"] = columns_text((*found)->fields);
  }
}

} // namespace rtdp::extract
