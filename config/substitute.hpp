/// References in a scalar: `${env:NAME}`, `${file:PATH}`, and `$${` for a plain `${`.
/// Pure functions; who reads variables and files is `load`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

/// A part of a scalar. `text` is the text itself, the variable's name or the file's path; a `bad`
/// piece is a `${` that begins no reference, its text is not kept since it may be part of a secret.
struct piece {
  enum class what : unsigned char { text, variable, file, bad };
  what is = what::text;
  std::string text;
};

/// The parts of `raw` in order. A name or path ends at the first `}`.
std::vector<piece> pieces_of(std::string_view raw);

/// True when a `secret` setting written as `raw` shows something in the file that must be hidden:
/// any text without a reference, but for a connection address whose password, token or secret is
/// absent, empty or itself a reference. Takes an unusual address rather for one with a password.
bool shows_secret(std::string_view raw);

/// True for such an address whose password, token or secret stands in `raw`.
bool is_address_with_password(std::string_view raw);

} // namespace rtdp::config
