/// Steps of an extraction that have to go well, for the tests of extraction.
#pragma once

#include "actors/extract/extraction.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

inline void ok(const error& e) { REQUIRE_MESSAGE(!e, e.text()); }

/// One step without waiting for rows.
inline step_outcome stepped(extraction& e) {
  auto outcome = e.step(std::chrono::milliseconds{0});
  REQUIRE_MESSAGE(outcome, outcome.error().text());
  return *outcome;
}

} // namespace rtdp::extract
