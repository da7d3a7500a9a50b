/// What makes a topic or partition impossible: the same, and in the same words, on every bus.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <algorithm>
#include <string>

namespace rtdp::bus {

/// Kafka's rule, so that a name which is good on the embedded bus is good there too; such a name is
/// also safe as the name of a folder.
inline error check_topic_name(const std::string& name) {
  auto legal = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  bool good = !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
              std::all_of(name.begin(), name.end(), legal);
  if (good)
    return {};
  return rejected(
      "a topic name must be 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-', "
      "found \"" +
      name + "\"");
}

/// The error for a partition that a topic of `count` partitions does not have.
inline error no_partition(const partition& p, int32_t count) {
  return rejected("there is no partition " + p.text() + ": the topic has partitions 0 to " +
                  std::to_string(count - 1));
}

/// The error for an offset that the log does not hold.
inline error out_of_range(const partition& p, int64_t asked, const range& held) {
  return rejected("offset " + std::to_string(asked) + " of " + p.text() +
                  " was asked for, the log holds " + std::to_string(held.first) + " up to " +
                  std::to_string(held.end) + " (not included)");
}

} // namespace rtdp::bus
