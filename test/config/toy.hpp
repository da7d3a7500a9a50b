/// A catalogue of toy kinds and a world of known variables and files, for tests of config and for
/// its fuzz target. The planted secrets must not appear in any text for people.
#pragma once

#include "config/pipeline.hpp"

#include <map>
#include <string>
#include <vector>

namespace rtdp::config::toy {

inline constexpr const char* password = "s3cr3t-pl4nted";

inline catalogue kinds() {
  catalogue out;
  out.buses.push_back(spec{"embedded", "A log in the node's folder."}.add(
      field{"retention_bytes", int64_t{1} << 30, "Older messages go above it."}.range(0,
                                                                                      INT64_MAX)));
  out.buses.push_back(spec{"kafka", "Apache Kafka."}
                          .add(field{"brokers", texts{}, "host:port of some brokers."}.required())
                          .add({"sasl_password", secret{}, "Password of the user."}));
  out.shared_buses = {"kafka"};
  out.sources.push_back(
      spec{"postgres", "Reads a PostgreSQL database."}
          .add(
              field{"url", secret{}, "Where the database is."}.required().sample("${env:SHOP_URL}"))
          .add(field{"tables", sections{}, "What to read."}.required().of(
              {field{"name", std::string{}, "schema.table"}.required(),
               field{"before_images", false, "Send the row before an update, too."}})));
  out.sources.push_back(
      spec{"generator", "Makes rows."}
          .add(field{"rows_per_second", int64_t{1000}, "How many."}.range(1, 10'000'000))
          .add(field{"update_share", 0.25, "Part of the rows that are updates."}.range(0, 1)));
  out.sinks.push_back(
      spec{"postgres", "Writes a PostgreSQL database."}
          .add(field{"url", secret{}, "Where the database is."}.required())
          .add(field{"timeout", std::chrono::milliseconds{30'000}, "Of one write."}.range(
              100, 3'600'000)));
  out.sinks.push_back(spec{"print", "Prints rows."});
  out.steps.push_back(spec{"sql", "A select over the batch."}
                          .add(field{"select", std::string{}, "The statement."}.required())
                          .add(field{"memory_bytes", int64_t{64} << 20, "For one batch."}));
  out.steps.push_back(spec{"dedupe", "Drops repeated rows."});
  out.check_pattern = [](std::string_view pattern) {
    return pattern.find("..") != pattern.npos ? "an empty part in " + std::string(pattern)
                                              : std::string{};
  };
  out.check_step = [](const std::string& kind, const section& s) {
    return kind == "sql" && s.text("select").find("select") == std::string::npos
               ? "expects a select statement; found " + s.text("select")
               : std::string{};
  };
  return out;
}

inline world here() {
  static const std::map<std::string, std::string> variables{
      {"SHOP_URL", std::string("postgres://app:") + password + "@db/shop"},
      {"URL", std::string("postgres://app:") + password + "@db/dw"},
      {"PASSWORD", password},
      {"ROWS", "500"},
      {"MODE", password},
      {"EMPTY", ""},
      {"NESTED", "${env:PASSWORD}"}};
  static const std::map<std::string, std::string> files{
      {"/run/secrets/pw", std::string(password) + "\n"}, {"/two", "two\n\n"}, {"/dos", "dos\r\n"}};
  return {[](const std::string& name) -> std::optional<std::string> {
            auto it = variables.find(name);
            return it != variables.end() ? std::optional(it->second) : std::nullopt;
          },
          [](const std::string& path) -> file_text {
            auto it = files.find(path);
            return it != files.end() ? file_text{it->second, {}}
                                     : file_text{{}, "No such file or directory"};
          }};
}

/// "12 flows.orders.sink: unknown sink …", one for each problem.
inline std::vector<std::string> lines(const std::vector<problem>& problems) {
  std::vector<std::string> out;
  for (const auto& p : problems)
    out.push_back(std::to_string(p.line) + " " + (p.path.empty() ? "" : p.path + ": ") + p.text);
  return out;
}

inline checked checked_text(const std::string& text,
                            const std::vector<std::string>& overrides = {}) {
  return check(load_text(text, overrides, here()), kinds());
}

/// The problems of a whole file.
inline std::vector<std::string> problems_of(const std::string& text,
                                            const std::vector<std::string>& overrides = {}) {
  return lines(checked_text(text, overrides).problems);
}

} // namespace rtdp::config::toy
