/// Our error values inside CAF's, so that a reply can carry one with its sentence.
#pragma once

#include "runtime/core/error.hpp"

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

#include <string>

CAF_ERROR_CODE_ENUM(rtdp::ec, "rtdp")

namespace rtdp::runtime {

inline caf::error to_caf(const error& e) { return caf::make_error(e.code(), e.text()); }

/// An error of CAF itself (a dead or silent actor) becomes `unavailable`.
inline error from_caf(const caf::error& e) {
  std::string text;
  if (e.context().match_elements<std::string>())
    text = e.context().get_as<std::string>(0);
  if (e.category() == caf::detail::error_factory<ec>::category)
    return {ec(e.code()), std::move(text)};
  return unavailable("actor: code " + std::to_string(e.code()) + (text.empty() ? "" : ": " + text));
}

} // namespace rtdp::runtime
