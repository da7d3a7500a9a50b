#include "runtime/bus/embedded_endpoints.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;
using steady = std::chrono::steady_clock;

namespace {
/// How often a reader looks for what another process wrote.
constexpr milliseconds look_interval{50};
} // namespace

// -- what was committed -------------------------------------------------------

void commit_signal::tell(const partition& p, int64_t end) {
  {
    std::lock_guard lock(guard_);
    auto& known = ends_[p];
    known = std::max(known, end);
    ++commits_;
  }
  committed_.notify_all();
}

uint64_t commit_signal::commits() {
  std::lock_guard lock(guard_);
  return commits_;
}

int64_t commit_signal::end_of(const partition& p) {
  std::lock_guard lock(guard_);
  auto known = ends_.find(p);
  return known == ends_.end() ? 0 : known->second;
}

void commit_signal::wait(uint64_t seen, steady::time_point until) {
  std::unique_lock lock(guard_);
  committed_.wait_until(lock, until, [&] { return commits_ != seen; });
}

// -- reader -------------------------------------------------------------------

error embedded_reader::assign(const std::map<partition, int64_t>& from) {
  std::vector<followed> opened;
  for (const auto& [p, offset] : from) {
    if (auto known = shared_->topics.find(p); !known)
      return known.error();
    auto log = log_reader::open(shared_->topics.path_of(p));
    if (!log)
      return log.error().in(p.text());
    opened.push_back({p, std::make_shared<const std::string>(p.topic), std::move(*log), offset});
  }
  followed_ = std::move(opened);
  next_look_ = {};
  return {};
}

error embedded_reader::poll(milliseconds wait, size_t bytes_max, std::vector<message>& out) {
  auto until = steady::now() + wait;
  for (auto before = out.size();;) {
    auto seen = shared_->signal.commits();
    if (auto failed = take(bytes_max, out))
      return failed;
    auto now = steady::now();
    if (out.size() > before || now >= until)
      return {};
    shared_->signal.wait(seen, std::min(until, next_look_));
  }
}

error embedded_reader::take(size_t bytes_max, std::vector<message>& out) {
  auto now = steady::now();
  bool look = now >= next_look_;
  auto before = out.size();
  size_t bytes = 0;
  // Another partition is first each time: a busy one must not keep the others waiting.
  ++turn_;
  for (size_t i = 0; i < followed_.size() && (bytes == 0 || bytes < bytes_max); ++i) {
    auto& f = followed_[(turn_ + i) % followed_.size()];
    if (!look && shared_->signal.end_of(f.p) <= f.position)
      continue;
    auto first = out.size();
    if (auto failed = f.log.read(f.position, bytes_max - bytes, f.topic, f.p.index, out))
      return failed;
    for (auto n = first; n < out.size(); ++n)
      bytes += out[n].key.size() + out[n].value.size();
    if (out.size() > first)
      f.position = out.back().offset + 1;
  }
  // There may be more, also where this process wrote nothing: the next poll asks again.
  next_look_ = out.size() > before ? now : look ? now + look_interval : next_look_;
  return {};
}

int64_t embedded_reader::position(const partition& p) const {
  auto found = std::find_if(followed_.begin(), followed_.end(),
                            [&](const followed& f) { return f.p == p; });
  return found == followed_.end() ? 0 : found->position;
}

} // namespace rtdp::bus
