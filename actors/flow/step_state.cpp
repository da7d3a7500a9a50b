#include "actors/flow/step_state.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace rtdp::flow {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// By so much the ids of an incarnation lie above those of the one before: what that one wrote to
/// the target, in a batch that the changelog may not hold in full, is always overwritten.
constexpr int64_t ids_apart = int64_t{1} << 32;
/// How long changes that the target has stay in memory alone at most, while batches come: so much is
/// read again after a restart.
constexpr auto flush_interval = 60s;
/// Keys that are read from the file before the clock is looked at.
constexpr size_t load_keys = 10'000;
/// How long a state waits for its flow to come back. It holds up to `memory_bytes` meanwhile.
constexpr auto left_behind_for = 2min;
/// Under this key the state says what it was made for; no step has that number.
constexpr std::string_view layout_key = "\xff\x01layout";

/// Drawn by lot: no two incarnations of a flow have the same. Fits a JSON number of any reader.
int64_t new_incarnation() {
  std::random_device lot;
  return int64_t((uint64_t(lot()) << 32 | lot()) >> 11) + 1;
}

} // namespace

std::shared_ptr<step_state> step_state::take_or_make(step_state_settings settings,
                                                     std::shared_ptr<bus::bus> bus, shelf& from) {
  auto left = from.take<step_state>("state of " + settings.flow);
  return left ? left : std::make_shared<step_state>(std::move(settings), std::move(bus));
}

void step_state::leave_behind(std::shared_ptr<step_state> left, shelf& on) {
  auto& s = *left;
  if (!s.encoder_ || !s.data_->rest())
    return;
  s.encoder_.reset();
  s.log_.rest();
  on.put("state of " + s.settings_.flow, std::move(left), steady::now() + left_behind_for);
}

error step_state::open() {
  if (data_)
    return {};
  auto s = settings_.keyed;
  s.path = settings_.data_dir + "/flows/" + settings_.flow + ".db";
  auto data = state::keyed_state::open(s);
  if (!data)
    return data.error();
  data_ = std::move(*data);
  return {};
}

/// What the file has comes into memory before the changelog's changes.
result<bool> step_state::open_and_load(steady::time_point until) {
  if (auto failed = open())
    return failed;
  for (;;) {
    auto loaded = data_->load(load_keys);
    if (!loaded || *loaded || steady::now() >= until)
      return loaded;
  }
}

result<bool> step_state::catch_up(std::chrono::milliseconds limit) {
  auto until = steady::now() + limit;
  if (auto loaded = open_and_load(until); !loaded || !*loaded)
    return loaded;
  auto at_end = log_.read_on(limit);
  if (!at_end || !*at_end)
    return at_end;
  // One way is walked to its end: half a snapshot is nothing to go on from.
  if (!catching_up_)
    catching_up_ = log_.index().last_committed();
  auto target = *catching_up_;
  // An older claim comes late, from one that was frozen: what is here is further.
  if (target.version <= data_->reached().version) {
    catching_up_.reset();
    return true;
  }
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
  auto there = log_.bring(*data_, target, std::max(left, 1ms));
  if (!there || *there)
    catching_up_.reset();
  // What another node overwrites while this one reads is no failure: the next call sees the rest.
  if (!there && there.error() == ec::rejected)
    return true;
  if (there && *there)
    log_.forget(target.version);
  return there;
}

result<bool> step_state::restore(state::state_point wanted, std::chrono::milliseconds limit) {
  auto until = steady::now() + limit;
  if (auto loaded = open_and_load(until); !loaded || !*loaded)
    return loaded;
  auto at_end = log_.read_on(limit);
  if (!at_end || !*at_end)
    return at_end;
  while (catching_up_) {
    auto there = catch_up(limit);
    if (!there || steady::now() >= until)
      return there ? result<bool>{false} : there.error();
  }
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
  auto there = log_.bring(*data_, wanted, std::max(left, 1ms));
  if (!there && there.error() == ec::rejected)
    return rejected("the state of flow " + settings_.flow + " cannot be restored: " +
                    there.error().text() + "; `rtdp flow " + settings_.flow +
                    " rewind` makes it anew from the bus");
  if (!there || !*there)
    return there;
  if (auto failed = start())
    return failed;
  return true;
}

error step_state::start() {
  const auto& index = log_.index();
  incarnation_ = new_incarnation();
  last_id_ = last_id_before_ = std::max(index.last_id() + ids_apart, now_us());
  auto from = data_->reached();
  is_fresh_ = from.is_empty();
  if (is_fresh_)
    from.version = index.last_version();
  encoder_ = std::make_unique<state::changelog_encoder>(settings_.limits, incarnation_, from,
                                                        index.bytes(), index.keys());
  data_->begin(incarnation_, from.version);
  flushed_ = steady::now();
  return check_layout();
}

error step_state::check_layout() {
  auto held = data_->get(layout_key);
  if (!held)
    return held.error();
  if (!*held)
    return {};
  if (**held == layout_)
    return {};
  return rejected("the state of flow " + settings_.flow + " was made by other steps: `" +
                  std::string(**held) + "`, now they are `" + layout_ + "`; `rtdp flow " +
                  settings_.flow + " rewind` makes it anew from the bus");
}

step_place step_state::place(uint8_t number) {
  return {data_.get(), number, [this] { return ++last_id_; }};
}

std::shared_ptr<const state::log_records> step_state::commit() {
  // Rows with ids of their own need a record too: the next incarnation's are above those it names.
  if (!data_->changed() && last_id_ == last_id_before_) {
    data_->rollback();
    return {};
  }
  if (std::exchange(is_fresh_, false))
    data_->put(layout_key, layout_);
  auto changes = data_->commit();
  last_id_before_ = last_id_;
  auto made = encoder_->encode(*data_, *changes, last_id_);
  encoder_->snapshot(*data_, last_id_, made);
  return std::make_shared<const state::log_records>(std::move(made));
}

void step_state::rollback() {
  data_->rollback();
  last_id_ = last_id_before_;
}

error step_state::committed(state::state_point stored) {
  if (stored.incarnation != incarnation_)
    return {};
  encoder_->committed(stored);
  if (auto failed = data_->committed(stored.version))
    return failed;
  if (steady::now() - flushed_ < flush_interval)
    return {};
  flushed_ = steady::now();
  return data_->flush(false);
}

} // namespace rtdp::flow
