/// Our error values inside CAF's, so that a reply can carry one with its sentence; and CAF's own in
/// words, for people.
#pragma once

#include "runtime/core/error.hpp"

#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

#include <string>

CAF_ERROR_CODE_ENUM(rtdp::ec, "rtdp")

namespace rtdp::runtime {

inline caf::error to_caf(const error& e) { return caf::make_error(e.code(), e.text()); }

/// Nobody answered in time.
inline bool is_silence(const caf::error& e) { return e == caf::sec::request_timeout; }

/// Who was asked, or watched, is not there any more, or not to be reached.
inline bool is_loss(const caf::error& e) {
  return e == caf::sec::request_receiver_down || e == caf::exit_reason::unreachable ||
         e == caf::exit_reason::remote_link_unreachable;
}

/// An error of CAF itself (a dead or silent actor) becomes `unavailable`. What is known of the
/// question belongs in front of it; see cluster/question.hpp.
inline error from_caf(const caf::error& e) {
  std::string text;
  if (e.context().match_elements<std::string>())
    text = e.context().get_as<std::string>(0);
  if (e.category() == caf::detail::error_factory<ec>::category)
    return {ec(e.code()), std::move(text)};
  if (is_silence(e))
    return unavailable("no answer in time");
  if (is_loss(e))
    return unavailable("it ended, or the connection to it broke off");
  if (e == caf::exit_reason::user_shutdown)
    return unavailable("it was stopped");
  if (e == caf::exit_reason::kill)
    return unavailable("it was ended at once");
  if (e == caf::sec::runtime_error || e == caf::exit_reason::unhandled_exception)
    return unavailable("it ended by an exception, which is a bug; the log has it" +
                       (text.empty() ? "" : ": " + text));
  if (e == caf::sec::unexpected_message)
    return unavailable("it does not know what it was asked; is it another version of rtdp?");
  return unavailable("error " + std::to_string(e.code()) + " of CAF (" +
                     caf::to_string(e.category()) + ")" + (text.empty() ? "" : ": " + text));
}

} // namespace rtdp::runtime
