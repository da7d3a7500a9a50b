/// An event while it becomes rows: named cells in an order, the memory of their text, and the scope
/// grammar that rules name cells with. Plain values; one thread.
#pragma once

#include "runtime/core/error.hpp"

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::logs {

struct cell {
  std::string_view name, text;
  bool null = false;
};

/// The cells of one event, or of one of the rows that rules make of it. Names may repeat: the last
/// one counts, as in JSON.
using record = std::vector<cell>;

/// Text made on the way lives here until the event is done.
class arena {
public:
  arena() = default;
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  std::string_view keep(std::string_view text);
  void clear() { memory_.release(); }

private:
  /// What most events need; a larger one takes more from the heap.
  std::array<char, 16 * 1024> first_;
  std::pmr::monotonic_buffer_resource memory_{first_.data(), first_.size()};
};

/// The position of the last cell of that name, or `none`.
constexpr size_t none = SIZE_MAX;
size_t find(const record& cells, std::string_view name);

/// Which cells a rule is about, as DBus writes it:
///   *        all             0:      all
///   n        the n-th, counted from 0; -n counts from the end
///   a:b      from a up to but without b; either may be negative, b may be missing
///   a,b,c    these, in this order
/// and beyond DBus: a cell's name wherever n stands. A name that begins with @ is a fact about the
/// event's origin, such as @file, which rules can read but not change. What does not exist in a
/// record is passed over.
class scope {
public:
  static result<scope> parse(std::string_view text);

  /// Positions in `cells`, each once; origin facts count on behind the last cell.
  void resolve(const record& cells, std::span<const cell> origin, std::vector<size_t>& out) const;
  /// It can only mean one cell.
  bool is_single() const;
  bool names_origin() const;

private:
  struct part {
    /// Empty: `first` up to `last`.
    std::string name;
    int64_t first = 0, last = 0;
    /// A range up to the end.
    bool open = false;
    bool is_range = false;
  };
  std::vector<part> parts_;
};

/// The cell at a position that `scope::resolve` gave.
inline const cell& cell_at(const record& cells, std::span<const cell> origin, size_t at) {
  return at < cells.size() ? cells[at] : origin[at - cells.size()];
}

} // namespace rtdp::extract::logs
