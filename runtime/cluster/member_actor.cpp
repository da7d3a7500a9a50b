#include "runtime/cluster/member_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/member_parts.hpp"
#include "runtime/cluster/question.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/log.hpp"

#include <caf/actor_cast.hpp>
#include <caf/make_message.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <tuple>

namespace rtdp::cluster {

namespace member {

namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 50ms;
/// Half of a beat: while nothing is under way that a tick carries on.
constexpr auto idle_interval = 125ms;
/// Six of them in the shortest failure_timeout that is usual: one that is late loses nobody.
constexpr auto beat_interval = 250ms;
/// Each fourth or fifth beat.
constexpr auto report_interval = 1s;
/// To be safe: peers are told what has changed, and all of it when they connect.
constexpr auto news_interval = 5s;
/// A flow that was ready runs some 20 ms after it was placed.
constexpr auto starting_time = 3s;
constexpr auto ask_timeout = 5s;
/// A list of all nodes waits for the slowest; REST has 5 s.
constexpr auto peer_timeout = 2s;

/// Rows a second since the last look; looks are not more often than beats.
int64_t rate(self_pointer self, const std::string& component, int64_t rows) {
  auto& last = self->state.rows;
  auto [at, is_new] = last.try_emplace(component, rows, now(self));
  auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now(self) - at->second.second);
  if (is_new || passed <= 0ms)
    return 0;
  auto per_second = std::max<int64_t>(0, rows - at->second.first) * 1000 / passed.count();
  // Over a few seconds: a beat alone sees bursts.
  if (passed >= 3s)
    at->second = {rows, now(self)};
  return per_second;
}

runtime::running shown(self_pointer self, const std::string& component, int64_t epoch) {
  runtime::running out;
  out.epoch = epoch;
  out.state = "starting";
  auto [kind, name] = split(component);
  for (const auto& r : self->state.reports) {
    if (r.component != kind || r.name != name)
      continue;
    out.state = r.state;
    out.reason = r.reason;
    auto figure = [&](const char* which) {
      auto at = r.figures.find(which);
      return at == r.figures.end() ? int64_t{0} : at->second;
    };
    out.lag_rows = figure("lag_rows");
    out.rows_per_s = rate(self, component, figure("rows_out"));
  }
  return out;
}

/// That this node is there, and what its components do when that `is_news` or the peer was not told.
void tell_peers(self_pointer self, bool is_news) {
  auto& s = self->state;
  for (const auto& [name, p] : s.others.all()) {
    if (!p.member)
      continue;
    bool knows = s.others.tell(name) && !is_news;
    caf::anon_send(caf::actor_cast<caf::actor>(p.member), knows ? s.short_beat : s.full_beat);
  }
}

void show(self_pointer self) {
  auto& s = self->state;
  for (const auto& [name, p] : s.others.all())
    s.env.metrics->node_up({name}).Set(s.others.alive(name, now(self)));
  s.env.metrics->leader({}).Set(s.leading);
}

/// Components report once a second: between that nobody looks at them again, unless the node has got
/// others, or trouble.
bool is_as_before(self_pointer self) {
  auto& s = self->state;
  if (s.own_beat.node.empty() || now(self) - s.reported >= report_interval ||
      s.told.size() != s.own_beat.components.size())
    return false;
  runtime::beat b;
  if (s.options.measure)
    s.options.measure(b);
  return (b.trouble.empty() ? s.settings_trouble : b.trouble) == s.own_beat.trouble;
}

using components = std::map<std::string, runtime::running>;

bool is_same(const components& a, const components& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    const auto& [p, q] = std::tie(x.second, y.second);
    return x.first == y.first && p.epoch == q.epoch && p.state == q.state &&
           p.reason == q.reason && p.rows_per_s == q.rows_per_s && p.lag_rows == q.lag_rows;
  });
}

void send_beat(self_pointer self) {
  auto& s = self->state;
  runtime::beat b;
  b.node = own_name(self);
  b.boot = own_boot(self);
  b.version = s.options.self.version;
  if (s.options.measure)
    s.options.measure(b);
  if (b.trouble.empty())
    b.trouble = s.settings_trouble;
  for (const auto& [component, epoch] : s.told)
    b.components[component] = shown(self, component, epoch);
  // Between two looks at the components their states change seldom, and of idle ones no figure does.
  bool is_news = !s.told_all || now(self) - *s.told_all >= news_interval ||
                 !is_same(b.components, s.own_beat.components);
  runtime::beat brief;
  brief.node = b.node;
  brief.boot = b.boot;
  brief.cpu_permille = b.cpu_permille;
  brief.rss_bytes = b.rss_bytes;
  brief.trouble = b.trouble;
  s.short_beat = caf::make_message(runtime::atom::beat_v, std::move(brief));
  if (is_news) {
    // One for all: with a hundred components, copies for each peer were half of what a beat costs.
    s.full_beat = caf::make_message(runtime::atom::beat_v, b);
    s.told_all = now(self);
  }
  s.own_beat = std::move(b);
  s.reported = now(self);
  tell_peers(self, is_news);
  show(self);
}

