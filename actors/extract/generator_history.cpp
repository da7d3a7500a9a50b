#include "actors/extract/generator_history.hpp"

#include <algorithm>
#include <limits>

namespace rtdp::extract::generated {

void history::pattern::fill(int64_t updates, int64_t deletes_wanted) {
  for (size_t i = 0; i < period; ++i)
    ops[i] = int64_t(i) < updates ? 'u' : int64_t(i) < updates + deletes_wanted ? 'd' : 'i';
}

void history::pattern::shuffle(uint64_t seed) {
  for (size_t i = period - 1; i > 0; --i)
    std::swap(ops[i], ops[size_t(below(mix(seed + i), int64_t(i + 1)))]);
}

void history::pattern::count() {
  for (size_t i = 0; i < period; ++i) {
    inserts[i + 1] = inserts[i] + (ops[i] == 'i');
    deletes[i + 1] = deletes[i] + (ops[i] == 'd');
  }
}

history::history(uint64_t seed, int64_t keys, double update_share, double delete_share)
    : seed_(mix(seed)), keys_(keys), alive_max_(keys - keys / 10) {
  constexpr auto all = int64_t(period);
  auto deletes = std::min(all, int64_t(delete_share * all + 0.5));
  auto updates = std::min(all - deletes, int64_t(update_share * all + 0.5));
  auto inserts = all - updates - deletes;
  mixed_.fill(updates, deletes);
  mixed_.shuffle(seed_);
  lead_with_inserts();
  mixed_.count();
  fill_steady(std::min(deletes, all / 2));
  if (inserts <= deletes)
    mixed_periods_ = 0;
  else if (keys_ == 0)
    mixed_periods_ = std::numeric_limits<int64_t>::max() / all;
  else
    // Room for a period's inserts is left: within it there may be more rows than at its end.
    mixed_periods_ = std::max<int64_t>(0, (alive_max_ - inserts) / mixed_.growth());
  top_up_ = keys_ == 0 ? 0 : alive_max_ - mixed_periods_ * mixed_.growth();
}

event history::at(int64_t n) const {
  constexpr auto all = int64_t(period);
  auto round = n / all;
  auto slot = size_t(n % all);
  if (round < mixed_periods_)
    return pick(n, mixed_.ops[slot], round * mixed_.deletes[period] + mixed_.deletes[slot],
                round * mixed_.inserts[period] + mixed_.inserts[slot]);
  auto inserted = mixed_periods_ * mixed_.inserts[period];
  auto deleted = mixed_periods_ * mixed_.deletes[period];
  auto rest = n - mixed_periods_ * all;
  if (rest < top_up_)
    return {'i', inserted + rest};
  rest -= top_up_;
  round = rest / all;
  slot = size_t(rest % all);
  return pick(n, steady_.ops[slot],
              deleted + round * steady_.deletes[period] + steady_.deletes[slot],
              inserted + top_up_ + round * steady_.inserts[period] + steady_.inserts[slot]);
}

event history::pick(int64_t n, char op, int64_t deleted, int64_t inserted) const {
  if (op == 'i')
    return {'i', inserted};
  if (op == 'd')
    return {'d', deleted};
  return {'u', deleted + below(mix(seed_ ^ uint64_t(n)), inserted - deleted)};
}

/// Swaps inserts to the front where an update or delete would find no row.
void history::lead_with_inserts() {
  int64_t alive = 0;
  for (size_t i = 0; i < period; ++i) {
    if (mixed_.ops[i] != 'i' && alive == 0) {
      auto later = std::find(mixed_.ops.begin() + ptrdiff_t(i), mixed_.ops.end(), 'i');
      if (later == mixed_.ops.end())
        return; // Fewer inserts than deletes: this pattern is not used.
      std::swap(mixed_.ops[i], *later);
    }
    alive += mixed_.ops[i] == 'i' ? 1 : mixed_.ops[i] == 'd' ? -1 : 0;
  }
}

/// Pairs of a delete and an insert, evenly among updates.
void history::fill_steady(int64_t pairs) {
  steady_.fill(int64_t(period), 0);
  for (int64_t i = 0; i < pairs; ++i)
    steady_.ops[size_t(i * int64_t(period) / pairs) / 2 * 2] = 'd';
  for (size_t i = 0; i + 1 < period; i += 2)
    if (steady_.ops[i] == 'd')
      steady_.ops[i + 1] = 'i';
  steady_.count();
}

} // namespace rtdp::extract::generated
