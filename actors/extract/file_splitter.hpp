/// Cuts the bytes of a log file into events: lines, or several lines that belong together. What it
/// gives depends on the bytes alone, never on how many of them were read at a time, so a second
/// reading gives the same events. Plain class; one thread.
#pragma once

#include "actors/extract/log_expression.hpp"

#include <string_view>

namespace rtdp::extract::files {

struct cut {
  enum class what : uint8_t {
    event,    ///< `text` is one event, without its line end
    too_long, ///< `text` is the beginning of a line longer than the limit; the rest is skipped
    skipped,  ///< nothing to hand over: an empty line, or the rest of a line that was too long
  };
  what is = what::skipped;
  std::string_view text;
  /// Bytes from the start of the buffer that are done with.
  size_t used = 0;
};

class splitter {
public:
  /// `start`: what the first line of an event matches; null: each line is one. No event is longer
  /// than `bytes_max`.
  splitter(logs::expression start, size_t bytes_max)
      : start_(std::move(start)), bytes_max_(bytes_max) {}

  /// The event at the start of `buffer`. False: more bytes are needed. `last`: none will come, the
  /// end of the buffer ends the event. `skipping` is kept with the position: the buffer begins
  /// within a line that was too long.
  bool next(std::string_view buffer, bool last, bool& skipping, cut& out) const;

  size_t bytes_max() const { return bytes_max_; }
  bool joins_lines() const { return start_ != nullptr; }

private:
  bool joined(std::string_view buffer, size_t first_end, bool last, cut& out) const;

  logs::expression start_;
  size_t bytes_max_;
};

} // namespace rtdp::extract::files
