/// Rows that could not be decoded, transformed or written: kept with their bytes, the reason and
/// their position, in `<data_dir>/dead_letters.db`, until a person replays or drops them.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/sqlite.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::state {

struct dead_letter {
  int64_t id = 0;        ///< given by the store
  std::string component{}; ///< "source.shop", "stream.main", "flow.orders"
  std::string ns{};        ///< UMS namespace, empty if unknown
  std::string topic{};     ///< empty when the row never reached the bus
  int32_t partition = 0;
  int64_t offset = -1;
  std::string reason{};
  std::string
      bytes; ///< a complete UMS message of one row, or the raw message when it could not be read
  int64_t at_us = 0;
};

class dead_letter_store {
public:
  static result<dead_letter_store> open(const std::string& data_dir);

  /// Durable when it returns. All or none. The same (component, topic, partition, offset, bytes)
  /// again is stored once, so that a replayed batch does not multiply its dead letters.
  error add(const std::vector<dead_letter>& letters);
  result<std::vector<dead_letter>> list(const std::string& component = "", int64_t limit = 1000);
  result<std::optional<dead_letter>> find(int64_t id);
  error drop(int64_t id);
  result<int64_t> count();

private:
  database db_;
};

} // namespace rtdp::state
