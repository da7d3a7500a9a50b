/// Base64 of RFC 4648, section 4: standard alphabet, always padded. Internal to runtime/ums. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ums::base64 {

constexpr size_t encoded_size(size_t bytes) { return (bytes + 2) / 3 * 4; }

/// Writes encoded_size(bytes.size()) characters from `to` on and returns the end.
char* encode(std::string_view bytes, char* to);

/// Replaces `out`. False, and `out` is undefined, for anything but one canonical encoding: other
/// characters, missing padding, or bits behind the end that are not zero.
bool decode(std::string_view text, std::string& out);

} // namespace rtdp::ums::base64
