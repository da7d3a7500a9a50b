#include "actors/flow/step.hpp"

namespace rtdp::flow {

#define STEP(name) kind name##_step();
#include "actors/flow/steps.def"
#undef STEP

std::vector<kind> kinds() {
  return {
#define STEP(name) name##_step(),
#include "actors/flow/steps.def"
#undef STEP
  };
}

} // namespace rtdp::flow
