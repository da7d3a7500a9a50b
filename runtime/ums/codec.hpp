/// UMS on the wire: JSON messages to batches and back. DESIGN §4 has the dialect that is written;
/// the reader takes both published ones (DBus 1.2, 1.3, 1.4 and Wormhole v1).
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ums {

/// The Kafka key of a message: `<protocol>.<namespace>`. Enough to route without the body.
std::string message_key(protocol p, const ns& name);

struct routed {
  protocol kind;
  ns name;
};
/// Reads keys of rtdp, DBus (`….millis|ds.wh_placeholder`) and Wormhole. Rejects others.
result<routed> parse_key(std::string_view key);

/// Appends the message that holds `rows` to `out`. Values are JSON strings or null.
/// Text that is not UTF-8 has no JSON: then `out` stays as it was and the error names the column
/// and the row, so that the caller can set that row aside (sources hand over UTF-8, so it is rare).
error write(const slice& rows, std::string& out);
inline error write(const batch& b, std::string& out) { return write(slice::all(b), out); }

/// How many rows of `b` from `first` on fit a message of `bytes_max`, at least one (the pair, when
/// a `b` row stands before its `u`: the two are never parted). Counts a little high, never low.
/// REQUIRES: first < b.rows().
size_t rows_that_fit(const batch& b, size_t first, size_t bytes_max);

/// A tuple that could not be decoded: its JSON as it stood in the message (the whole element of
/// `payload`), and why: field, expected type and the value found, cut at 80 bytes. The reason never
/// holds the value of an encoded field.
struct bad_row {
  /// Position in `payload`.
  size_t index = 0;
  std::string bytes;
  std::string reason;
};

/// Decodes messages. Keeps the schemas it has seen, so that a repeated schema costs a hash.
/// One thread at a time.
class reader {
public:
  reader();
  ~reader();
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  /// Appends the rows of `message` to the last batch of `into` when kind and schema are the same
  /// and it holds fewer than `rows_max` rows and 64 MiB, else to a new batch at the end. A tuple
  /// that does not decode goes to `bad`, the others stay. An error means that nothing of the
  /// message was taken. A heartbeat or termination without payload is a batch without rows.
  ///
  /// Whatever the order in the message, `ums_id_` (long), `ums_ts_` (datetime) and `ums_op_`
  /// (string) are the first columns, and a message of data that lacks one of them is an error.
  /// Needs no padding behind the message and does not keep a view of it.
  error read(std::string_view message, std::vector<batch>& into, std::vector<bad_row>& bad,
             size_t rows_max = 65'536);

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Text of single cells, as they stand between the quotes on the wire; used by sinks too.
/// date "2026-11-22", datetime "2026-11-22 10:13:24.213456" (six digits, or no fraction if it is
/// 0), years outside 1..9999 with sign as in ISO 8601 ("-0043-03-15"), `infinity`, `-infinity`.
void append_date(int64_t days, std::string& out);
void append_datetime(int64_t micros, std::string& out);
/// Shortest text that reads back as the same value; `NaN`, `Infinity`, `-Infinity`.
void append_real(double value, bool is_float, std::string& out);
/// The text of any cell that is not null; binary as base64, boolean as true or false.
void append_cell(const column& c, size_t row, std::string& out);

std::optional<int64_t> parse_date(std::string_view text);
/// Takes a blank or a T between date and time, 0 to 9 digits of fraction (cut to micros), and an
/// optional zone (`Z`, `+02`, `+02:00`) that is converted to UTC.
std::optional<int64_t> parse_datetime(std::string_view text);
std::optional<double> parse_real(std::string_view text);

/// Appends `text`, a cell as it stands on the wire (unescaped), to `c`. False: it is not of c's
/// type, nothing appended. An int is 32 bits, a long 64; a decimal keeps its text exactly.
bool append_parsed(column& c, std::string_view text);

} // namespace rtdp::ums
