#include "actors/heartbeat/alarm_actor.hpp"
#include "actors/heartbeat/channel_actor.hpp"
#include "assemble.hpp"

namespace rtdp {

std::function<runtime::alarm_actor(caf::local_actor&)>
plan_alarm(const config::alarm_settings& settings, const runtime::environment& env) {
  return [=](caf::local_actor& node) {
    std::vector<runtime::channel_actor> channels;
    auto add = [&](std::shared_ptr<heartbeat::channel> way) {
      channels.push_back(node.spawn<caf::detached>(heartbeat::channel_actor, std::move(way)));
    };
    for (const auto& w : settings.webhooks)
      add(heartbeat::make_webhook(w, env.node));
    for (const auto& m : settings.mails)
      add(heartbeat::make_mail(m, env.node));
    return node.spawn<caf::detached>(heartbeat::alarm_actor, env, settings, std::move(channels));
  };
}

} // namespace rtdp
