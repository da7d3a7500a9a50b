#include "runtime/cluster/question.hpp"

#include "runtime/caf_error.hpp"

#include <fmt/format.h>

namespace rtdp::cluster {

error answer_to(const question& asked, const caf::error& e) {
  if (runtime::is_silence(e))
    return unavailable(fmt::format("{} did not answer within {:g} s when it was asked {}; it is "
                                   "busy, hangs or is cut off: see `rtdp nodes` and its log, then "
                                   "try again",
                                   asked.whom, double(asked.limit.count()) / 1000, asked.what));
  if (runtime::is_loss(e))
    return unavailable(fmt::format("{} was lost before it answered; it was asked {}: `rtdp nodes` "
                                   "shows when it is back",
                                   asked.whom, asked.what));
  return runtime::from_caf(e);
}

error answer_from(const question& asked, const caf::error& e) {
  bool answered = !runtime::is_silence(e) && !runtime::is_loss(e);
  return answered ? runtime::from_caf(e).in(asked.whom) : answer_to(asked, e);
}

} // namespace rtdp::cluster
