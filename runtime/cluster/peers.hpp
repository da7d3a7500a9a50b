/// Which other nodes are alive, by their beats. A plain value; owned by MEMBER; time is handed in.
#pragma once

#include "runtime/cluster/supervision.hpp"
#include "runtime/peer.hpp"

#include <caf/actor_control_block.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::cluster {

struct peer {
  /// Null while there is no connection.
  caf::strong_actor_ptr member;
  std::optional<runtime::beat> last;
  moment heard;
  int64_t heard_us = 0;
  std::optional<moment> disconnected;
  /// It was told how this node is since it has connected.
  bool told = false;
  /// Of the process that was let in last; empty: of any.
  std::string boot;
};

class peers {
public:
  explicit peers(std::chrono::milliseconds failure_timeout = std::chrono::milliseconds{1500})
      : failure_timeout_(failure_timeout) {}

  /// Of the settings; may be called again when those change.
  void add(const std::string& name) { all_.try_emplace(name); }
  void connected(const std::string& name, caf::strong_actor_ptr member, moment now);
  /// A short one counts behind a full one of the same process only.
  void beat(runtime::beat b, moment now, int64_t now_us);
  /// It is told how this node is; returns whether it was before, over this connection.
  bool tell(const std::string& name) { return std::exchange(all_[name].told, true); }
  /// The node runs as this process from now on: what another one said, or says, does not count.
  /// Returns whether one was known. Its connection may be there already, or comes at once.
  bool replaced(const std::string& name, const std::string& boot);

  /// Beats come, and the connection is there or was until a moment ago.
  bool alive(const std::string& name, moment now) const;
  /// One that is alive may be lost: it is not connected, or was silent for so long.
  bool in_doubt(moment now, std::chrono::milliseconds silence) const;
  /// Null while nothing was heard of it.
  const runtime::beat* last(const std::string& name) const;
  /// Null while there is no connection.
  caf::strong_actor_ptr member(const std::string& name) const;
  const std::map<std::string, peer>& all() const { return all_; }
  /// Names, in order.
  std::vector<std::string> living(moment now) const;

private:
  std::chrono::milliseconds failure_timeout_;
  std::map<std::string, peer> all_;
};

} // namespace rtdp::cluster
