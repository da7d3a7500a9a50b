#include "actors/sink/driver.hpp"

namespace rtdp::sink {

#define SINK(name) kind name##_sink();
#include "actors/sink/sinks.def"
#undef SINK

std::vector<kind> kinds() {
  return {
#define SINK(name) name##_sink(),
#include "actors/sink/sinks.def"
#undef SINK
  };
}

} // namespace rtdp::sink
