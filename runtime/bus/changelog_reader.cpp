#include "runtime/bus/changelog_reader.hpp"

#include <algorithm>

namespace rtdp::bus {
namespace {

using namespace std::chrono;

constexpr size_t fetch_bytes = 2 << 20;
/// How long one poll waits for a message that the bus says is there.
constexpr milliseconds poll_wait{100};
/// How long to look for such a message before the bus counts as unavailable.
constexpr seconds found_within{10};

} // namespace

error changelog_reader::open() {
  if (reader_)
    return {};
  if (auto failed = bus_->open())
    return failed;
  topic_options options;
  options.compact = true;
  if (auto failed = bus_->create_topic(topic_.topic, options))
    return failed;
  auto made = bus_->make_reader("rtdp-state-" + flow_);
  if (!made)
    return made.error();
  auto held = bus_->ranges(topic_.topic);
  if (!held)
    return held.error();
  if (held->empty())
    return unavailable("topic " + topic_.topic + " has no partition yet");
  position_ = std::max(position_, held->front().first);
  if (auto failed = (*made)->assign({{topic_, position_}}))
    return failed;
  reader_ = std::move(*made);
  return {};
}

result<bool> changelog_reader::read_on(milliseconds limit) {
  if (auto failed = open())
    return failed;
  auto held = bus_->ranges(topic_.topic);
  if (!held)
    return held.error();
  auto end = held->front().end;
  for (auto until = steady::now() + limit; position_ < end;) {
    std::vector<message> messages;
    if (auto failed = reader_->poll(std::min(limit, poll_wait), fetch_bytes, messages))
      return failed;
    for (auto& m : messages)
      if (auto failed = keep(std::move(m)))
        return failed.in(topic_.topic);
    position_ = std::max(position_, reader_->position(topic_));
    if (steady::now() >= until)
      return position_ >= end;
  }
  return true;
}

error changelog_reader::keep(message&& m) {
  position_ = m.offset + 1;
  if (auto failed = index_.add(m.offset, m.key, m.value))
    return failed.in("offset " + std::to_string(m.offset));
  if (m.value.empty())
    return {};
  recent_bytes_ += m.value.size();
  recent_.emplace(m.offset, std::move(m.value));
  while (recent_bytes_ > recent_most_) {
    recent_bytes_ -= recent_.begin()->second.size();
    recent_.erase(recent_.begin());
  }
  return {};
}

result<bool> changelog_reader::bring(state::keyed_state& data, state::state_point wanted,
                                     milliseconds limit) {
  if (!on_the_way_ || wanted_ != wanted) {
    // Half a snapshot is no state to go on from.
    auto way = index_.way(data.reached(), wanted);
    if (!way)
      return way.error();
    if (way->from_nothing)
      if (auto failed = data.reset())
        return failed;
    way_ = {way->offsets.begin(), way->offsets.end()};
    pieces_.clear();
    ahead_.clear();
    again_.reset();
    wanted_ = wanted;
    on_the_way_ = true;
  }
  for (auto until = steady::now() + limit; !way_.empty(); way_.pop_front()) {
    if (steady::now() >= until)
      return false;
    auto applied = apply(data, way_.front());
    on_the_way_ = applied && *applied;
    if (!applied)
      return applied.error().in(topic_.topic);
    // Overwritten since it was found: only what is there now leads anywhere.
    if (!*applied) {
      start_over();
      return false;
    }
  }
  on_the_way_ = false;
  again_.reset();
  ahead_.clear();
  return true;
}

void changelog_reader::rest() {
  reader_.reset();
  again_.reset();
  ahead_.clear();
  recent_.clear();
  recent_bytes_ = 0;
}

void changelog_reader::start_over() {
  reader_.reset();
  position_ = 0;
  index_ = {};
  recent_.clear();
  recent_bytes_ = 0;
}

result<bool> changelog_reader::apply(state::keyed_state& data, int64_t offset) {
  auto value = value_at(offset);
  if (!value)
    return value.error();
  if (!*value)
    return false;
  auto record = state::decode(**value);
  if (!record)
    return record.error().in("offset " + std::to_string(offset));
  const auto& h = record->header;
  auto bytes = record->bytes;
  if (h.pieces > 1) {
    pieces_ += bytes;
    if (h.piece + 1 < h.pieces)
      return true;
    bytes = pieces_;
  }
  bool is_part = h.kind == state::record_kind::snapshot && !h.is_last;
  auto after = is_part ? std::optional<state::state_point>{} : std::optional{h.of};
  auto failed = data.apply(bytes, after);
  pieces_.clear();
  if (failed)
    return failed;
  return true;
}

result<const std::string*> changelog_reader::value_at(int64_t offset) {
  if (auto at = recent_.find(offset); at != recent_.end())
    return &at->second;
  if (!again_) {
    auto made = bus_->make_reader("rtdp-state-again-" + flow_);
    if (!made)
      return made.error();
    again_ = std::move(*made);
    again_next_ = -1;
  }
  while (!ahead_.empty() && ahead_.front().offset < offset)
    ahead_.pop_front();
  // It may lie before what was read: a change that was appended while its snapshot was.
  bool passed = ahead_.empty() ? again_next_ < 0 || again_next_ > offset
                               : ahead_.front().offset > offset;
  if (passed) {
    ahead_.clear();
    if (auto failed = again_->assign({{topic_, offset}}))
      return failed;
  }
  for (auto until = steady::now() + found_within; ahead_.empty() && steady::now() < until;) {
    std::vector<message> messages;
    if (auto failed = again_->poll(poll_wait, fetch_bytes, messages))
      return failed;
    for (auto& m : messages) {
      again_next_ = m.offset + 1;
      if (m.offset >= offset)
        ahead_.push_back(std::move(m));
    }
  }
  if (ahead_.empty())
    return unavailable("offset " + std::to_string(offset) + " did not come within 10 s");
  return ahead_.front().offset == offset ? &ahead_.front().value : nullptr;
}

} // namespace rtdp::bus
