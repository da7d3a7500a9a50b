/// Regular expressions of log settings: RE2, so that no input makes them slow. Immutable; shared.
#pragma once

#include "runtime/core/error.hpp"

#include <memory>
#include <re2/re2.h>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::logs {

using expression = std::shared_ptr<const re2::RE2>;

/// `rejected` names the mistake and the character where it stands.
result<expression> compile(const std::string& pattern);

/// Names of the groups in their order; of a group without a name: "<name>.<n>", counted from 1.
std::vector<std::string> group_names(const re2::RE2& pattern, std::string_view name);

inline re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(const re2::StringPiece& text) { return {text.data(), text.size()}; }

} // namespace rtdp::extract::logs
