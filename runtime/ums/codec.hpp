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
void write(const slice& rows, std::string& out);
inline void write(const batch& b, std::string& out) { write(slice::all(b), out); }

/// How many rows of `b` from `first` on fit a message of about `bytes_max`, at least one; a `b` row
/// stays with its `u`.
size_t rows_that_fit(const batch& b, size_t first, size_t bytes_max);

/// A tuple that could not be decoded: its JSON as it stood in the message, and why.
struct bad_row {
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
  /// and it holds fewer than `rows_max` rows, else to a new batch at the end. A tuple that does not
  /// decode goes to `bad`, the others stay. An error means that nothing of the message was taken.
  /// REQUIRES: message.capacity() >= message.size() + 64, which simdjson reads over (bus readers
  /// deliver so); a smaller one is copied.
  error read(const std::string& message, std::vector<batch>& into, std::vector<bad_row>& bad,
             size_t rows_max = 65'536);

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Text of single cells, as they stand between the quotes on the wire; used by sinks too.
/// date "2026-11-22", datetime "2026-11-22 10:13:24.213456" (fraction only if there is one),
/// years outside 1..9999 with sign as in ISO 8601 ("-0043-03-15"), `infinity`, `-infinity`.
void append_date(int64_t days, std::string& out);
void append_datetime(int64_t micros, std::string& out);
/// Shortest text that reads back as the same value; `NaN`, `Infinity`, `-Infinity`.
void append_real(double value, bool is_float, std::string& out);
/// The text of any cell that is not null; binary as base64.
void append_cell(const column& c, size_t row, std::string& out);

std::optional<int64_t> parse_date(std::string_view text);
/// Takes a blank or a T between date and time, 0 to 9 digits of fraction (cut to micros), and an
/// optional zone (`Z`, `+02`, `+02:00`) that is converted to UTC.
std::optional<int64_t> parse_datetime(std::string_view text);
std::optional<double> parse_real(std::string_view text);

/// Appends `text`, a cell as it stands on the wire, to `c`. False: it is not of c's type, nothing appended.
bool append_parsed(column& c, std::string_view text);

} // namespace rtdp::ums
