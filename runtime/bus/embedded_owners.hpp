/// Who owns which id of a fenced producer on the embedded bus: `<folder>/owners.db`, one row an id.
/// Each object belongs to one producer; processes exclude each other by SQLite's lock.
#pragma once

#include "runtime/state/sqlite.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace rtdp::bus {

class embedded_owner {
public:
  /// Takes `id` from whoever had it.
  static result<std::unique_ptr<embedded_owner>> take(const std::string& folder,
                                                      const std::string& id);

  /// Nobody takes the id while the answer lives; waits up to `wait` for others. `fenced` when
  /// somebody has taken it. REQUIRES: the answer dies before this object.
  result<state::transaction> hold(std::chrono::milliseconds wait);

private:
  embedded_owner() = default;

  state::database db_;
  state::statement epoch_of_;
  std::string id_;
  int64_t epoch_ = 0;
};

} // namespace rtdp::bus
