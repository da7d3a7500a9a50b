#include "runtime/cluster/catalog_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/core/backoff.hpp"
#include "runtime/ops/log.hpp"

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;
using catalog_pointer = runtime::catalog_actor::stateful_pointer<catalog_state>;

/// How long a read waits for a record: claim and append wait as long at most. Between two reads
/// other messages have their turn.
constexpr auto poll_wait = 20ms;
constexpr auto read_pause = 1ms;
/// A catalog that is not read is a node that does not know what it should do: not long.
constexpr backoff patience{.first = 100ms, .most = 2s};

error open(catalog_pointer self) {
  auto& s = self->state;
  if (s.log->is_open())
    return {};
  auto failed = s.log->open();
  if (!failed && s.attempt > 0)
    ops::logger("catalog")->info("the catalog is read again");
  if (!failed)
    s.attempt = 0;
  return failed;
}

void read(catalog_pointer self) {
  auto& s = self->state;
  auto failed = open(self);
  if (!failed)
    failed = s.log->read(poll_wait);
  if (!failed) {
    self->delayed_send(self, read_pause, runtime::atom::read_v);
    return;
  }
  if (!(failed == ec::unavailable))
    return self->quit(runtime::to_caf(failed));
  if (s.attempt == 0)
    ops::logger("catalog")->warn("the catalog cannot be read: {}", failed.text());
  self->delayed_send(self, patience.delay(s.attempt++, self->id()), runtime::atom::read_v);
}

caf::result<bool> answer(const error& failed) {
  if (failed)
    return runtime::to_caf(failed);
  return true;
}

caf::result<bool> claim(catalog_pointer self) {
  auto failed = open(self);
  return answer(failed ? failed : self->state.log->claim());
}

caf::result<bool> append(catalog_pointer self, const std::vector<std::string>& records) {
  auto failed = open(self);
  return answer(failed ? failed : self->state.log->append(records));
}

} // namespace

runtime::catalog_actor::behavior_type catalog_actor(catalog_pointer self,
                                                    std::shared_ptr<bus::bus> bus,
                                                    std::string client,
                                                    runtime::member_actor member) {
  self->state.log = std::make_unique<catalog_topic>(
      std::move(bus), std::move(client), [self, member](std::vector<std::string> records) {
        self->send(member, runtime::atom::learn_v, std::move(records));
      });
  self->monitor(member);
  self->set_down_handler([self](caf::down_msg&) { self->quit(); });
  self->send(self, runtime::atom::read_v);
  return {
      [self](runtime::atom::claim) { return claim(self); },
      [self](runtime::atom::append, const std::vector<std::string>& records) {
        return append(self, records);
      },
      [self](runtime::atom::read) { read(self); },
  };
}

} // namespace rtdp::cluster
