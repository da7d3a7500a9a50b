#include "runtime/state/cell_table.hpp"

#include <cstring>
#include <new>
#include <sys/mman.h>

namespace rtdp::state {
namespace {

struct sizes {
  uint32_t key = 0, value = 0;
};

/// Blocks come in steps, so that most values are written over in their place.
size_t room(sizes s) { return (sizeof s + s.key + s.value + 15) & ~size_t{15}; }

/// Of a cell beside its block: itself, and its place in a set that is 60 % full.
constexpr size_t fixed_bytes = 16 + 20;

/// A process has some 65,000 mappings at most, and a value of some kilobytes needs none of its own.
constexpr size_t mapped_from = 64 << 10;

sizes sizes_of(const char* block) {
  sizes s;
  std::memcpy(&s, block, sizeof s);
  return s;
}

} // namespace

void* system_memory::do_allocate(size_t bytes, size_t) {
  if (bytes < mapped_from)
    return ::operator new(bytes);
  auto* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    throw std::bad_alloc();
  return at;
}

void system_memory::do_deallocate(void* at, size_t bytes, size_t) {
  if (bytes < mapped_from)
    ::operator delete(at);
  else
    munmap(at, bytes);
}

void cell_table::free_block(char* block) {
  auto bytes = room(sizes_of(block));
  bytes_ -= bytes;
  blocks_.deallocate(block, bytes);
}

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
  auto* block = static_cast<char*>(blocks_.allocate(room(s)));
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
  free_block(block);
}

void cell_table::remove(id of) {
  ids_.erase(of);
  auto& c = cells_[of];
  bytes_ -= fixed_bytes;
  free_block(c.block);
  c = {};
  free_.push_back(of);
}

void cell_table::clear() {
  ids_.clear();
  cells_.clear();
  free_.clear();
  blocks_.release();
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