/// The leader waits for the first beat that tells that a component runs here: until then they are
/// not spared.
bool something_starts(const member_state& s, moment now) {
  return s.placed && now - *s.placed < starting_time &&
         std::any_of(s.own_beat.components.begin(), s.own_beat.components.end(),
                     [](const auto& c) { return c.second.state != "running"; });
}

bool is_idle(self_pointer self) {
  const auto& s = self->state;
  bool tells = s.tell_again || s.untold || !s.telling.empty() || something_starts(s, now(self));
  bool moves = !s.drifts.empty() || !s.warm.empty();
  // Who is lost is noticed as soon as ever: it was connected and beat until a moment ago.
  return !tells && !moves && !s.deciding && (s.leading || !s.leaderless_since) &&
         !s.others.in_doubt(now(self), 2 * beat_interval);
}

void tick(self_pointer self) {
  auto& s = self->state;
  bool starts = something_starts(s, now(self));
  if (starts || now(self) - s.beaten >= beat_interval) {
    if (starts || !is_as_before(self)) {
      beat(self);
    } else {
      s.beaten = now(self);
      tell_peers(self, false);
    }
  }
  follow_again(self);
  tell_unheard(self);
  watch(self);
  tend_drifts(self);
  auto next_beat = s.beaten + beat_interval - now(self);
  auto wait = is_idle(self) ? std::clamp<caf::timespan>(next_beat, tick_interval, idle_interval)
                            : caf::timespan{tick_interval};
  self->delayed_send(self, wait, runtime::atom::tick_v);
}

/// What keeps the node from being empty, as far as the leader knows; empty: nothing.
std::string why_not_drained(self_pointer self, const std::string& node) {
  for (const auto& a : self->state.plan)
    if (a.from == node)
      return a.reason;
  return {};
}

runtime::node_report shown_node(self_pointer self, const std::string& name) {
  auto& s = self->state;
  runtime::node_report r;
  r.name = name;
  bool self_too = name == own_name(self);
  const auto* last = self_too ? &s.own_beat : s.others.last(name);
  r.leader = s.decided.leader() == name;
  if (!last) {
    r.state = "joining";
    r.reason = why_unheard(self, name);
    return r;
  }
  bool alive = self_too || s.others.alive(name, now(self));
  r.last_seen_us = self_too ? now_us() : s.others.all().at(name).heard_us;
  r.version = last->version;
  r.boot = last->boot;
  r.leader = r.leader && s.decided.leader_boot() == last->boot && alive;
  r.cpu_permille = last->cpu_permille;
  r.rss_bytes = last->rss_bytes;
  for (const auto& [component, what] : last->components) {
    (component.starts_with("flow.") ? r.flows : r.sources) += 1;
    r.rows_per_s += component.starts_with("flow.") ? what.rows_per_s : 0;
  }
  r.reason = last->trouble;
  r.state = !alive                     ? "lost"
            : !last->trouble.empty()   ? "trouble"
            : !s.decided.draining(name) ? "running"
            : r.flows + r.sources > 0  ? "draining"
                                       : "drained";
  if (r.state == "draining")
    r.reason = why_not_drained(self, name);
  return r;
}

runtime::cluster_report report(self_pointer self) {
  auto& s = self->state;
  runtime::cluster_report out;
  out.leader = s.decided.leader();
  out.revision = s.decided.revision();
  for (const auto& m : s.options.settings.nodes.nodes)
    out.nodes.push_back(shown_node(self, m.name));
  for (const auto& [flow, d] : s.drifts)
    out.drifts.push_back(d.shown);
  out.drifts.insert(out.drifts.end(), s.ended_drifts.rbegin(), s.ended_drifts.rend());
  out.plan = s.plan;
  if (s.uneven)
    out.plan.push_back(*s.uneven);
  for (const auto& [component, p] : s.decided.placements())
    out.owners[component] = p.node;
  return out;
}

