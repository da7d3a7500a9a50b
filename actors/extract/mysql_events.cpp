#include "actors/extract/mysql_events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace rtdp::extract::my {

namespace {

constexpr size_t header_bytes = 19;
constexpr size_t checksum_bytes = 4;
constexpr uint64_t columns_max = 4096;

error short_event(std::string_view what) {
  return rejected(fmt::format("binary log: a {} event ends before it is complete", what));
}

/// Bytes of metadata that each type has in a table map.
size_t metadata_bytes(uint8_t type) {
  switch (type) {
  case 4:   // FLOAT
  case 5:   // DOUBLE
  case 17:  // TIMESTAMP2
  case 18:  // DATETIME2
  case 19:  // TIME2
  case 140: // BLOB_COMPRESSED
  case 245: // JSON
  case 249: // TINY_BLOB
  case 250: // MEDIUM_BLOB
  case 251: // LONG_BLOB
  case 252: // BLOB
  case 255: // GEOMETRY
    return 1;
  case 15:  // VARCHAR
  case 16:  // BIT
  case 141: // VARCHAR_COMPRESSED
  case 246: // NEWDECIMAL
  case 247: // ENUM
  case 248: // SET
  case 253: // VAR_STRING
  case 254: // STRING
    return 2;
  default:
    return 0;
  }
}

bool bit_at(std::string_view bits, size_t n) {
  return (uint8_t(bits[n / 8]) >> (n % 8) & 1) != 0;
}

bool is_number(uint8_t type) {
  switch (type) {
  case 1:
  case 2:
  case 3:
  case 4:
  case 5:
  case 8:
  case 9:
  case 13: // YEAR counts as one, always unsigned
  case 246:
    return true;
  default:
    return false;
  }
}

bool is_label_type(stored_column c) {
  auto real = c.type == 254 ? uint8_t(c.meta) : c.type;
  return real == 247 || real == 248;
}

bool is_text(stored_column c) {
  return !is_label_type(c) &&
         (c.type == 15 || c.type == 253 || c.type == 254 || (c.type >= 249 && c.type <= 252) ||
          c.type == 140 || c.type == 141);
}

bool read_text(std::string_view bytes, size_t& at, std::string& out) {
  uint64_t size = 0;
  if (!read_length(bytes, at, size) || size > bytes.size() - at)
    return false;
  out = bytes.substr(at, size);
  at += size;
  return true;
}

/// The fields that binlog_row_metadata adds: type, length, value.
class metadata_reader {
public:
  explicit metadata_reader(table_map& map) : map_(map), found_(map.columns.size()) {}

