#include "runtime/sql/parse.hpp"

#include "runtime/sql/engine.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::sql {

using nlohmann::json;

std::string place(std::string_view text, size_t at) {
  auto before = text.substr(0, std::min(at, text.size()));
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  auto start = before.rfind('\n');
  auto rest = before.substr(start == std::string_view::npos ? 0 : start + 1);
  // Bytes 10xxxxxx continue a character of UTF-8.
  auto column =
      1 + std::count_if(rest.begin(), rest.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return fmt::format("line {}, column {}: ", line, column);
}

error error_in(std::string_view text, const failure& why) {
  auto at = why.position.value_or(std::string_view::npos);
  if (at > text.size() && !why.name.empty())
    at = text.find(why.name);
  return rejected((at <= text.size() ? place(text, at) : "") + why.text);
}

bool same_name(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

namespace {

/// Table functions that read nothing but their arguments.
constexpr std::string_view pure_functions[] = {"unnest",    "range",     "generate_series",
                                               "json_each", "json_tree", "repeat"};
constexpr const char* no_outside =
    "a sql step reads only its batch: no files, no system tables, no functions that read";

std::string text_of(const json& node, const char* key) {
  auto at = node.find(key);
  return at != node.end() && at->is_string() ? at->get<std::string>() : std::string();
}

size_t position_of(const json& node) {
  auto at = node.find("query_location");
  // DuckDB writes 2^64-1 for "unknown".
  return at != node.end() && at->is_number_unsigned() && at->get<uint64_t>() < UINT32_MAX
             ? at->get<size_t>()
             : 0;
}

bool is_list(const json& node, const char* key) {
  auto at = node.find(key);
  return at != node.end() && at->is_array() && !at->empty();
}

/// Calls `visit` with every object of the tree that has a type.
template<class Node, class Visit>
void walk(Node& node, const Visit& visit) {
  if (node.is_object() && node.contains("type") && node["type"].is_string())
    visit(node);
  if (node.is_structured())
    for (auto& child : node)
      walk(child, visit);
}

/// Names that WITH introduces, anywhere. DuckDB gives no position; the name's first place will do.
void collect_with(const json& node, std::string_view text, std::vector<reference>& out) {
  walk(node, [&](const json& at) {
    if (auto map = at.find("cte_map"); map != at.end() && map->is_object())
      for (const auto& entry : map->value("map", json::array()))
        if (auto name = text_of(entry, "key"); !name.empty())
          out.push_back({name, std::min(text.find(name), text.size())});
  });
}

bool names(const std::vector<reference>& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](const reference& r) { return same_name(r.name, name); });
}

bool is_batch_table(const json& node, const std::vector<reference>& with) {
  return text_of(node, "type") == "BASE_TABLE" &&
         !(text_of(node, "schema_name").empty() && names(with, text_of(node, "table_name")));
}

/// The top node below what only wraps it.
template<class Node>
Node& top_of(Node& tree) {
  auto* node = &tree["statements"][0]["node"];
  while (node->is_object() && node->value("type", "") == "CTE_NODE" && node->contains("child"))
    node = &(*node)["child"];
  return *node;
}

output output_of(const json& item) {
  output found;
  auto type = text_of(item, "type");
  if (type == "COLUMN_REF" && is_list(item, "column_names")) {
    found.kind = output::kind::column;
    found.column = item["column_names"].back().get<std::string>();
  } else if (type == "STAR") {
    found.kind = output::kind::star;
    for (const auto& entry : item.value("replace_list", json::array()))
      found.replaced.push_back(text_of(entry, "key"));
    if (is_list(item, "rename_list"))
      found.kind = output::kind::expanded;
  } else {
    walk(item, [&](const json& node) {
      if (text_of(node, "type") == "STAR")
        found.kind = output::kind::expanded;
    });
  }
  return found;
}

std::string first_sentence_of(const json& tree) {
  auto text = text_of(tree, "error_message");
  return text_of(tree, "error_type") == "not implemented"
             ? "a sql step is one SELECT; found another statement"
             : text;
}

} // namespace

result<select_tree> select_tree::parse(engine& db, std::string text) {
  try {
    return parse_checked(db, std::move(text));
  } catch (const json::exception& e) {
    return rejected(fmt::format("DuckDB's parser gave an unknown tree: {}", e.what()));
  }
}

