/// Keys with values, in memory: what `keyed_state` holds of a flow's state beside its file. Part of
/// it; one thread. A cell keeps its number until it is removed; views of its bytes are valid until
/// the cell is set or removed. Its memory goes back to the system at once when it is let go: states
/// come and go with flows that drift, on a thread of their own each, and what an allocator kept of
/// them for the next one was several times what they hold.
#pragma once

#include <tsl/robin_set.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace rtdp::state {

/// What is large comes from the system as pages, and goes back to it.
class system_memory final : public std::pmr::memory_resource {
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* at, size_t bytes, size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

class cell_table {
public:
  using id = uint32_t;
  static constexpr id none = UINT32_MAX;

  cell_table() = default;
  cell_table(const cell_table&) = delete;
  cell_table& operator=(const cell_table&) = delete;

  /// A cell that is found is among the last ones to go.
  id find(std::string_view key) {
    auto at = ids_.find(key);
    if (at == ids_.end())
      return none;
    cells_[*at].was_used = true;
    return *at;
  }
  /// A new cell, empty and of version 0. REQUIRES: there is none of this key.
  id add(std::string_view key);
  void set(id of, std::string_view value);
  void remove(id of);
  void clear();

  std::string_view key(id of) const;
  std::string_view value(id of) const;
  /// The batch that wrote it last.
  int64_t version(id of) const { return cells_[of].version; }
  /// The key was erased.
  bool gone(id of) const { return cells_[of].gone; }
  void mark(id of, int64_t version, bool gone) {
    cells_[of].version = version;
    cells_[of].gone = gone;
  }

  /// What it takes of memory, about.
  size_t bytes() const { return bytes_; }
  size_t size() const { return ids_.size(); }
  /// Every cell, in no order.
  template<class Visit>
  void each(const Visit& visit) const {
    for (auto of : ids_)
      visit(of);
  }
  /// Removes cells that were not found lately, of those for which `may_go(id)`, until no more than
  /// `most` bytes are left or nothing may go.
  template<class MayGo>
  void shrink(size_t most, const MayGo& may_go) {
    // Twice round: the first time takes away what `find` noted.
    for (size_t left = 2 * cells_.size(); bytes_ > most && left > 0; --left) {
      hand_ = hand_ + 1 < cells_.size() ? hand_ + 1 : 0;
      auto& c = cells_[hand_];
      if (c.block == nullptr)
        continue;
      if (c.was_used)
        c.was_used = false;
      else if (may_go(hand_))
        remove(hand_);
    }
  }

private:
  /// Sizes of key and value, then their bytes.
  struct cell {
    char* block = nullptr;
    int64_t version : 62 = 0;
    uint64_t gone : 1 = 0;
    uint64_t was_used : 1 = 0;
  };
  struct hash {
    using is_transparent = void;
    const cell_table* of;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
    size_t operator()(id i) const { return (*this)(of->key(i)); }
  };
  struct equal {
    using is_transparent = void;
    const cell_table* of;
    bool operator()(id a, id b) const { return a == b; }
    bool operator()(id a, std::string_view b) const { return of->key(a) == b; }
    bool operator()(std::string_view a, id b) const { return of->key(b) == a; }
  };
  /// Keeps hashes, so that a key is only looked at when it is likely the one.
  using id_set = tsl::robin_set<id, hash, equal, std::pmr::polymorphic_allocator<id>, true>;

  void free_block(char* block);
  void fill(id of, std::string_view key, std::string_view value);

  system_memory system_;
  std::pmr::unsynchronized_pool_resource blocks_{{4096, 1024}, &system_};
  std::pmr::vector<cell> cells_{&system_};
  std::vector<id> free_;
  id_set ids_{0, hash{this}, equal{this}, &system_};
  size_t bytes_ = 0;
  id hand_ = 0;
};

} // namespace rtdp::state
