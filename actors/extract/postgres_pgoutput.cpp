#include "actors/extract/postgres_pgoutput.hpp"

#include <fmt/format.h>

#include <charconv>

namespace rtdp::extract::pg {

namespace {

/// Big-endian reader that turns `good` to false instead of reading past the end.
class input {
public:
  explicit input(std::string_view bytes) : rest_(bytes) {}

  template<class T>
  T number() {
    if (rest_.size() < sizeof(T)) {
      good_ = false;
      rest_ = {};
      return 0;
    }
    std::make_unsigned_t<T> n = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      n = std::make_unsigned_t<T>(n << (8 * (sizeof(T) > 1)) | uint8_t(rest_[i]));
    rest_.remove_prefix(sizeof(T));
    return T(n);
  }

  char letter() { return char(number<uint8_t>()); }

  std::string_view bytes(size_t count) {
    if (rest_.size() < count) {
      good_ = false;
      rest_ = {};
      return {};
    }
    auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view zero_terminated() {
    auto end = rest_.find('\0');
    if (end == rest_.npos) {
      good_ = false;
      rest_ = {};
      return {};
    }
    auto taken = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return taken;
  }

  void fail() { good_ = false; }
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

private:
  std::string_view rest_;
  bool good_ = true;
};

void read_tuple(input& in, tuple& out) {
  auto columns = in.number<uint16_t>();
  // Each column takes a byte at least: a wrong count cannot make us allocate much.
  if (columns > in.left()) {
    in.fail();
    return;
  }
  out.resize(columns);
  for (auto& c : out) {
    c.what = in.letter();
    c.value = {};
    if (c.what == cell::text) {
      auto length = in.number<int32_t>();
      if (length < 0)
        in.fail();
      else
        c.value = in.bytes(size_t(length));
    } else if (c.what != cell::null && c.what != cell::unchanged) {
      in.fail();
    }
    if (!in.good())
      return;
  }
}

void read_relation(input& in, relation& out) {
  out.id = in.number<uint32_t>();
  out.schema = in.zero_terminated();
  if (out.schema.empty())
    out.schema = "pg_catalog"; // pgoutput leaves the system schema out.
  out.table = in.zero_terminated();
  out.identity = in.letter();
  out.columns.clear();
  auto columns = in.number<uint16_t>();
  for (uint16_t i = 0; i < columns && in.good(); ++i) {
    relation_column c;
    c.key = (in.number<uint8_t>() & 1) != 0;
    c.name = in.zero_terminated();
    c.type = in.number<uint32_t>();
    c.modifier = in.number<int32_t>();
    out.columns.push_back(std::move(c));
  }
}

void read_type(input& in, announced_type& out) {
  out.id = in.number<uint32_t>();
  out.name = in.zero_terminated();
  if (!out.name.empty())
    out.name += '.';
  out.name += in.zero_terminated();
}

void read_change(input& in, message& out) {
  out.relation_id = in.number<uint32_t>();
  out.old_kind = 0;
  out.old_row.clear();
  out.new_row.clear();
  auto which = in.letter();
  if (which == 'K' || which == 'O') {
    if (out.type == 'I')
      in.fail();
    out.old_kind = which;
    read_tuple(in, out.old_row);
    if (out.type == 'D')
      return;
    which = in.letter();
  }
  if (which != 'N' || out.type == 'D')
    in.fail();
  else
    read_tuple(in, out.new_row);
}

void read_truncate(input& in, message& out) {
  auto count = in.number<uint32_t>();
  in.number<uint8_t>(); // CASCADE and RESTART IDENTITY: nothing to us.
  out.truncated.clear();
  for (uint32_t i = 0; i < count && in.good(); ++i)
    out.truncated.push_back(in.number<uint32_t>());
}

} // namespace

std::string lsn_text(lsn at) { return fmt::format("{:X}/{:X}", at >> 32, at & 0xFFFF'FFFF); }

std::optional<lsn> parse_lsn(std::string_view text) {
  uint32_t high = 0, low = 0;
  const auto* end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, high, 16);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '/')
    return {};
  auto second = std::from_chars(first.ptr + 1, end, low, 16);
  if (second.ec != std::errc{} || second.ptr != end)
    return {};
  return lsn{high} << 32 | low;
}

/// Microseconds since 2000, as PostgreSQL counts, since 1970; damaged bytes may hold any number.
static int64_t unix_us(int64_t since_2000) {
  int64_t out = 0;
  return __builtin_add_overflow(since_2000, epoch_shift_us, &out) ? INT64_MAX : out;
}

error decode(std::string_view bytes, message& out) {
  input in(bytes);
  out.type = in.letter();
  switch (out.type) {
  case 'B':
    out.at = in.number<uint64_t>();
    out.commit_us = unix_us(in.number<int64_t>());
    out.xid = in.number<uint32_t>();
    break;
  case 'C':
    in.number<uint8_t>(); // flags, unused
    in.number<uint64_t>();
    out.at = in.number<uint64_t>();
    out.commit_us = unix_us(in.number<int64_t>());
    break;
  case 'R':
    read_relation(in, out.relation);
    break;
  case 'I':
  case 'U':
  case 'D':
    read_change(in, out);
    break;
  case 'T':
    read_truncate(in, out);
    break;
  case 'Y':
    read_type(in, out.named_type);
    break;
  case 'O':
  case 'M':
    return {};
  default:
    return rejected(fmt::format("replication message of unknown type 0x{:02x}, {} bytes: expected "
                                "pgoutput, protocol version 1",
                                uint8_t(out.type), bytes.size()));
  }
  if (!in.good() || !in.at_end())
    return rejected(fmt::format("replication message '{}' of {} bytes is malformed {}", out.type,
                                bytes.size(), in.good() ? "at its end" : "or cut off"));
  return {};
}

} // namespace rtdp::extract::pg
