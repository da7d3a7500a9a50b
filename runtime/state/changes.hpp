/// Changes of a flow's state as bytes: what one batch did, or a part of a snapshot. Appended to the
/// flow's changelog and read back on a node that takes the flow over. Plain functions and a cursor
/// over bytes that somebody else owns.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::state {

/// Numbers of any size in as few bytes as they need, seven bits each.
void append_varint(uint64_t value, std::string& out);
/// False: the bytes end in the middle of it. Takes what it read from the front of `from`.
bool take_varint(std::string_view& from, uint64_t& value);
/// A text behind its length.
void append_text(std::string_view text, std::string& out);
bool take_text(std::string_view& from, std::string_view& text);

void append_put(std::string_view key, std::string_view value, std::string& out);
void append_erase(std::string_view key, std::string& out);

/// One entry after the other.
class change_cursor {
public:
  explicit change_cursor(std::string_view bytes) : rest_(bytes) {}

  /// True: the members below hold the next entry. False: there is none. An error: these are not the
  /// bytes of changes.
  result<bool> next();

  /// How many bytes are left behind it.
  size_t left() const { return rest_.size(); }

  std::string_view key, value;
  bool gone = false;

private:
  std::string_view rest_;
};

/// Where each entry begins, in order; `rejected` when the bytes are damaged anywhere. Eight bytes an
/// entry: there may be some 100,000 in what goes to a file at once.
result<std::vector<size_t>> entries_of(std::string_view changes);
/// The entry that begins there. REQUIRES: `entries_of` said so.
change_cursor entry_at(std::string_view changes, size_t begin);

} // namespace rtdp::state