  bool read(std::string_view bytes) {
    for (size_t at = 0; at < bytes.size();) {
      auto type = uint8_t(bytes[at++]);
      uint64_t size = 0;
      if (!read_length(bytes, at, size) || size > bytes.size() - at)
        return false;
      if (!field(type, bytes.substr(at, size)))
        return false;
      at += size;
    }
    if (named_)
      map_.metadata = std::move(found_);
    return true;
  }

private:
  bool field(uint8_t type, std::string_view v) {
    switch (type) {
    case 1:
      return signs(v);
    case 2:
      return default_collation(v, is_text);
    case 3:
      return collations(v, is_text);
    case 4:
      return names(v);
    case 5:
      return labels(v, 248);
    case 6:
      return labels(v, 247);
    case 8:
      return keys(v, false);
    case 9:
      return keys(v, true);
    case 10:
      return default_collation(v, is_label_type);
    case 11:
      return collations(v, is_label_type);
    default:
      return true;
    }
  }
  bool signs(std::string_view v) {
    size_t n = 0;
    for (size_t i = 0; i < found_.size(); ++i)
      if (is_number(map_.columns[i].type)) {
        if (n / 8 >= v.size())
          return false;
        // From the highest bit down, unlike all other bitmaps.
        found_[i].is_unsigned = (uint8_t(v[n / 8]) >> (7 - n % 8) & 1) != 0;
        ++n;
      }
    return true;
  }
  bool default_collation(std::string_view v, bool (*of)(stored_column)) {
    size_t at = 0;
    uint64_t all = 0, index = 0, one = 0;
    if (!read_length(v, at, all))
      return false;
    std::vector<size_t> columns;
    for (size_t i = 0; i < found_.size(); ++i)
      if (of(map_.columns[i])) {
        found_[i].collation = uint32_t(all);
        columns.push_back(i);
      }
    while (at < v.size()) {
      if (!read_length(v, at, index) || !read_length(v, at, one) || index >= columns.size())
        return false;
      found_[columns[index]].collation = uint32_t(one);
    }
    return true;
  }
  bool collations(std::string_view v, bool (*of)(stored_column)) {
    size_t at = 0;
    uint64_t one = 0;
    for (size_t i = 0; i < found_.size(); ++i)
      if (of(map_.columns[i])) {
        if (!read_length(v, at, one))
          return false;
        found_[i].collation = uint32_t(one);
      }
    return true;
  }
  bool names(std::string_view v) {
    size_t at = 0;
    for (auto& c : found_)
      if (!read_text(v, at, c.name))
        return false;
    named_ = true;
    return true;
  }
  bool labels(std::string_view v, uint8_t type) {
    size_t at = 0;
    for (size_t i = 0; i < found_.size(); ++i) {
      auto c = map_.columns[i];
      if ((c.type == 254 ? uint8_t(c.meta) : c.type) != type)
        continue;
      uint64_t count = 0;
      if (!read_length(v, at, count) || count > v.size())
        return false;
      found_[i].labels.resize(count);
      for (auto& l : found_[i].labels)
        if (!read_text(v, at, l))
          return false;
    }
    return true;
  }
  bool keys(std::string_view v, bool with_prefix) {
    uint64_t index = 0, prefix = 0;
    for (size_t at = 0; at < v.size();) {
      if (!read_length(v, at, index) || (with_prefix && !read_length(v, at, prefix)) ||
          index >= found_.size())
        return false;
      found_[index].key = true;
    }
    return true;
  }

  table_map& map_;
  std::vector<column_metadata> found_;
  bool named_ = false;
};

bool read_columns(std::string_view b, size_t& at, table_map& out) {
  uint64_t count = 0, size = 0;
  if (!read_length(b, at, count) || count > columns_max || count > b.size() - at)
    return false;
  auto types = b.substr(at, count);
  at += count;
  if (!read_length(b, at, size) || size > b.size() - at)
    return false;
  auto meta = b.substr(at, size);
  at += size;
  size_t m = 0;
  for (char t : types) {
    auto bytes = metadata_bytes(uint8_t(t));
    if (meta.size() - m < bytes)
      return false;
    out.columns.push_back({uint8_t(t), uint16_t(little_endian(meta, m, bytes))});
    m += bytes;
  }
  auto bitmap = (count + 7) / 8;
  if (b.size() - at < bitmap)
    return false;
  for (size_t i = 0; i < count; ++i)
    out.nullable.push_back(bit_at(b.substr(at), i));
  at += bitmap;
  return true;
}

} // namespace

bool read_length(std::string_view bytes, size_t& at, uint64_t& out) {
  if (at >= bytes.size())
    return false;
  auto first = uint8_t(bytes[at++]);
  if (first < 251) {
    out = first;
    return true;
  }
  size_t size = first == 252 ? 2 : first == 253 ? 3 : first == 254 ? 8 : 0;
  if (size == 0 || bytes.size() - at < size)
    return false;
  out = little_endian(bytes, at, size);
  at += size;
  return true;
}

uint64_t little_endian(std::string_view bytes, size_t at, size_t size) {
  uint64_t n = 0;
  for (size_t i = size; i > 0; --i)
    n = n << 8 | uint8_t(bytes[at + i - 1]);
  return n;
}

