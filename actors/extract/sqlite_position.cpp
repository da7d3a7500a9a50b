#include "actors/extract/sqlite_position.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::extract::sqlite {

using nlohmann::json;

pending_table* position::find(std::string_view table) {
  auto at = std::find_if(pending.begin(), pending.end(),
                         [&](const pending_table& p) { return p.table == table; });
  return at == pending.end() ? nullptr : &*at;
}

std::string position::text() const {
  auto list = json::array();
  for (const auto& p : pending) {
    auto after = json::array();
    for (const auto& cell : p.after)
      after.push_back(cell.text());
    list.push_back({{"table", p.table}, {"after", std::move(after)}, {"rows", p.rows}});
  }
  json all{{"log", log}, {"seq", seq}, {"pending", std::move(list)}};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<position> position::parse(const std::string& text) {
  auto wrong = [&] { return rejected("not a position of the sqlite source: " + text); };
  auto all = json::parse(text, nullptr, false);
  if (!all.is_object() || !all.contains("log") || !all["log"].is_string() || !all.contains("seq") ||
      !all["seq"].is_number_integer() || !all.contains("pending") || !all["pending"].is_array())
    return wrong();
  position out{.log = all["log"], .seq = all["seq"], .pending = {}};
  for (const auto& p : all["pending"]) {
    if (!p.is_object() || !p.contains("table") || !p["table"].is_string() || !p.contains("after") ||
        !p["after"].is_array() || !p.contains("rows") || !p["rows"].is_number_integer())
      return wrong();
    pending_table table{.table = p["table"], .after = {}, .rows = p["rows"]};
    for (const auto& text_of_cell : p["after"]) {
      if (!text_of_cell.is_string())
        return wrong();
      auto cell = key_cell::parse(text_of_cell.get<std::string>());
      if (!cell)
        return cell.error();
      table.after.push_back(std::move(*cell));
    }
    out.pending.push_back(std::move(table));
  }
  return out;
}

} // namespace rtdp::extract::sqlite
