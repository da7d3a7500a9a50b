/// The settings of a `mysql` source, declared once and read into what the driver works with.
#pragma once

#include "actors/extract/mysql_catalog.hpp"
#include "actors/extract/snapshot_settings.hpp"
#include "config/spec.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace rtdp::extract::my {

struct settings {
  connection::options connect;
  /// As named in the file: `*` not yet replaced by the tables there are.
  std::vector<captured_table> tables;
  /// Set when the URL or a table's name cannot be read; what `open` answers.
  error wrong;
  /// 0: one is drawn.
  uint32_t server_id = 0;
  bool initial = true, resnapshot = false;
  zero_dates zeros = zero_dates::reject;
  snapshot_settings snapshots;
  std::chrono::milliseconds heartbeat{};
};

config::spec settings_spec();
/// What an item of `tables:` stands for.
result<ums::ns> table_pattern(const std::string& source, const std::string& item);
/// `name` is the source's.
settings read_settings(const std::string& name, const config::section& given);

} // namespace rtdp::extract::my
