/// Durable key/value state of the components of one node, in `<data_dir>/state.db`. Each actor
/// opens its own store; writers exclude each other by SQLite's lock.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/sqlite.hpp"

#include <map>
#include <string>

namespace rtdp::state {

class checkpoint_store {
public:
  static result<checkpoint_store> open(const std::string& data_dir);

  /// Durable when it returns. All of `values` or none.
  error save(const std::string& component, const std::map<std::string, std::string>& values);
  /// Everything saved for a component; empty for an unknown one.
  result<std::map<std::string, std::string>> load(const std::string& component);
  error forget(const std::string& component);

private:
  database db_;
};

} // namespace rtdp::state
