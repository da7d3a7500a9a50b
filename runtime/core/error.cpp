#include "runtime/core/error.hpp"

namespace rtdp {

const char* to_string(ec code) {
  switch (code) {
  case ec::ok:
    return "ok";
  case ec::unavailable:
    return "unavailable";
  case ec::rejected:
    return "rejected";
  case ec::fenced:
    return "fenced";
  }
  return "unknown";
}

error error::in(std::string_view place) const {
  if (code_ == ec::ok)
    return {};
  return {code_, std::string(place) + ": " + text_};
}

} // namespace rtdp
