/// One process at a time in a node's data folder. Held by main for as long as the node lives; the
/// kernel lets go of it when the process ends, however it ends.
#pragma once

#include "runtime/core/error.hpp"

#include <string>
#include <utility>

namespace rtdp::state {

class folder_lock {
public:
  /// Creates the folder when it is missing. `rejected` when another process holds it, with its id.
  static result<folder_lock> take(const std::string& folder);

  folder_lock(folder_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  folder_lock& operator=(folder_lock&&) = delete;
  ~folder_lock();

private:
  explicit folder_lock(int fd) : fd_(fd) {}
  int fd_;
};

} // namespace rtdp::state
