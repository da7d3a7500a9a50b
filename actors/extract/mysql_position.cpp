#include "actors/extract/mysql_position.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>

namespace rtdp::extract::my {

namespace {

using nlohmann::json;

std::optional<std::string> read_identifier(std::string_view text, size_t& at) {
  std::string out;
  if (at < text.size() && (text[at] == '"' || text[at] == '`')) {
    auto quote = text[at];
    for (++at; at < text.size(); ++at) {
      if (text[at] != quote) {
        out += text[at];
      } else if (at + 1 < text.size() && text[at + 1] == quote) {
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
    if (c == '"' || c == '`' || c == ' ')
      return {};
    out += c;
  }
  return out.empty() ? std::nullopt : std::optional(out);
}

template<class T>
bool read_number(std::string_view text, T& out) {
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc{} && end == text.data() + text.size();
}

error not_a_position(std::string_view text) {
  return rejected("position: expected \"<log file>:<offset> <events> <changes> {tables}\"; found \"" +
                  std::string(text.substr(0, 200)) + "\"");
}

/// The number behind the last point: servers count their files.
uint64_t number_of(std::string_view file) {
  uint64_t n = 0;
  auto point = file.rfind('.');
  return point != file.npos && read_number(file.substr(point + 1), n) ? n : 0;
}

json to_json(const table_state& t) {
  json j = {{"database", t.name.database}, {"table", t.name.table}, {"version", t.version},
            {"shape", t.shape},            {"begun", t.begun},      {"charset", t.charset},
            {"columns", json::array()}};
  if (!t.lost.empty())
    j["lost"] = t.lost;
  for (const auto& c : t.columns) {
    json one = {{"n", c.name}, {"t", c.type}};
    if (!c.charset.empty())
      one["c"] = c.charset;
    if (!c.nullable)
      one["required"] = true;
    if (c.key)
      one["key"] = true;
    j["columns"].push_back(std::move(one));
  }
  return j;
}

table_state state_from(const json& j) {
  table_state t;
  t.name = {j.at("database").get<std::string>(), j.at("table").get<std::string>()};
  t.version = j.at("version").get<int64_t>();
  t.shape = j.at("shape").get<uint64_t>();
  t.begun = j.at("begun").get<bool>();
  t.lost = j.value("lost", "");
  t.charset = j.at("charset").get<std::string>();
  for (const auto& c : j.at("columns"))
    t.columns.push_back({.name = c.at("n").get<std::string>(),
                         .type = c.at("t").get<std::string>(),
                         .charset = c.value("c", ""),
                         .nullable = !c.value("required", false),
                         .key = c.value("key", false)});
  return t;
}

/// "file:offset events changes ", cut from the front of `text`.
bool read_place(std::string_view& text, position& out) {
  std::string_view words[3];
  for (auto& w : words) {
    auto end = text.find(' ');
    if (end == text.npos)
      return false;
    w = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  auto colon = words[0].rfind(':');
  if (colon == 0 || colon == text.npos)
    return false;
  out.at.file = words[0].substr(0, colon);
  return read_number(words[0].substr(colon + 1), out.at.offset) &&
         read_number(words[1], out.events) && read_number(words[2], out.changes);
}

} // namespace

result<table_name> parse_table_name(std::string_view text, const std::string& database) {
  size_t at = 0;
  auto bad = [&] {
    return rejected(fmt::format("table name {}: expected database.table or database.order_*, with double "
                                "quotes around what is not a plain word; wrong at character {}",
                                text, at + 1));
  };
  auto first = read_identifier(text, at);
  if (!first)
    return bad();
  if (at == text.size()) {
    if (database.empty())
      return rejected(fmt::format("table name {}: expected database.table, since the URL names no "
                                  "database", text));
    return table_name{database, *first};
  }
  // Stars stand for tables, not for databases.
  if (text[at] != '.' || first->find('*') != first->npos)
    return bad();
  ++at;
  auto second = read_identifier(text, at);
  if (!second || at != text.size())
    return bad();
  return table_name{*first, *second};
}

bool log_place::before(const log_place& other) const {
  if (file == other.file)
    return offset < other.offset;
  return number_of(file) < number_of(other.file);
}

std::string log_place::text() const { return fmt::format("{}:{}", file, offset); }

table_state* position::find(const table_name& name) {
  for (auto& t : tables)
    if (t.name == name)
      return &t;
  return nullptr;
}

std::string position::text(const std::string& tables_text) const {
  json head = {{"made", file_made}, {"gtid", gtid_text()}};
  if (!server_uuid.empty())
    head["uuid"] = server_uuid;
  if (!plan.empty())
    head["plan"] = plan.text();
  return fmt::format("{} {} {} {} {}", at.text(), events, changes, 
                     head.dump(-1, ' ', false, json::error_handler_t::replace), tables_text);
}

std::string position::tables_text() const {
  auto list = json::array();
  for (const auto& t : tables)
    list.push_back(to_json(t));
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string position::gtid_text() const {
  std::string out;
  for (const auto& [domain, last] : gtid)
    out += (out.empty() ? "" : ",") + last;
  return out;
}

result<position> parse_position(std::string_view text) {
  position out;
  auto rest = text;
  auto space = std::string_view::npos;
  if (!read_place(rest, out) || (space = rest.find("} [")) == rest.npos)
    return not_a_position(text);
  try {
    auto head = json::parse(rest.substr(0, space + 1));
    out.file_made = head.at("made").get<uint32_t>();
    out.server_uuid = head.value("uuid", "");
    auto list = head.at("gtid").get<std::string>();
    for (size_t at = 0; at < list.size();) {
      auto end = std::min(list.find(',', at), list.size());
      auto one = list.substr(at, end - at);
      uint32_t domain = 0;
      if (!read_number(std::string_view(one).substr(0, one.find('-')), domain))
        return not_a_position(text);
      out.gtid[domain] = one;
      at = end + 1;
    }
    if (head.contains("plan")) {
      auto plan = snapshot_plan::parse(head["plan"].get<std::string>());
      if (!plan)
        return plan.error();
      out.plan = std::move(*plan);
    }
    for (const auto& j : json::parse(rest.substr(space + 2)))
      out.tables.push_back(state_from(j));
  } catch (const json::exception&) {
    return not_a_position(text);
  }
  return out;
}

} // namespace rtdp::extract::my
