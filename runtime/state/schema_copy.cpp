/// The history of a source as texts, and back: how it reaches another node. A text is an array: of a
/// version of a table "v", the table and the row; of a line's number "l" and the row.
#include "runtime/state/schema_history.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::state {

namespace {

using json = nlohmann::json;
using texts = std::map<std::string, std::string>;

/// The lines of a source: its own name, or that and what tells the shard.
constexpr const char* of_source = "(line = ?1 OR substr(line, 1, length(?1) + 1) = ?1 || '/')";

std::string text_of(const json& row) {
  return row.dump(-1, ' ', false, json::error_handler_t::replace);
}

error put_version(database& db, const json& row) {
  auto put =
      db.prepare("INSERT OR REPLACE INTO table_version VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  if (!put)
    return put.error();
  auto table = row.at(1).get<std::string>(), place = row.at(7).get<std::string>();
  auto fields = row.at(8).get<std::string>();
  put->bind(1, std::string_view(table));
  for (int i = 2; i <= 6; ++i)
    put->bind(i, row.at(size_t(i)).get<int64_t>());
  put->bind(7, std::string_view(place)).bind(8, std::string_view(fields));
  return put->run();
}

error put_line(database& db, const json& row) {
  auto put = db.prepare("INSERT OR REPLACE INTO line_version(tbl, line, number, version) "
                        "VALUES (?1, ?2, ?3, ?4)");
  if (!put)
    return put.error();
  auto table = row.at(1).get<std::string>(), line = row.at(2).get<std::string>();
  put->bind(1, std::string_view(table)).bind(2, std::string_view(line));
  put->bind(3, row.at(3).get<int64_t>()).bind(4, row.at(4).get<int64_t>());
  return put->run();
}

} // namespace

result<texts> schema_history::copy_of(const std::string& source) {
  texts out;
  if (auto failed = copy_versions(source, out))
    return failed;
  if (auto failed = copy_lines(source, out))
    return failed;
  return out;
}

error schema_history::copy_versions(const std::string& source, texts& out) {
  auto query = db_.prepare("SELECT tbl, version, previous, decision, published_as, at_us, place, "
                           "fields FROM table_version WHERE tbl IN "
                           "(SELECT tbl FROM line_version WHERE " +
                           std::string(of_source) + ")");
  if (!query)
    return query.error();
  query->bind(1, std::string_view(source));
  for (;;) {
    auto row = query->step();
    if (!row || !*row)
      return row ? error{} : row.error();
    auto text = json::array({"v", std::string(query->text(0))});
    for (int i = 1; i <= 5; ++i)
      text.push_back(query->integer(i));
    text.push_back(std::string(query->text(6)));
    text.push_back(std::string(query->text(7)));
    out[source + "\nv\n" + std::string(query->text(0)) + '\n' + std::to_string(query->integer(1))] =
        text_of(text);
  }
}

error schema_history::copy_lines(const std::string& source, texts& out) {
  auto query = db_.prepare("SELECT tbl, line, number, version, seq FROM line_version WHERE " +
                           std::string(of_source));
  if (!query)
    return query.error();
  query->bind(1, std::string_view(source));
  for (;;) {
    auto row = query->step();
    if (!row || !*row)
      return row ? error{} : row.error();
    std::string table(query->text(0)), line(query->text(1));
    auto number = query->integer(2);
    out[source + "\nl\n" + table + '\n' + line + '\n' + std::to_string(number)] =
        text_of(json::array({"l", table, line, number, query->integer(3), query->integer(4)}));
  }
}

error schema_history::forget_lines(const std::string& source) {
  auto forget = db_.prepare("DELETE FROM line_version WHERE " + std::string(of_source));
  if (!forget)
    return forget.error();
  forget->bind(1, std::string_view(source));
  return forget->run();
}

error schema_history::adopt(const std::string& source, const texts& copy) {
  std::vector<json> versions, lines;
  try {
    for (const auto& [key, text] : copy) {
      auto row = json::parse(text);
      (row.at(0) == "v" ? versions : lines).push_back(std::move(row));
    }
    // Numbers of a line count in the order in which they were met.
    std::sort(lines.begin(), lines.end(), [](const json& a, const json& b) {
      return a.at(5).get<int64_t>() < b.at(5).get<int64_t>();
    });
    auto work = transaction::begin(db_);
    if (!work)
      return work.error();
    if (auto failed = forget_lines(source))
      return failed;
    for (const auto& row : versions)
      if (auto failed = put_version(db_, row))
        return failed;
    for (const auto& row : lines)
      if (auto failed = put_line(db_, row))
        return failed;
    return work->commit();
  } catch (const json::exception& e) {
    return rejected("the copied schema history of source " + source +
                    " is damaged: " + std::string(e.what()));
  }
}

} // namespace rtdp::state
