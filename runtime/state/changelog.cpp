#include "runtime/state/changelog.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::state {
namespace {

using json = nlohmann::json;

json shown(state_point p) { return json::array({p.incarnation, p.version}); }

bool take(const json& object, const char* name, int64_t& into) {
  auto at = object.find(name);
  if (at == object.end() || !at->is_number_integer())
    return false;
  into = at->get<int64_t>();
  return true;
}

bool take(const json& object, const char* name, state_point& into) {
  auto at = object.find(name);
  if (at == object.end() || !at->is_array() || at->size() != 2 || !(*at)[0].is_number_integer() ||
      !(*at)[1].is_number_integer())
    return false;
  into = {(*at)[0].get<int64_t>(), (*at)[1].get<int64_t>()};
  return true;
}

} // namespace

std::string encode(const record_header& h, std::string_view bytes) {
  bool is_snapshot = h.kind == record_kind::snapshot;
  json object{{"kind", is_snapshot ? "snapshot" : "change"},
              {"of", shown(h.of)},
              {"from", shown(h.from)},
              {"committed", shown(h.committed)},
              {"last_id", h.last_id},
              {"piece", h.piece},
              {"pieces", h.pieces}};
  if (is_snapshot) {
    object["part"] = h.part;
    object["is_last"] = h.is_last;
  }
  auto out = object.dump();
  out += '\n';
  out += bytes;
  return out;
}

result<decoded_record> decode(std::string_view message) {
  auto end = message.find('\n');
  auto object = json::parse(message.substr(0, end), nullptr, false);
  decoded_record out;
  auto& h = out.header;
  bool fits = end != message.npos && object.is_object() && object.contains("kind") &&
              take(object, "of", h.of) && take(object, "from", h.from) &&
              take(object, "committed", h.committed) && take(object, "last_id", h.last_id) &&
              take(object, "piece", h.piece) && take(object, "pieces", h.pieces);
  if (fits && object["kind"] == "snapshot") {
    h.kind = record_kind::snapshot;
    fits = take(object, "part", h.part) && object.contains("is_last") &&
           object["is_last"].is_boolean();
    h.is_last = fits && object["is_last"].get<bool>();
  }
  if (!fits)
    return rejected("a record of a changelog must begin with a line of JSON that rtdp wrote, found: " +
                    std::string(message.substr(0, std::min<size_t>(end, 80))));
  out.bytes = message.substr(end + 1);
  return out;
}

// -- index --------------------------------------------------------------------

bool changelog_index::snapshot::is_complete() const {
  return last >= 0 && int64_t(parts.size()) == last + 1 &&
         std::all_of(parts.begin(), parts.end(), [](auto& p) { return p.second.is_complete(); });
}

error changelog_index::add(int64_t offset, std::string_view key, std::string_view value) {
  if (value.empty()) {
    keys_.erase(std::string(key));
    return {};
  }
  auto record = decode(value);
  if (!record)
    return record.error();
  const auto& h = record->header;
  keys_.emplace(key);
  last_id_ = std::max(last_id_, h.last_id);
  last_version_ = std::max(last_version_, h.of.version);
  if (h.committed.version >= last_committed_.version)
    last_committed_ = h.committed;
  auto& of = all_[h.of.incarnation];
  of.from = h.from;
  bool is_change = h.kind == record_kind::change;
  auto& into = is_change ? of.changes[h.of.version] : of.snapshots[h.of.version].parts[h.part];
  into.count = h.pieces;
  // Appended twice, after an answer that got lost, it is the same.
  bool is_new = into.offsets.emplace(h.piece, offset).second;
  if (is_change) {
    bytes_ += is_new ? value.size() : 0;
    return {};
  }
  auto& s = of.snapshots[h.of.version];
  s.last = h.is_last ? h.part : s.last;
  if (s.is_complete())
    bytes_ = 0;
  return {};
}

int64_t changelog_index::collect(const incarnation& of, int64_t after, int64_t upto,
                                 std::vector<int64_t>& offsets) {
  std::vector<int64_t> found;
  for (auto v = after + 1; v <= upto; ++v) {
    auto at = of.changes.find(v);
    if (at == of.changes.end() || !at->second.is_complete())
      return v;
    for (const auto& [piece, offset] : at->second.offsets)
      found.push_back(offset);
  }
  offsets.insert(offsets.begin(), found.begin(), found.end());
  return 0;
}

result<changelog_index::plan> changelog_index::walk(state_point have, state_point wanted,
                                                    bool snapshots) const {
  plan out;
  auto missing = [&](state_point p) {
    return rejected("the changelog does not hold what leads to state " + p.text());
  };
  for (auto at = wanted;;) {
    if (at.is_empty()) {
      out.from_nothing = !have.is_empty() || snapshots;
      return out;
    }
    auto known = all_.find(at.incarnation);
    bool is_here = have.incarnation == at.incarnation && have.version <= at.version;
    if (is_here && have.version == at.version && !snapshots)
      return out;
    if (known == all_.end())
      return missing(at);
    const auto& of = known->second;
    if (is_here && !snapshots) {
      if (auto hole = collect(of, have.version, at.version, out.offsets))
        return missing({at.incarnation, hole});
      return out;
    }
    auto snap = of.snapshots.upper_bound(at.version);
    while (snapshots && snap != of.snapshots.begin())
      if ((--snap)->second.is_complete()) {
        if (auto hole = collect(of, snap->first, at.version, out.offsets))
          return missing({at.incarnation, hole});
        std::vector<int64_t> parts;
        for (const auto& [part, p] : snap->second.parts)
          for (const auto& [piece, offset] : p.offsets)
            parts.push_back(offset);
        out.offsets.insert(out.offsets.begin(), parts.begin(), parts.end());
        out.from_nothing = true;
        return out;
      }
    if (auto hole = collect(of, of.from.version, at.version, out.offsets))
      return missing({at.incarnation, hole});
    at = of.from;
  }
}

result<changelog_index::plan> changelog_index::way(state_point have, state_point wanted) const {
  // From the empty state a snapshot leads there faster than all changes that there were.
  if (!have.is_empty())
    if (auto short_way = walk(have, wanted, false); short_way && !short_way->from_nothing)
      return short_way;
  return walk(have, wanted, true);
}

void changelog_index::forget(int64_t version) {
  for (auto& [name, of] : all_)
    of.changes.erase(of.changes.begin(), of.changes.upper_bound(version));
}

} // namespace rtdp::state