result<event> parse_event(std::string_view bytes, bool with_checksum) {
  if (bytes.size() < header_bytes)
    return short_event("binary log");
  event e;
  e.timestamp = uint32_t(little_endian(bytes, 0, 4));
  e.type = event_type(uint8_t(bytes[4]));
  e.length = uint32_t(little_endian(bytes, 9, 4));
  e.next = uint32_t(little_endian(bytes, 13, 4));
  e.flags = uint16_t(little_endian(bytes, 17, 2));
  e.body = bytes.substr(header_bytes);
  // The format description has its own, always.
  if (with_checksum && e.type != event_type::format_description) {
    if (e.body.size() < checksum_bytes)
      return short_event("binary log");
    e.body.remove_suffix(checksum_bytes);
  }
  return e;
}

result<format_description> parse_format(const event& e) {
  constexpr size_t version_at = 2, version_bytes = 50, lengths_at = 57;
  if (e.body.size() < lengths_at + checksum_bytes + 1)
    return short_event("format description");
  format_description out;
  auto version = e.body.substr(version_at, version_bytes);
  out.server = version.substr(0, std::min(version.find('\0'), version.size()));
  auto algorithm = uint8_t(e.body[e.body.size() - checksum_bytes - 1]);
  if (algorithm > 1)
    return rejected(fmt::format("binary log: expected checksums NONE or CRC32; found kind {}",
                                algorithm));
  out.checksum = algorithm == 1;
  return out;
}

result<rotation> parse_rotation(const event& e) {
  if (e.body.size() < 9)
    return short_event("rotate");
  return rotation{std::string(e.body.substr(8)), little_endian(e.body, 0, 8)};
}

result<group> parse_group(std::string_view bytes, const event& e) {
  if (e.body.size() < 13 || bytes.size() < header_bytes)
    return short_event("GTID");
  auto flags = uint8_t(e.body[12]);
  return group{.domain = uint32_t(little_endian(e.body, 8, 4)),
               .server = uint32_t(little_endian(bytes, 5, 4)),
               .sequence = little_endian(e.body, 0, 8),
               .standalone = (flags & 0x01) != 0,
               .prepared_xa = (flags & 0x40) != 0};
}

result<statement> parse_statement(const event& e) {
  constexpr size_t fixed = 13;
  if (e.body.size() < fixed)
    return short_event("query");
  size_t database = uint8_t(e.body[8]);
  size_t status = little_endian(e.body, 11, 2);
  if (e.body.size() < fixed + status + database + 1)
    return short_event("query");
  return statement{e.body.substr(fixed + status, database),
                   e.body.substr(fixed + status + database + 1)};
}

result<table_map> parse_table_map(const event& e) {
  auto b = e.body;
  table_map out;
  size_t at = 8;
  if (b.size() < at + 1)
    return short_event("table map");
  out.id = little_endian(b, 0, 6);
  for (auto* name : {&out.database, &out.table}) {
    if (b.size() <= at || b.size() - at < size_t(uint8_t(b[at])) + 2)
      return short_event("table map");
    size_t size = uint8_t(b[at]);
    *name = b.substr(at + 1, size);
    at += size + 2;
  }
  if (!read_columns(b, at, out) || !metadata_reader(out).read(b.substr(at)))
    return short_event("table map");
  return out;
}

bool is_rows(event_type t) {
  auto n = unsigned(t);
  return (n >= 23 && n <= 25) || (n >= 30 && n <= 32);
}

result<row_frame> parse_rows(const event& e) {
  auto b = e.body;
  auto n = unsigned(e.type);
  bool second = n >= 30;
  row_frame out;
  out.op = "iud"[second ? n - 30 : n - 23];
  size_t at = 8;
  if (b.size() < at + 2)
    return short_event("rows");
  out.table = little_endian(b, 0, 6);
  if (second)
    at += little_endian(b, at, 2); // Counts its own two bytes.
  uint64_t columns = 0;
  if (at > b.size() || !read_length(b, at, columns) || columns > columns_max)
    return short_event("rows");
  out.columns = columns;
  auto bitmap = (columns + 7) / 8;
  for (int k = 0; k < (out.op == 'u' ? 2 : 1); ++k, at += bitmap) {
    if (b.size() - at < bitmap)
      return short_event("rows");
    for (size_t i = 0; i < columns; ++i)
      out.whole = out.whole && bit_at(b.substr(at, bitmap), i);
  }
  out.images = b.substr(at);
  return out;
}

} // namespace rtdp::extract::my
