/// Which names a topic may have: the same on every bus.
#pragma once

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

} // namespace rtdp::bus
