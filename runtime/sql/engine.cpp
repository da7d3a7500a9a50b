#include "runtime/sql/engine.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::sql {

namespace {

using pending = handle<duckdb_pending_result, duckdb_destroy_pending>;

/// DuckDB's message is JSON (errors_as_json), some with "Binder Error: " in front.
failure failure_of(const char* message) {
  std::string_view text = message == nullptr ? "no reason given" : message;
  auto json = nlohmann::json::parse(text.substr(std::min(text.find('{'), text.size())), nullptr,
                                    /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("exception_message"))
    return {"", std::string(text), {}, ""};
  failure found;
  found.kind = json.value("exception_type", "");
  found.text = json.value("exception_message", "");
  found.name = json.value("name", "");
  std::replace(found.text.begin(), found.text.end(), '\n', ' ');
  if (auto at = json.find("position"); at != json.end() && at->is_string())
    found.position = std::strtoull(at->get_ref<const std::string&>().c_str(), nullptr, 10);
  return found;
}

} // namespace

bool failure::is_about_a_row() const {
  constexpr std::string_view kinds[] = {"Conversion",    "Out of Range", "Invalid Input",
                                        "Mismatch Type", "Decimal",      "Divide by Zero",
                                        "Invalid type"};
  return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (char c : name)
    text.append(c == '"' ? 2 : 1, c);
  return text += '"';
}

result<std::unique_ptr<engine>> engine::open(const limits& most) {
  std::unique_ptr<engine> db(new engine(most));
  handle<duckdb_config, duckdb_destroy_config> config;
  auto memory = fmt::format("{}MiB", most.memory_mb);
  // One thread: a batch is too small to share, and the rows of a key keep their order.
  const std::pair<const char*, const char*> options[] = {{"threads", "1"},
                                                         {"memory_limit", memory.c_str()},
                                                         {"autoload_known_extensions", "false"},
                                                         {"autoinstall_known_extensions", "false"},
                                                         {"allow_community_extensions", "false"}};
  if (duckdb_create_config(config.out()) == DuckDBError)
    return unavailable("DuckDB: no memory for its configuration");
  for (auto [name, value] : options)
    if (duckdb_set_config(config.get(), name, value) == DuckDBError)
      return rejected(fmt::format("DuckDB refuses the setting {} = {}", name, value));
  char* message = nullptr;
  if (duckdb_open_ext(nullptr, db->database_.out(), config.get(), &message) == DuckDBError) {
    std::string reason = message == nullptr ? "no reason given" : message;
    duckdb_free(message);
    return unavailable("DuckDB does not open a database in memory: " + reason);
  }
  if (duckdb_connect(db->database_.get(), db->connection_.out()) == DuckDBError)
    return unavailable("DuckDB does not open a connection to its own database");
  if (auto why = db->lock_down())
    return rejected("DuckDB cannot be set up: " + why->text);
  return db;
}

std::optional<failure> engine::lock_down() {
  // The order matters: nothing can be set any more after the last one. An empty temp_directory
  // keeps DuckDB from spilling into the working directory.
  for (const char* statement :
       {"SET errors_as_json = true", "SET temp_directory = ''", "SET TimeZone = 'UTC'",
        "SET preserve_insertion_order = true", "SET enable_external_access = false",
        "SET lock_configuration = true"})
    if (auto why = run(std::string(statement)))
      return why;
  return {};
}

std::optional<failure> engine::prepare(const std::string& text, prepared& out) {
  prepared fresh;
  if (duckdb_prepare(connection_.get(), text.c_str(), fresh.out()) == DuckDBError)
    return failure_of(duckdb_prepare_error(fresh.get()));
  out = std::move(fresh);
  return {};
}

std::optional<failure> engine::run(const prepared& statement, query_result& out) {
  auto deadline = std::chrono::steady_clock::now() + limits_.time;
  pending work;
  if (duckdb_pending_prepared(statement.get(), work.out()) == DuckDBError)
    return failure_of(duckdb_pending_error(work.get()));
  bool late = false;
  for (;;) {
    auto state = duckdb_pending_execute_task(work.get());
    if (state == DUCKDB_PENDING_ERROR && !late)
      return failure_of(duckdb_pending_error(work.get()));
    if (state == DUCKDB_PENDING_ERROR)
      return failure{
          "Timeout", fmt::format("the query took longer than {} ms", limits_.time.count()), {}, ""};
    if (duckdb_pending_execution_is_finished(state))
      break;
    // An execution that is only dropped stays in memory with its database; an interrupted one ends
    // with an error at its next task.
    if (!late && std::chrono::steady_clock::now() > deadline) {
      duckdb_interrupt(connection_.get());
      late = true;
    }
  }
  query_result fresh;
  if (duckdb_execute_pending(work.get(), fresh.out()) == DuckDBError)
    return failure_of(duckdb_result_error(fresh.out()));
  out = std::move(fresh);
  return {};
}

std::optional<failure> engine::run(const std::string& text) {
  query_result ignored;
  if (duckdb_query(connection_.get(), text.c_str(), ignored.out()) == DuckDBError)
    return failure_of(duckdb_result_error(ignored.out()));
  return {};
}

std::optional<failure> engine::call(const std::string& function, std::string_view argument,
                                    std::string& out) {
  prepared statement;
  if (auto why = prepare("SELECT " + function + "($1::VARCHAR)::VARCHAR", statement))
    return why;
  if (duckdb_bind_varchar_length(statement.get(), 1, argument.data(), argument.size()) ==
      DuckDBError)
    return failure{"Invalid Input", "the text is not valid UTF-8", {}, ""};
  query_result found;
  if (auto why = run(statement, found))
    return why;
  data_chunk rows(duckdb_fetch_chunk(*found.out()));
  if (rows.get() == nullptr || duckdb_data_chunk_get_size(rows.get()) != 1)
    return failure{"", function + " gave no row", {}, ""};
  auto* cells = static_cast<duckdb_string_t*>(
      duckdb_vector_get_data(duckdb_data_chunk_get_vector(rows.get(), 0)));
  out.assign(duckdb_string_t_data(cells), duckdb_string_t_length(*cells));
  return {};
}

} // namespace rtdp::sql