result<select_tree> select_tree::parse_checked(engine& db, std::string text) {
  if (text.find('\0') != std::string::npos)
    return rejected(place(text, text.find('\0')) + "the text holds a NUL character");
  select_tree made;
  made.text_ = std::move(text);
  std::string serialized;
  if (auto why = db.call("json_serialize_sql", made.text_, serialized))
    return error_in(made.text_, *why);
  auto tree = json::parse(serialized, nullptr, /*allow_exceptions=*/false);
  if (!tree.is_object())
    return rejected("DuckDB's parser gave no tree");
  if (tree.value("error", false)) {
    failure why{"Parser", first_sentence_of(tree), {}, ""};
    if (auto at = text_of(tree, "position"); !at.empty())
      why.position = std::strtoull(at.c_str(), nullptr, 10);
    return error_in(made.text_, why);
  }
  auto count = tree.value("statements", json::array()).size();
  if (count != 1)
    return rejected(fmt::format("a sql step is one SELECT; found {} statements", count));
  made.tree_ = std::make_shared<const json>(std::move(tree));
  if (auto e = made.read_tree())
    return e;
  if (auto e = made.read_top())
    return e;
  return made;
}

error select_tree::read_tree() {
  collect_with(*tree_, text_, with_);
  error found;
  auto refuse = [&](size_t at, const std::string& why) {
    if (!found)
      found = rejected(place(text_, at) + why);
  };
  walk(*tree_, [&](const json& node) {
    auto type = text_of(node, "type");
    auto at = position_of(node);
    if (type == "SHOW_REF") {
      refuse(at, "a sql step is one SELECT; found DESCRIBE, SHOW or SUMMARIZE");
    } else if (type == "VALUE_PARAMETER") {
      refuse(at, "a sql step has no parameters; found $" + text_of(node, "identifier"));
    } else if (type == "TABLE_FUNCTION") {
      auto name = text_of(node.value("function", json::object()), "function_name");
      if (std::find(std::begin(pure_functions), std::end(pure_functions), name) ==
          std::end(pure_functions))
        refuse(at, fmt::format("function {} cannot stand in FROM; {}", name, no_outside));
    } else if (type == "COLUMN_REF" && is_list(node, "column_names")) {
      columns_.push_back({node["column_names"].back().get<std::string>(), at});
    } else if (is_batch_table(node, with_)) {
      auto name = text_of(node, "table_name");
      if (!text_of(node, "schema_name").empty() || !text_of(node, "catalog_name").empty())
        refuse(at, fmt::format("table {}.{}: write the table's name alone, or batch; {}",
                               text_of(node, "schema_name"), name, no_outside));
      tables_.push_back({name, at});
    }
  });
  return found;
}

error select_tree::read_top() {
  const auto& top = top_of(*tree_);
  auto modifiers = top.value("modifiers", json::array());
  auto modified = [&](const char* how) {
    return std::any_of(modifiers.begin(), modifiers.end(),
                       [&](const json& m) { return text_of(m, "type") == how; });
  };
  ordered_ = modified("ORDER_MODIFIER");
  if (text_of(top, "type") != "SELECT_NODE")
    return {};
  for (const auto& item : top.value("select_list", json::array()))
    outputs_.push_back(output_of(item));
  auto from = top.value("from_table", json::object());
  direct_ = is_batch_table(from, with_) && !is_list(from, "column_name_alias");
  may_add_ = !modified("DISTINCT_MODIFIER") && !is_list(top, "group_expressions") &&
             !is_list(top, "group_sets") &&
             text_of(top, "aggregate_handling") == "STANDARD_HANDLING";
  return {};
}

result<std::string> select_tree::rewritten(engine& db, const std::string& to,
                                           const std::vector<std::string>& added) const {
  try {
    return rewritten_checked(db, to, added);
  } catch (const json::exception& e) {
    return rejected(fmt::format("DuckDB's parser gave an unknown tree: {}", e.what()));
  }
}

result<std::string> select_tree::rewritten_checked(engine& db, const std::string& to,
                                                   const std::vector<std::string>& added) const {
  auto tree = *tree_;
  walk(tree, [&](json& node) {
    if (!is_batch_table(node, with_))
      return;
    if (text_of(node, "alias").empty())
      node["alias"] = node["table_name"];
    node["table_name"] = to;
  });
  for (const auto& name : added)
    top_of(tree)["select_list"].push_back({{"class", "COLUMN_REF"},
                                           {"type", "COLUMN_REF"},
                                           {"alias", ""},
                                           {"query_location", UINT64_MAX},
                                           {"column_names", {name}}});
  std::string text;
  if (auto why = db.call("json_deserialize_sql", tree.dump(), text))
    return error_in(text_, *why);
  return text;
}

} // namespace rtdp::sql
