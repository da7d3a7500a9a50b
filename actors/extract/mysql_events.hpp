/// The events of a binary log as MariaDB and MySQL send them: headers, table maps, frames of row
/// images, statements. Pure functions over bytes that come from outside: nothing is read behind
/// their end. Values within row images are read by mysql_image.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::my {

enum class event_type : uint8_t {
  query = 2,
  stop = 3,
  rotate = 4,
  format_description = 15,
  xid = 16,
  table_map = 19,
  write_rows_v1 = 23,
  update_rows_v1 = 24,
  delete_rows_v1 = 25,
  incident = 26,
  heartbeat = 27,
  write_rows = 30,
  update_rows = 31,
  delete_rows = 32,
  mysql_gtid = 33,
  mysql_anonymous_gtid = 34,
  xa_prepare = 38,
  partial_update_rows = 39,
  transaction_payload = 40,
  annotate_rows = 160,
  gtid = 162,
  gtid_list = 163,
  start_encryption = 164,
  query_compressed = 165,
  write_rows_compressed_v1 = 166,
  delete_rows_compressed = 171,
};

struct event {
  event_type type{};
  /// Seconds since 1970.
  uint32_t timestamp = 0;
  /// Of the whole event in the log.
  uint32_t length = 0;
  /// Lower 32 bits of where the next event begins; 0 for what is not in the log.
  uint32_t next = 0;
  uint16_t flags = 0;
  /// Without header and checksum.
  std::string_view body;

  /// Made for this connection only, such as the first rotation.
  bool artificial() const { return (flags & 0x20) != 0; }
};

/// `with_checksum`: as the last format description said.
result<event> parse_event(std::string_view bytes, bool with_checksum);

struct format_description {
  std::string server;
  bool checksum = false;
};
result<format_description> parse_format(const event& e);

struct rotation {
  std::string file;
  uint64_t offset = 0;
};
result<rotation> parse_rotation(const event& e);

struct group {
  uint32_t domain = 0, server = 0;
  uint64_t sequence = 0;
  /// One statement, without a commit behind it.
  bool standalone = false;
  bool prepared_xa = false;
};
/// MariaDB's; the server's number stands in the header.
result<group> parse_group(std::string_view bytes, const event& e);

struct statement {
  std::string_view database, text;
};
result<statement> parse_statement(const event& e);

/// One column as the log stores it.
struct stored_column {
  uint8_t type = 0;
  /// Both bytes, the first one low, as far as the type has any.
  uint16_t meta = 0;
  bool operator==(const stored_column&) const = default;
};

/// What binlog_row_metadata adds about a column.
struct column_metadata {
  std::string name;
  bool is_unsigned = false;
  bool key = false;
  /// 0: not said.
  uint32_t collation = 0;
  std::vector<std::string> labels = {};
};

struct table_map {
  uint64_t id = 0;
  std::string database, table;
  std::vector<stored_column> columns;
  std::vector<bool> nullable;
  /// One per column, or empty when the log has no names.
  std::vector<column_metadata> metadata = {};
};
result<table_map> parse_table_map(const event& e);

struct row_frame {
  uint64_t table = 0;
  char op = 0;
  size_t columns = 0;
  /// False when the images leave columns out.
  bool whole = true;
  /// The images, one behind the other: before and after for 'u'.
  std::string_view images;
};
/// REQUIRES: a rows event, not compressed.
result<row_frame> parse_rows(const event& e);
bool is_rows(event_type t);

/// A value of lenenc-int at `at`, which moves behind it. False: the bytes end before.
bool read_length(std::string_view bytes, size_t& at, uint64_t& out);
/// `size` bytes, the first one lowest. REQUIRES: they are there.
uint64_t little_endian(std::string_view bytes, size_t at, size_t size);

} // namespace rtdp::extract::my
