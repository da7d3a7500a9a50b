/// What happens to one table of the generator: event number n as a function of the seed and n.
/// Plain value, used by the generator source only.
///
/// How updates and deletes touch only rows that exist, without remembering any: inserts take the
/// ordinals 0, 1, 2, … and deletes remove the oldest row, so the rows alive at event n are the
/// ordinals [deletes before n, inserts before n), and an update picks one of these. Both counts
/// follow from a pattern of 1000 events, shuffled by the seed, that repeats: until nine tenths of
/// the key space are alive, with a few plain inserts at the end of that; then for ever one with as
/// many inserts as deletes, where the inserts that have no room any more are updates. A row's key
/// is its ordinal modulo the key space, plus 1, so a deleted key comes back some time later.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rtdp::extract::generated {

/// 64 well mixed bits (splitmix64).
inline uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// A number from 0 up to below `n` from mixed bits; without a division where 32 bits do.
inline int64_t below(uint64_t x, int64_t n) {
  if (n <= INT64_C(0xFFFFFFFF))
    return int64_t(((x >> 32) * uint64_t(n)) >> 32);
  return int64_t(x % uint64_t(n));
}

struct event {
  /// 'i', 'u' or 'd'.
  char op = 'i';
  /// Which row: its number in the order of inserts, from 0.
  int64_t ordinal = 0;
};

class history {
public:
  /// `keys` 0: the table grows without end; REQUIRES then more inserts than deletes.
  history(uint64_t seed, int64_t keys, double update_share, double delete_share);

  event at(int64_t n) const;
  int64_t key(int64_t ordinal) const { return (keys_ == 0 ? ordinal : ordinal % keys_) + 1; }
  uint64_t seed() const { return seed_; }

private:
  static constexpr size_t period = 1000;

  /// 1000 events and how many inserts and deletes stand before each of them.
  struct pattern {
    std::array<char, period> ops{};
    std::array<int32_t, period + 1> inserts{}, deletes{};

    void fill(int64_t updates, int64_t deletes);
    void shuffle(uint64_t seed);
    void count();
    int64_t growth() const { return inserts[period] - deletes[period]; }
  };

  event pick(int64_t n, char op, int64_t deleted, int64_t inserted) const;
  void lead_with_inserts();
  void fill_steady(int64_t pairs);

  uint64_t seed_;
  int64_t keys_, alive_max_;
  pattern mixed_, steady_;
  int64_t mixed_periods_ = 0, top_up_ = 0;
};

} // namespace rtdp::extract::generated
