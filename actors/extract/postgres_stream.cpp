#include "actors/extract/postgres_stream.hpp"

#include "runtime/core/time.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::pg {

namespace {

/// 'w', two log positions, a time.
constexpr size_t data_header_bytes = 1 + 8 + 8 + 8;
/// 'k', log position, time, "answer now".
constexpr size_t keepalive_bytes = 1 + 8 + 8 + 1;

void put(std::string& out, uint64_t n) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out += char(n >> shift);
}

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t n = 0;
  for (size_t i = 0; i < 8; ++i)
    n = n << 8 | uint8_t(bytes[at + i]);
  return n;
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'')
      out += '\'';
    out += c;
  }
  return out + "'";
}

} // namespace

result<stream> stream::start(connection c, const std::string& slot, const std::string& publication,
                             lsn from) {
  // With messages on, the transaction that ends a chunk of a snapshot comes at once, not with the
  // next keepalive. Servers below 14 send it as an empty one.
  auto sql = fmt::format(
      "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}{})",
      connection::identifier(slot), lsn_text(from), literal(connection::identifier(publication)),
      c.server_version() >= 140000 ? ", messages 'true'" : "");
  if (auto failed = c.begin_copy(sql))
    return failed.in("slot " + slot);
  return stream(std::move(c), from);
}

result<std::string_view> stream::next() {
  for (;;) {
    bool at_end = false;
    auto bytes = connection_.copy_data(at_end);
    if (!bytes)
      return bytes.error().in("change stream");
    if (at_end)
      return unavailable("change stream: the server ended it");
    if (bytes->empty())
      return *bytes;
    auto kind = bytes->front();
    if (kind == 'w' && bytes->size() >= data_header_bytes)
      return bytes->substr(data_header_bytes);
    if (kind != 'k' || bytes->size() != keepalive_bytes)
      return rejected(
          fmt::format("change stream: expected data or a keepalive; found 0x{:02x}, {} bytes",
                      uint8_t(kind), bytes->size()));
    sent_ = std::max(sent_, number_at(*bytes, 1));
    if (bytes->back() != 0)
      if (auto failed = report(false))
        return failed;
  }
}

error stream::confirm(lsn at) {
  if (at <= confirmed_)
    return {};
  confirmed_ = at;
  return report(false);
}

error stream::report_every(std::chrono::milliseconds interval) {
  return connection::clock::now() - reported_ >= interval ? report(false) : error{};
}

error stream::ask() { return report(true); }

error stream::report(bool ask) {
  std::string out = "r";
  // Written, flushed, applied: to us there is only "durable on the bus".
  for (int i = 0; i < 3; ++i)
    put(out, confirmed_);
  put(out, uint64_t(now_us() - epoch_shift_us));
  out += char(ask);
  reported_ = connection::clock::now();
  return connection_.send_copy_data(out).in("change stream");
}

} // namespace rtdp::extract::pg
