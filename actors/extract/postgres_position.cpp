#include "actors/extract/postgres_position.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace rtdp::extract::pg {

namespace {

/// One identifier of `text` from `at` on, which moves behind it.
std::optional<std::string> read_identifier(std::string_view text, size_t& at) {
  std::string out;
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size(); ++at) {
      if (text[at] != '"') {
        out += text[at];
      } else if (text.substr(at + 1, 1) == "\"") {
        out += text[at++];
      } else {
        ++at;
        return out.empty() ? std::nullopt : std::optional(out);
      }
    }
    return {};
  }
  for (; at < text.size() && text[at] != '.'; ++at) {
    auto c = text[at];
    if (c == '"' || c == ' ')
      return {};
    out += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  }
  return out.empty() ? std::nullopt : std::optional(out);
}

bool precedes(uint32_t a, uint32_t b) { return int32_t(a - b) < 0; }

template<class T>
bool read_number(std::string_view text, T& out) {
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc{} && end == text.data() + text.size();
}

error not_a_position(std::string_view text) {
  return rejected("position: expected \"<log position> <changes> [tables]\"; found \"" +
                  std::string(text.substr(0, 200)) + "\"");
}

void to_json(nlohmann::json& j, const table_state& t) {
  j = {{"schema", t.name.schema},
       {"table", t.name.table},
       {"version", t.version},
       {"shape", t.shape},
       {"snapshot", std::string(1, t.snapshot)}};
  if (t.oid != 0)
    j.update({{"oid", t.oid}, {"origin", t.origin}, {"since", t.since}});
  if (!t.key.empty())
    j["key"] = t.key;
  if (t.seen.before != 0)
    j["seen"] = {{"xmin", t.seen.xmin},
                 {"xmax", t.seen.xmax},
                 {"running", t.seen.running},
                 {"before", t.seen.before}};
}

table_state state_from(const nlohmann::json& j) {
  table_state t;
  t.name = {j.at("schema").get<std::string>(), j.at("table").get<std::string>()};
  t.version = j.at("version").get<int64_t>();
  t.shape = j.at("shape").get<uint64_t>();
  t.snapshot = j.at("snapshot").get<std::string>() == "d" ? table_state::done : table_state::begun;
  t.oid = j.value("oid", uint32_t{0});
  t.origin = j.value("origin", std::string());
  t.since = j.value("since", lsn{0});
  t.key = j.value("key", std::vector<std::string>());
  if (j.contains("seen")) {
    const auto& s = j["seen"];
    t.seen = {s.at("xmin").get<uint32_t>(), s.at("xmax").get<uint32_t>(),
              s.at("running").get<std::vector<uint32_t>>(), s.at("before").get<lsn>()};
  }
  return t;
}

} // namespace

result<table_name> parse_table_name(std::string_view text) {
  size_t at = 0;
  auto bad = [&] {
    return rejected(fmt::format("table name {}: expected schema.table or schema.*, with double "
                                "quotes around what is not a plain word; wrong at character {}",
                                text, at + 1));
  };
  auto first = read_identifier(text, at);
  if (!first)
    return bad();
  if (at == text.size() && *first != "*")
    return table_name{"public", *first};
  if (at == text.size() || text[at] != '.' || *first == "*")
    return bad();
  ++at;
  auto second = read_identifier(text, at);
  if (!second || at != text.size())
    return bad();
  return table_name{*first, *second};
}

bool seen_by::covers(uint32_t xid, lsn commit) const {
  if (commit >= before)
    return false;
  if (precedes(xid, xmin))
    return true;
  return precedes(xid, xmax) && !std::binary_search(running.begin(), running.end(), xid);
}

result<seen_by> parse_seen_by(std::string_view snapshot, std::string_view before) {
  seen_by out;
  auto bad = rejected("snapshot: expected xmin:xmax:running; found " + std::string(snapshot));
  auto at = parse_lsn(before);
  auto first = snapshot.find(':');
  auto second = snapshot.find(':', first + 1);
  uint64_t xmin = 0, xmax = 0;
  if (!at || first == snapshot.npos || second == snapshot.npos ||
      !read_number(snapshot.substr(0, first), xmin) ||
      !read_number(snapshot.substr(first + 1, second - first - 1), xmax))
    return bad;
  out.before = *at;
  // The numbers of the log are the lower halves of these.
  out.xmin = uint32_t(xmin);
  out.xmax = uint32_t(xmax);
  auto rest = snapshot.substr(second + 1);
  while (!rest.empty()) {
    auto end = std::min(rest.find(','), rest.size());
    uint64_t xid = 0;
    if (!read_number(rest.substr(0, end), xid))
      return bad;
    out.running.push_back(uint32_t(xid));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::sort(out.running.begin(), out.running.end());
  return out;
}

std::string planned_name(const table_name& t) { return t.schema + '.' + t.table; }

table_state* position::find(const table_name& name) {
  for (auto& t : tables)
    if (t.name == name)
      return &t;
  return nullptr;
}

std::vector<table_name> position::unread() const {
  std::vector<table_name> names;
  for (const auto& t : tables)
    if (t.snapshot == table_state::begun && plan.find(planned_name(t.name)) == nullptr)
      names.push_back(t.name);
  return names;
}

std::string position::text(const std::string& tables_text) const {
  return lsn_text(at) + " " + std::to_string(index) + " " + tables_text;
}

std::string position::tables_text() const {
  auto list = nlohmann::json::array();
  if (!server.system.empty())
    list.push_back({{"system", server.system}, {"timeline", server.timeline}});
  for (const auto& t : tables) {
    nlohmann::json j;
    to_json(j, t);
    list.push_back(std::move(j));
  }
  auto text = list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return plan.empty() ? text : text + '\n' + plan.text();
}

result<lsn> lsn_of_position(std::string_view text) {
  auto at = parse_lsn(text.substr(0, text.find(' ')));
  if (!at)
    return not_a_position(text);
  return *at;
}

result<position> parse_position(std::string_view text) {
  position out;
  auto at = lsn_of_position(text);
  if (!at)
    return at.error();
  out.at = *at;
  auto first = text.find(' ');
  auto second = text.find(' ', first + 1);
  if (first == text.npos || second == text.npos ||
      !read_number(text.substr(first + 1, second - first - 1), out.index))
    return not_a_position(text);
  auto line = std::min(text.find('\n'), text.size());
  if (line < text.size()) {
    auto plan = snapshot_plan::parse(std::string(text.substr(line + 1)));
    if (!plan)
      return plan.error();
    out.plan = std::move(*plan);
  }
  try {
    for (const auto& j : nlohmann::json::parse(text.substr(second + 1, line - second - 1)))
      if (j.contains("system"))
        out.server = {j["system"].get<std::string>(), j.at("timeline").get<uint32_t>()};
      else
        out.tables.push_back(state_from(j));
  } catch (const nlohmann::json::exception&) {
    return not_a_position(text);
  }
  return out;
}

} // namespace rtdp::extract::pg
