#include "runtime/bus/bus.hpp"

namespace rtdp::bus {

#define BUS(name) kind name##_bus();
#include "runtime/bus/buses.def"
#undef BUS

std::vector<kind> kinds() {
  return {
#define BUS(name) name##_bus(),
#include "runtime/bus/buses.def"
#undef BUS
  };
}

} // namespace rtdp::bus
