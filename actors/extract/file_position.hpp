/// Where the `file` source stands in each of its files; one text, stored with the next id. Plain
/// values.
///
/// Rows get the same ids again after a crash because what is read next is stored before it is read:
/// between two stored positions rows come from the file `turn` alone, from its offset on (after a
/// restart up to its end: so far rows may have gone before), an event that only a time-out ends has
/// its end stored (`cut`) before it is handed over, and so has each longer `head` of a file before
/// rows of it are read.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rtdp::extract::files {

struct file_state {
  /// Device and inode: the file under whatever name.
  uint64_t device = 0, inode = 0;
  std::string path = {};
  int64_t offset = 0;
  /// Hash of the first `head_bytes`, and of what stands right before `offset`: a file that is not
  /// the one it was, and a copy of it under another inode, are told by these.
  int64_t head_bytes = 0;
  std::string head = {}, tail = {};
  /// The event at `offset` ends here whatever follows; 0: nothing is decided.
  int64_t cut = 0;
  /// `offset` lies within a line that was too long.
  bool skipping = false;

  std::string key() const { return std::to_string(device) + ":" + std::to_string(inode); }
};

struct position {
  /// Of what makes rows of bytes: other settings may make other rows.
  std::string plan;
  /// Key of the file that is read; empty before the first.
  std::string turn;
  std::vector<file_state> files;

  std::string text() const;
  static result<position> parse(const std::string& text);
};

/// Sixteen hexadecimal digits.
std::string hash_of(std::string_view bytes);

} // namespace rtdp::extract::files
