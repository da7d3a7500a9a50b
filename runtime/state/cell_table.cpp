#include "runtime/state/cell_table.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace rtdp::state {
namespace {

struct sizes {
  uint32_t key = 0, value = 0;
};

/// What the allocator gives for a block of so many bytes: it keeps 8 of 16 for itself.
size_t room(size_t bytes) { return ((bytes + 8 + 15) & ~size_t{15}) - 8; }
size_t room(sizes s) { return room(sizeof s + s.key + s.value); }

/// Of a cell beside its block: itself, the allocator's, and its place in a set that is 60 % full.
constexpr size_t fixed_bytes = 16 + 8 + 20;

sizes sizes_of(const char* block) {
  sizes s;
  std::memcpy(&s, block, sizeof s);
  return s;
}

} // namespace

cell_table::id cell_table::add(std::string_view key) {
  id of = id(cells_.size());
  if (free_.empty()) {
    cells_.emplace_back();
  } else {
    of = free_.back();
    free_.pop_back();
  }
  fill(of, key, {});
  ids_.insert(of);
  bytes_ += fixed_bytes;
  return of;
}

void cell_table::fill(id of, std::string_view key, std::string_view value) {
  sizes s{uint32_t(key.size()), uint32_t(value.size())};
  auto* block = static_cast<char*>(std::malloc(room(s)));
  if (block == nullptr)
    throw std::bad_alloc();
  std::memcpy(block, &s, sizeof s);
  std::memcpy(block + sizeof s, key.data(), key.size());
  if (!value.empty())
    std::memcpy(block + sizeof s + key.size(), value.data(), value.size());
  cells_[of].block = block;
  bytes_ += room(s);
}

void cell_table::set(id of, std::string_view value) {
  auto* block = cells_[of].block;
  auto s = sizes_of(block);
  sizes fresh{s.key, uint32_t(value.size())};
  if (room(s) == room(fresh)) {
    std::memcpy(block, &fresh, sizeof fresh);
    if (!value.empty())
      std::memmove(block + sizeof fresh + s.key, value.data(), value.size());
    return;
  }
  fill(of, {block + sizeof s, s.key}, value);
  bytes_ -= room(s);
  std::free(block);
}

void cell_table::remove(id of) {
  ids_.erase(of);
  auto& c = cells_[of];
  bytes_ -= room(sizes_of(c.block)) + fixed_bytes;
  std::free(c.block);
  c = {};
  free_.push_back(of);
}

void cell_table::clear() {
  for (auto& c : cells_)
    std::free(c.block);
  cells_.clear();
  free_.clear();
  ids_.clear();
  bytes_ = 0;
  hand_ = 0;
}

std::string_view cell_table::key(id of) const {
  const char* block = cells_[of].block;
  return {block + sizeof(sizes), sizes_of(block).key};
}

std::string_view cell_table::value(id of) const {
  const char* block = cells_[of].block;
  auto s = sizes_of(block);
  return {block + sizeof s + s.key, s.value};
}

} // namespace rtdp::state