/// Asks NODE on behalf of the leader.
template<class T, class... Ts>
caf::result<T> pass_on(self_pointer self, Ts... xs) {
  auto promise = self->make_response_promise<T>();
  // The leader has time limits of its own.
  self->request(self->state.node, 65s, std::move(xs)...)
      .then([promise](T& x) mutable { promise.deliver(std::move(x)); },
            [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

caf::result<std::vector<runtime::report>> reports(self_pointer self) {
  using list = std::vector<runtime::report>;
  auto promise = self->make_response_promise<list>();
  self->request(self->state.env.feedback, ask_timeout, runtime::atom::list_v)
      .then([promise](list& all) mutable { promise.deliver(std::move(all)); },
            [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

/// Asks another node, over its link, for `what`.
template<class T, class... Ts>
caf::result<T> ask_peer(self_pointer self, const std::string& node, const char* what, Ts... xs) {
  auto member = self->state.others.member(node);
  if (!member)
    return runtime::to_caf(unavailable("node " + node + " is not connected"));
  auto promise = self->make_response_promise<T>();
  self->request(caf::actor_cast<runtime::member_actor>(member), peer_timeout, std::move(xs)...)
      .then([promise](T& x) mutable { promise.deliver(std::move(x)); },
            [promise, asked = question{"node " + node, what, peer_timeout}](caf::error& e) mutable {
              promise.deliver(runtime::to_caf(answer_from(asked, e)));
            });
  return promise;
}

void learn(self_pointer self, const std::vector<std::string>& records) {
  auto known = self->state.decided.changes();
  self->state.leader_shown = now(self);
  for (const auto& r : records)
    if (auto e = self->state.decided.learn(r))
      ops::logger("member")->error("{}; it is passed over", e.text());
  // Most records only say that the leader leads on.
  if (self->state.decided.changes() != known)
    follow(self);
  // Behind `follow`: what the former leader had committed is this node's own.
  if (self->state.decided.term() == self->state.drift_term)
    return;
  self->state.drift_term = self->state.decided.term();
  drop_all_warm(self);
  thaw_all(self);
}

/// Tells the others that they need not wait: this node ends.
void stop(self_pointer self) {
  auto& s = self->state;
  auto last = s.own_beat;
  last.trouble = "it was stopped";
  last.components.clear();
  for (const auto& [name, p] : s.others.all())
    if (p.member)
      self->send(caf::actor_cast<runtime::member_actor>(p.member), runtime::atom::beat_v, last);
  self->send_exit(s.catalog_log, caf::exit_reason::user_shutdown);
  self->quit();
}

void begin(self_pointer self) {
  auto& s = self->state;
  s.started = now(self);
  s.others = peers{s.options.settings.nodes.failure_timeout};
  s.catalog_log = s.options.spawn_catalog(*self, self);
  self->link_to(s.catalog_log);
  self->set_down_handler([self](const caf::down_msg& message) { lost(self, message); });
  for (const auto& m : s.options.settings.nodes.nodes) {
    if (m.name == own_name(self))
      continue;
    s.others.add(m.name);
    if (s.options.spawn_link && calls(own_name(self), m.name))
      s.options.spawn_link(*self, self, m);
  }
  self->send(self, runtime::atom::tick_v);
}

} // namespace

moment now(self_pointer self) { return self->clock().now(); }
const std::string& own_name(self_pointer self) { return self->state.options.self.node; }
const std::string& own_boot(self_pointer self) { return self->state.options.self.boot; }

void beat(self_pointer self) {
  self->state.beaten = now(self);
  self->request(self->state.env.feedback, ask_timeout, runtime::atom::list_v)
      .then(
          [self](std::vector<runtime::report>& all) {
            self->state.reports = std::move(all);
            send_beat(self);
          },
          // Others must not take this node for dead because FEEDBACK is slow.
          [self](caf::error&) { send_beat(self); });
}

} // namespace member

runtime::member_actor::behavior_type
member_actor(runtime::member_actor::stateful_pointer<member_state> self, runtime::environment env,
             member_options options, runtime::node_actor node) {
  namespace atom = runtime::atom;
  self->state.env = std::move(env);
  self->state.options = std::move(options);
  self->state.node = std::move(node);
  member::begin(self);
  return {
      [self](atom::greet, const runtime::hello& theirs) { return member::greet(self, theirs); },
      [self](atom::beat, runtime::beat& b) {
        self->state.others.beat(std::move(b), member::now(self), now_us());
      },
      [self](atom::progress, const std::string& flow) {
        return member::pass_on<std::string>(self, atom::progress_v, flow);
      },
      [self](atom::warm, const std::string& flow, const std::string& progress) {
        const auto* p = self->state.decided.find("flow." + flow);
        self->state.warm[flow] = p ? p->epoch : 0;
        return member::pass_on<bool>(self, atom::warm_v, flow, progress);
      },
      [self](atom::freeze, const std::string& flow) {
        self->state.frozen.insert(flow);
        return member::pass_on<std::string>(self, atom::freeze_v, flow);
      },
      [self](atom::thaw, const std::string& flow) { member::thaw(self, flow); },
      [self](atom::drop, const std::string& flow) { member::drop_warm(self, flow); },
      [self](atom::ask, const runtime::command& c) { return member::take_order(self, c); },
      [self](atom::list) { return member::report(self); },
      [self](atom::status) { return member::reports(self); },
      [self](atom::status, const std::string& other) {
        return member::ask_peer<std::vector<runtime::report>>(self, other, "for its components",
                                                              atom::status_v);
      },
      [self](atom::list, const std::string& other) {
        return member::ask_peer<runtime::cluster_report>(self, other, "how it sees the cluster",
                                                         atom::list_v);
      },
      [self](atom::peer, const std::string& name, const caf::strong_actor_ptr& m) {
        member::connected(self, name, m);
      },
      [self](atom::learn, const std::vector<std::string>& records) {
        member::learn(self, records);
      },
      [self](atom::stop) { member::stop(self); },
      [self](atom::tick) { member::tick(self); },
  };
}

} // namespace rtdp::cluster
