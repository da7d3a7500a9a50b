/// The settings of a `postgres` source, declared once and read into what the driver works with.
#pragma once

#include "actors/extract/postgres_slot.hpp"
#include "actors/extract/postgres_tables.hpp"
#include "actors/extract/snapshot_settings.hpp"
#include "config/spec.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::extract::pg {

struct settings {
  /// Of ordinary connections, and of those that take replication commands.
  connection::options connect, replicate;
  /// As named in the file: `*` not yet replaced by the tables there are.
  std::vector<captured_table> tables;
  /// Set when a table's name cannot be read; what `open` answers.
  error tables_wrong;
  std::string slot, publication;
  /// The source's.
  std::string name = {};
  bool create = true, initial = true;
  /// After a lost position: begin anew.
  bool resnapshot = false;
  /// Of a cluster: whoever else reads the slot is ended.
  bool take_over = false;
  std::chrono::milliseconds heartbeat{}, status{};
  snapshot_settings chunks = {};
  /// Empty: marks go by the clock.
  std::optional<table_name> heartbeat_table = {};
};

config::spec settings_spec();
/// What an item of `tables:` stands for.
result<ums::ns> table_pattern(const std::string& source, const std::string& item);
/// `name` is the source's.
settings read_settings(const std::string& name, const config::section& given);

} // namespace rtdp::extract::pg
