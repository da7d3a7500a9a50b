#include "actors/sink/newest.hpp"

#include "runtime/ums/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace rtdp::sink {

namespace {

/// A key as bytes that compare as the key does; the first eight also as one number, which decides
/// nearly every comparison.
struct entry {
  uint64_t head;
  uint32_t begin, size;
  int64_t id;
  uint32_t row;
};

void append_big_endian(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out += char(value >> shift & 0xff);
}

void append_key_part(const ums::column& c, size_t row, std::string& out) {
  switch (storage_of(c.type())) {
  case ums::storage::ints:
    append_big_endian(uint64_t(c.ints()[row]) ^ uint64_t{1} << 63, out);
    return;
  case ums::storage::reals: {
    // -0.0 and every NaN are one key in SQL.
    auto v = c.reals()[row];
    auto bits = std::bit_cast<uint64_t>(std::isnan(v) ? std::nan("") : v == 0 ? 0.0 : v);
    append_big_endian(bits >> 63 ? ~bits : bits ^ uint64_t{1} << 63, out);
    return;
  }
  case ums::storage::texts: {
    // The length keeps ("a_b", "c") and ("a", "b_c") apart, at the end to leave the order alone.
    auto text = c.text(row);
    out += text;
    out += '\0';
    append_big_endian(text.size(), out);
    return;
  }
  }
}

uint64_t head_of(const char* bytes, size_t size) {
  unsigned char first[8] = {};
  std::memcpy(first, bytes, std::min<size_t>(size, 8));
  uint64_t head = 0;
  for (auto byte : first)
    head = head << 8 | byte;
  return head;
}

class key_order {
public:
  explicit key_order(const std::string& bytes) : bytes_(bytes) {}

  int compare(const entry& a, const entry& b) const {
    if (a.head != b.head)
      return a.head < b.head ? -1 : 1;
    auto order =
        std::memcmp(bytes_.data() + a.begin, bytes_.data() + b.begin, std::min(a.size, b.size));
    return order != 0 ? order : int(a.size) - int(b.size);
  }
  bool operator()(const entry& a, const entry& b) const {
    if (auto order = compare(a, b); order != 0)
      return order < 0;
    return a.id != b.id ? a.id < b.id : a.row < b.row;
  }

private:
  const std::string& bytes_;
};

error null_key(const ums::slice& rows, size_t row, const layout& to, const layout::column& key) {
  return rejected(fmt::format("key column {} is null in the row with {}; a key needs a value in "
                              "every part",
                              key.name, describe_row(*rows.data, row, to)));
}

} // namespace

std::string describe_row(const ums::batch& b, size_t row, const layout& to) {
  std::string out;
  for (const auto& key : to.keys) {
    out.append(key.name).append(" = ");
    if (b.columns[key.field].is_null(row))
      out += "NULL";
    else
      ums::append_cell(b.columns[key.field], row, out);
    out += ", ";
  }
  return out + fmt::format("ums_id_ {}", b.columns[to.id].ints()[row]);
}

result<picked> newest_rows(const ums::slice& rows, const layout& to) {
  const auto& b = *rows.data;
  const auto& ops = b.columns[to.op];
  auto op_of = [&](size_t row) { return ops.text(row).empty() ? 'i' : ops.text(row)[0]; };
  picked out;
  out.rows.reserve(rows.count);
  std::string bytes;
  std::vector<entry> entries;
  entries.reserve(to.keys.empty() ? 0 : rows.count);
  for (size_t row = rows.first; row < rows.first + rows.count; ++row) {
    if (op_of(row) == 'b')
      continue;
    if (to.keys.empty()) {
      out.rows.push_back(uint32_t(row));
      continue;
    }
    auto begin = bytes.size();
    for (const auto& key : to.keys) {
      if (b.columns[key.field].is_null(row))
        return null_key(rows, row, to, key);
      append_key_part(b.columns[key.field], row, bytes);
    }
    entries.push_back({head_of(bytes.data() + begin, bytes.size() - begin), uint32_t(begin),
                       uint32_t(bytes.size() - begin), b.columns[to.id].ints()[row],
                       uint32_t(row)});
  }
  key_order order(bytes);
  // Inserts mostly come in the order of their keys; then this is one pass.
  if (!std::is_sorted(entries.begin(), entries.end(), order))
    std::sort(entries.begin(), entries.end(), order);
  for (size_t i = 0; i < entries.size(); ++i)
    if (i + 1 == entries.size() || order.compare(entries[i], entries[i + 1]) != 0) {
      out.rows.push_back(entries[i].row);
      out.has_deletes |= op_of(entries[i].row) == 'd';
    }
  return out;
}

} // namespace rtdp::sink
