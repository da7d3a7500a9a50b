#include "actors/extract/driver.hpp"
#include "actors/extract/routing.hpp"

namespace rtdp::extract {

#define SOURCE(name) kind name##_source();
#include "actors/extract/sources.def"
#undef SOURCE

std::vector<kind> kinds() {
  std::vector<kind> all = {
#define SOURCE(name) name##_source(),
#include "actors/extract/sources.def"
#undef SOURCE
  };
  for (auto& k : all)
    k.spec = with_source_options(std::move(k.spec));
  return all;
}

} // namespace rtdp::extract
