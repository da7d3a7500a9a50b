/// The head of a message: protocol and schema objects as JSON. Internal to runtime/ums.
#pragma once

#include "runtime/ums/batch.hpp"
#include "runtime/ums/json.hpp"

#include <string>
#include <unordered_map>
#include <vector>

namespace rtdp::ums {

/// A schema as the reader needs it.
struct known_schema {
  schema_ptr schema;
  /// Column of each tuple position: the system columns come first in a batch, wherever they stand
  /// in the message.
  std::vector<uint32_t> columns;
  /// Why rows of data cannot have this schema; empty when they can.
  std::string no_data;
  /// How many tokens its JSON has.
  size_t tokens = 0;
};

/// Reads `{"type":…}`; other keys are skipped.
error read_protocol(json::cursor& at, protocol& kind);

/// Schemas by the bytes of their JSON.
class schema_cache {
public:
  /// Reads the schema object at `at` and steps behind it. `out` lives until the next call.
  error read(json::cursor& at, const known_schema*& out);

private:
  std::unordered_map<std::string, known_schema> known_;
  std::unordered_map<std::string, known_schema>::const_iterator last_ = known_.end();
};

/// "message, byte 17: …", for JSON that is not what was expected.
error wrong_at(const json::cursor& at, std::string_view expected);

/// `value` between quotes, cut at 80 bytes between two characters, for messages to people.
std::string shown(std::string_view value);

} // namespace rtdp::ums
