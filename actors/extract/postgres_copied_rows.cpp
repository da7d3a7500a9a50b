#include "actors/extract/postgres_copied_rows.hpp"

namespace rtdp::extract::pg {

namespace {

/// Signature, flags and the length of an extension that no version has used.
constexpr size_t copy_header_bytes = 19;

int32_t length_at(std::string_view bytes, size_t at) {
  uint32_t n = 0;
  for (size_t i = 0; i < 4; ++i)
    n = n << 8 | uint8_t(bytes[at + i]);
  return int32_t(n);
}

error malformed() {
  return rejected("COPY: expected a row in binary format; found something else");
}

} // namespace

result<std::string_view> copied_rows::row_in(std::string_view message) {
  // The server sends each row in a message of its own, the header with the first.
  if (!header_read_) {
    if (message.size() < copy_header_bytes)
      return malformed();
    message.remove_prefix(copy_header_bytes);
    header_read_ = true;
  }
  return message == "\xff\xff" ? std::string_view{} : message; // The trailer.
}

error copied_rows::append(std::string_view row, ums::batch& to,
                          std::optional<std::string>& bad) const {
  auto width = row.size() < 2 ? 0 : size_t(uint8_t(row[0])) << 8 | uint8_t(row[1]);
  if (width != columns_->fields.size())
    return malformed();
  size_t at = 2;
  auto rows = to.columns.back().size();
  for (size_t i = 0; i < width; ++i) {
    auto& c = to.columns[ums::system_columns + i];
    if (row.size() - at < 4)
      return malformed();
    auto length = length_at(row, at);
    at += 4;
    if (length < 0) {
      c.append_null();
      continue;
    }
    if (row.size() - at < size_t(length))
      return malformed();
    auto value = row.substr(at, size_t(length));
    at += size_t(length);
    auto how = columns_->how[i];
    if (append_binary(c, how, value) && (!check_text_ || how != conversion::text || is_utf8(value)))
      continue;
    bad = unfit(columns_->fields[i].name, columns_->fields[i].native);
    for (size_t k = 0; k <= i; ++k)
      to.columns[ums::system_columns + k].truncate(rows);
    return {};
  }
  return {};
}

} // namespace rtdp::extract::pg
