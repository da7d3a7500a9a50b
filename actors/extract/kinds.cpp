#include "actors/extract/driver.hpp"

namespace rtdp::extract {

#define SOURCE(name) kind name##_source();
#include "actors/extract/sources.def"
#undef SOURCE

std::vector<kind> kinds() {
  return {
#define SOURCE(name) name##_source(),
#include "actors/extract/sources.def"
#undef SOURCE
  };
}

} // namespace rtdp::extract
