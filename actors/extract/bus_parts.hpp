/// Reading parts of a bus from their beginnings to their ends, once: what a source published, and
/// what it keeps there. A plain function; the caller waits.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <functional>
#include <map>
#include <string>

namespace rtdp::extract {

/// A part of a partition: messages from `first` up to `end`, without it.
using bus_parts = std::map<bus::partition, bus::range>;

/// Hands over each message of the parts, those of a partition in their order. `unavailable` when
/// the bus is silent for 5 s although it holds more.
error read_parts(bus::bus& bus, const std::string& client, const bus_parts& wanted,
                 const std::function<void(const bus::partition&, const bus::message&)>& take);

} // namespace rtdp::extract
