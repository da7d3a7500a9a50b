#include "runtime/cluster/peers.hpp"

#include <algorithm>

namespace rtdp::cluster {

namespace {

/// A process that died has its connections closed at once; one whose connection only broke is back
/// within this time (LINK tries again after 200 ms).
constexpr std::chrono::milliseconds reconnect_time{600};

} // namespace

void peers::connected(const std::string& name, caf::strong_actor_ptr member, moment now) {
  auto& p = all_[name];
  if (member)
    p.disconnected.reset();
  else if (p.member)
    p.disconnected = now;
  p.told = false;
  p.member = std::move(member);
}

void peers::beat(runtime::beat b, moment now, int64_t now_us) {
  auto& p = all_[b.node];
  if (!p.boot.empty() && p.boot != b.boot)
    return;
  if (b.version.empty()) {
    if (!p.last || p.last->boot != b.boot)
      return;
    b.version = p.last->version;
    b.components = std::move(p.last->components);
  }
  p.heard = now;
  p.heard_us = now_us;
  p.last = std::move(b);
}

bool peers::replaced(const std::string& name, const std::string& boot) {
  auto& p = all_[name];
  p.boot = boot;
  if (!p.last || p.last->boot == boot)
    return false;
  p.last.reset();
  p.disconnected.reset();
  return true;
}

bool peers::alive(const std::string& name, moment now) const {
  auto at = all_.find(name);
  if (at == all_.end() || !at->second.last)
    return false;
  const auto& p = at->second;
  if (p.disconnected && p.heard <= *p.disconnected && now - *p.disconnected >= reconnect_time)
    return false;
  return now - p.heard < failure_timeout_;
}

bool peers::in_doubt(moment now, std::chrono::milliseconds silence) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& each) {
    const auto& [name, p] = each;
    return (!p.member || now - p.heard >= silence) && alive(name, now);
  });
}

const runtime::beat* peers::last(const std::string& name) const {
  auto at = all_.find(name);
  return at == all_.end() || !at->second.last ? nullptr : &*at->second.last;
}

caf::strong_actor_ptr peers::member(const std::string& name) const {
  auto at = all_.find(name);
  return at == all_.end() ? nullptr : at->second.member;
}

std::vector<std::string> peers::living(moment now) const {
  std::vector<std::string> out;
  for (const auto& [name, p] : all_)
    if (alive(name, now))
      out.push_back(name);
  return out;
}

} // namespace rtdp::cluster
