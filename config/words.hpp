/// Small helps for texts that people read: the closest known word, a short excerpt, UTF-8.
/// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

/// The candidate that `word` was probably meant to be; empty when none is near: at most one edit in
/// three letters, two swapped neighbours being one edit.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean iud?", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// At most 60 bytes on one line, "…" behind it when it was cut.
std::string excerpt(std::string_view text);

/// How many bytes of `text` are whole, valid UTF-8 characters from its start.
size_t valid_utf8(std::string_view text);

/// Letters, digits, `_` and `-`, at most 63: what sources, sinks, streams, flows and nodes are
/// named. Such a name needs no quoting in a namespace, a topic, a path or a database's own names.
bool is_plain_word(std::string_view text);

} // namespace rtdp::config
