#include "actors/heartbeat/alarm_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rtdp::heartbeat {

namespace {

using namespace std::chrono_literals;
using json = nlohmann::json;
using alarm_pointer = runtime::alarm_actor::stateful_pointer<alarm_state>;

constexpr auto look_interval = 1s;
constexpr auto feedback_timeout = 5s;
constexpr size_t outbox_max = 1000;
constexpr const char* component = "alarms";

json to_json(const alarm_state::undelivered& u) {
  const auto& a = u.what.what;
  return {{"channel", u.channel},     {"event", u.what.event},   {"condition", a.condition},
          {"component", a.component}, {"name", a.name},          {"text", a.text},
          {"since_us", a.since_us},   {"ended_us", a.ended_us}};
}

std::string outbox_text(const alarm_state& s) {
  auto all = json::array();
  for (const auto& u : s.outbox)
    all.push_back(to_json(u));
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

error restore_outbox(alarm_state& s, const std::string& text) {
  if (text.empty())
    return {};
  try {
    for (const auto& j : json::parse(text)) {
      alarm_state::undelivered u;
      u.id = s.next_id++;
      u.channel = j.at("channel");
      u.what = {j.at("event"),
                {j.at("condition"), j.at("component"), j.at("name"), j.at("text"),
                 j.at("since_us"), j.at("ended_us")}};
      // The file may name fewer channels by now.
      if (u.channel < s.channels.size())
        s.outbox.push_back(std::move(u));
    }
  } catch (const json::exception& e) {
    return rejected(std::string("stored notices cannot be read: ") + e.what());
  }
  return {};
}

/// What cannot be stored is told all the same: twice after a restart is better than never.
void save(alarm_pointer self) {
  auto& s = self->state;
  auto failed = s.store ? s.store->save(component, {{"rules", s.rules->text()},
                                                    {"outbox", outbox_text(s)}})
                        : unavailable("the store of the node could not be opened");
  if (failed)
    ops::logger("alarm")->error("cannot keep what was told: {}", failed.text());
}

/// Takes up what an earlier ALARM told, and what it could not deliver.
error load(alarm_pointer self) {
  auto& s = self->state;
  auto store = state::checkpoint_store::open(s.env.data_dir);
  if (!store)
    return store.error();
  s.store.emplace(std::move(*store));
  auto saved = s.store->load(component);
  if (!saved)
    return saved.error();
  if (auto failed = s.rules->restore((*saved)["rules"]))
    return failed;
  return restore_outbox(s, (*saved)["outbox"]);
}

void delivered(alarm_pointer self, int64_t id) {
  auto& s = self->state;
  std::erase_if(s.outbox, [id](const auto& u) { return u.id == id; });
  save(self);
}

void deliver(alarm_pointer self, const alarm_state::undelivered& u) {
  // No time-out: CHANNEL answers when somebody took it, and ALARM ends with it.
  self->request(self->state.channels[u.channel], caf::infinite, runtime::atom::deliver_v,
                u.what.event, u.what.what)
      .then([self, id = u.id](bool) { delivered(self, id); },
            [self, id = u.id](caf::error& e) {
              ops::logger("alarm")->error("a notice is lost: {}", runtime::from_caf(e).text());
              delivered(self, id);
            });
}

void log_notice(const notice& n) {
  const auto& a = n.what;
  auto log = ops::logger("alarm");
  if (n.event == "ended")
    log->info("over: {} of {} {}: {}", a.condition, a.component, a.name, a.text);
  else
    log->warn("{}{} of {} {}: {}", n.event == "lasts" ? "still " : "", a.condition, a.component,
              a.name, a.text);
}

void count(alarm_pointer self, const runtime::alarm& a) {
  self->state.env.metrics->alarms_open({a.component + "." + a.name, a.condition})
      .Set(a.ended_us == 0);
}

void tell(alarm_pointer self, std::vector<notice> notices) {
  auto& s = self->state;
  if (notices.empty())
    return;
  std::vector<alarm_state::undelivered> fresh;
  for (auto& n : notices) {
    log_notice(n);
    count(self, n.what);
    for (size_t i = 0; i < s.channels.size(); ++i)
      fresh.push_back({s.next_id++, i, n});
  }
  s.outbox.insert(s.outbox.end(), fresh.begin(), fresh.end());
  auto lost = s.outbox.size() > outbox_max ? s.outbox.size() - outbox_max : 0;
  if (lost > 0)
    ops::logger("alarm")->error("{} notices were never delivered and are dropped", lost);
  s.outbox.erase(s.outbox.begin(), s.outbox.begin() + int64_t(lost));
  save(self);
  for (const auto& u : fresh)
    deliver(self, u);
}

/// Of each component, by its name in lists: "flow.orders".
std::map<std::string, int64_t> count_errors(ops::metrics& m,
                                            const std::vector<runtime::report>& reports) {
  std::map<std::string, int64_t> all;
  for (const auto& r : reports)
    if (r.component == "source")
      all["source." + r.name] = int64_t(m.errors({.source = r.name}).Value());
    else if (r.component == "flow")
      all["flow." + r.name] = int64_t(m.errors({.flow = r.name}).Value());
  return all;
}

void look(alarm_pointer self) {
  self->delayed_send(self, look_interval, runtime::atom::tick_v);
  self->request(self->state.env.feedback, feedback_timeout, runtime::atom::list_v)
      .then(
          [self](const std::vector<runtime::report>& reports) {
            auto& s = self->state;
            tell(self, s.rules->look(reports, count_errors(*s.env.metrics, reports), now_us()));
          },
          [](caf::error& e) {
            ops::logger("alarm")->warn("FEEDBACK does not answer: {}",
                                       runtime::from_caf(e).text());
          });
}

} // namespace

runtime::alarm_actor::behavior_type alarm_actor(alarm_pointer self, runtime::environment env,
                                                config::alarm_settings settings,
                                                std::vector<runtime::channel_actor> channels) {
  auto& s = self->state;
  s.env = std::move(env);
  s.channels = std::move(channels);
  s.rules.emplace(std::move(settings), now_us());
  for (const auto& c : s.channels)
    self->link_to(c);
  if (auto failed = load(self))
    ops::logger("alarm")->error("what was told before is not known: {}", failed.text());
  for (const auto& a : s.rules->list())
    if (a.ended_us == 0)
      count(self, a);
  for (const auto& u : s.outbox)
    deliver(self, u);
  self->delayed_send(self, look_interval, runtime::atom::tick_v);
  return {
      [self](runtime::atom::list) { return self->state.rules->list(); },
      [self](runtime::atom::tick) { look(self); },
  };
}

} // namespace rtdp::heartbeat
