#include "runtime/bus/embedded_endpoints.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;
using steady = std::chrono::steady_clock;

namespace {

/// What a producer holds back at most before it writes a group by itself.
constexpr size_t group_bytes_most = size_t{4} << 20;
constexpr size_t group_messages_most = 4096;
/// How long `send` waits for another writer when its queue is full.
constexpr milliseconds send_wait{5000};
/// A transaction waits in memory; 16 times what a source sends between two flushes.
constexpr size_t transaction_bytes_most = size_t{256} << 20;

} // namespace

// -- messages that wait -------------------------------------------------------

error embedded_lanes::add(const partition& to, std::string_view key, std::string_view value) {
  auto found = lane_of(to);
  if (!found)
    return found.error();
  auto& group = (*found)->group;
  if (group.empty())
    waiting_.push_back(to);
  group.push_back({now_us() / 1000, std::string(key), std::string(value)});
  bytes_ += key.size() + value.size();
  ++messages_;
  return {};
}

result<embedded_lanes::lane*> embedded_lanes::lane_of(const partition& p) {
  auto found = lanes_.find(p);
  if (found != lanes_.end())
    return &found->second;
  auto options = shared_->topics.find(p);
  if (!options)
    return options.error();
  auto log = log_writer::open(shared_->topics.path_of(p), *options);
  if (!log)
    return log.error();
  return &lanes_.emplace(p, lane{std::move(*log), {}}).first->second;
}

error embedded_lanes::write(steady::time_point until) {
  while (!waiting_.empty()) {
    const auto& p = waiting_.front();
    auto& to = lanes_.at(p);
    auto left = duration_cast<milliseconds>(until - steady::now());
    auto end = to.log.append(to.group, std::max(left, milliseconds(0)));
    if (!end)
      return end.error().in(p.text());
    messages_ -= to.group.size();
    for (const auto& m : to.group)
      bytes_ -= m.key.size() + m.value.size();
    to.group.clear();
    shared_->signal.tell(p, *end);
    waiting_.erase(waiting_.begin());
  }
  return {};
}

// -- plain --------------------------------------------------------------------

error embedded_producer::send(const partition& to, std::string_view key, std::string_view value) {
  if (dead_)
    return dead_;
  auto size = key.size() + value.size();
  if (lanes_.messages() > 0 && (lanes_.bytes() + size > group_bytes_most ||
                                lanes_.messages() >= group_messages_most))
    if (auto failed = lanes_.write(steady::now() + send_wait))
      return failed;
  return lanes_.add(to, key, value);
}

error embedded_producer::flush(milliseconds timeout) {
  if (dead_)
    return dead_;
  if (auto failed = lanes_.write(steady::now() + timeout)) {
    dead_ = failed.in("this producer has failed before, make a new one");
    return failed;
  }
  return {};
}

// -- fenced -------------------------------------------------------------------

error embedded_fenced_producer::send(const partition& to, std::string_view key,
                                     std::string_view value) {
  if (dead_)
    return dead_;
  if (lanes_.bytes() + key.size() + value.size() > transaction_bytes_most)
    return rejected("a transaction on the embedded bus holds up to " +
                    std::to_string(transaction_bytes_most) + " bytes, flush before there are more");
  return lanes_.add(to, key, value);
}

error embedded_fenced_producer::flush(milliseconds timeout) {
  if (dead_)
    return dead_;
  auto failed = write(timeout);
  if (failed)
    dead_ = failed == ec::fenced ? failed
                                 : failed.in("this producer has failed before, make a new one");
  return failed;
}

error embedded_fenced_producer::write(milliseconds timeout) {
  auto until = steady::now() + timeout;
  // Whoever takes the id waits for this: what comes behind its first message is its own.
  auto held = owner_->hold(timeout);
  return held ? lanes_.write(until) : held.error();
}

} // namespace rtdp::bus
