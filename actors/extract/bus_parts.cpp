#include "actors/extract/bus_parts.hpp"

#include <chrono>
#include <vector>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// How long the bus may be silent while it holds more, and how often is looked whether it does.
constexpr auto silence_max = 5s;
constexpr auto look_interval = 20ms;
constexpr size_t poll_bytes = 16 << 20;

} // namespace

error read_parts(bus::bus& bus, const std::string& client, const bus_parts& wanted,
                 const std::function<void(const bus::partition&, const bus::message&)>& take) {
  auto reader = bus.make_reader(client);
  if (!reader)
    return reader.error();
  std::map<bus::partition, int64_t> from;
  for (const auto& [p, part] : wanted)
    from[p] = part.first;
  if (auto failed = (*reader)->assign(from))
    return failed;
  auto open = wanted;
  std::vector<bus::message> messages;
  for (auto heard = clock::now(); !open.empty();) {
    messages.clear();
    if (auto failed = (*reader)->poll(look_interval, poll_bytes, messages))
      return failed;
    for (const auto& m : messages)
      if (bus::partition p{*m.topic, m.index}; m.offset < wanted.at(p).end)
        take(p, m);
    // The last entries of a part may be no messages.
    std::erase_if(open, [&](const auto& part) {
      return (*reader)->position(part.first) >= part.second.end;
    });
    auto now = clock::now();
    heard = messages.empty() ? heard : now;
    if (now - heard > silence_max && !open.empty())
      return unavailable("the bus does not give the last messages of " +
                         open.begin()->first.text());
  }
  return {};
}

} // namespace rtdp::extract
