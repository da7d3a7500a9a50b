/// MEMBERs on simulated time with everything around them scripted: their NODEs do what the test
/// says, their CATALOGs share a log, and each reaches the others directly.
#pragma once

#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/member_actor.hpp"
#include "test/simulation/shared_log.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace rtdp::simulation {

namespace atom = runtime::atom;

/// What a NODE answers, and what it was told.
struct node_script {
  /// "place f1 2", "warm f1", "freeze f1", in their order.
  std::vector<std::string> calls;
  std::map<std::string, int64_t> runs;
  /// What its FEEDBACK was told to be stopped.
  std::set<std::string> listed_stopped;
  /// Answers of a drift that do not come, or are an error.
  bool warm_answers = true, freeze_answers = true, drop_answers = true;
  error warm_error;
  /// Each of its flows has moved so many rows between two looks.
  int64_t rows = 0, rows_each_look = 0;
  /// So many plans are not taken.
  int busy = 0;

  bool was_told(const std::string& call) const {
    return std::find(calls.begin(), calls.end(), call) != calls.end();
  }
};
using node_script_ptr = std::shared_ptr<node_script>;

inline caf::result<bool> scripted_warm(runtime::node_actor::pointer self, node_script& s) {
  if (s.warm_error)
    return runtime::to_caf(s.warm_error);
  if (!s.warm_answers)
    return self->make_response_promise<bool>();
  return true;
}

inline runtime::node_actor::behavior_type scripted_node(runtime::node_actor::pointer self,
                                                        node_script_ptr s) {
  using text = const std::string&;
  return {
      [](atom::start, text, text) { return true; },
      [](atom::stop, text, text) { return true; },
      [](atom::replay, text, text) { return true; },
      [](atom::snapshot, const runtime::snapshot_order&) { return true; },
      [](atom::idle) { return true; },
      [s](atom::place, text, text name, int64_t epoch) {
        s->calls.push_back("place " + name + " " + std::to_string(epoch));
        s->runs[name] = epoch;
        return true;
      },
      [self, s](atom::drop, text, text name) -> caf::result<bool> {
        s->calls.push_back("drop " + name);
        s->runs.erase(name);
        if (!s->drop_answers)
          return self->make_response_promise<bool>();
        return true;
      },
      [self, s](atom::warm, text name, text progress) {
        s->calls.push_back("warm " + name + " " + progress);
        return scripted_warm(self, *s);
      },
      [self, s](atom::freeze, text name) -> caf::result<std::string> {
        s->calls.push_back("freeze " + name);
        if (!s->freeze_answers)
          return self->make_response_promise<std::string>();
        return std::string("frozen here");
      },
      [s](atom::thaw, text name) { s->calls.push_back("thaw " + name); },
      [](atom::progress, text) { return std::string("so far"); },
      [s](atom::apply, const cluster::plan_ptr&) -> caf::result<bool> {
        s->calls.push_back("apply");
        if (s->busy-- > 0)
          return runtime::to_caf(unavailable("the node is taking up other settings"));
        return true;
      },
      [](atom::stop) {},
      [](atom::tick) {},
  };
}

/// What NODE runs is running.
inline runtime::feedback_actor::behavior_type scripted_feedback(node_script_ptr s) {
  return {
      [s](atom::status, const runtime::report& r) {
        if (r.state == "stopped")
          s->listed_stopped.insert(r.name);
      },
      [s](atom::drop, const std::string&, const std::string& name) {
        s->listed_stopped.erase(name);
      },
      [s](atom::list) {
        std::vector<runtime::report> all;
        s->rows += s->rows_each_look;
        for (const auto& [name, epoch] : s->runs) {
          all.emplace_back();
          all.back().component = "flow";
          all.back().name = name;
          all.back().state = "running";
          all.back().figures["rows_out"] = s->rows;
        }
        return all;
      },
  };
}

/// Three nodes, of which the test starts as many as it needs; flows "f1" and "f2".
class members {
public:
  clockwork clock{1};
  journal events{clock, false};
  shared_log log{clock, events, bug::none};
  std::map<std::string, node_script_ptr> nodes;
  std::map<std::string, runtime::member_actor> actors;
  /// Trouble and CPU that each node measures.
  std::map<std::string, std::string> measured;
  std::map<std::string, int64_t> cpu_permille;

  ~members() { clock.end_all(); }

  /// As a process of its own, "n1#1"; the nodes that run reach each other.
  void start(const std::string& name) {
    auto boot = name + "#" + std::to_string(++boots_[name]);
    auto s = nodes[name] = std::make_shared<node_script>();
    runtime::environment env;
    env.node = name;
    env.metrics = metrics();
    env.feedback = clock.spawn(index(name), scripted_feedback, s);
    auto node = clock.spawn(index(name), scripted_node, s);
    cluster::member_options o;
    o.self = cluster::current_hello(name, "1.0.0", boot);
    o.settings_text = "f1 f2";
    o.settings = *settings(o.settings_text);
    o.read_settings = settings;
    o.measure = [this, name](runtime::beat& b) {
      b.trouble = measured[name];
      b.cpu_permille = cpu_permille[name];
    };
    o.spawn_catalog = [this, name, boot](caf::local_actor& parent, runtime::member_actor member) {
      return clock.belongs(index(name), parent.spawn(catalog_on_log, &clock, &log, member, boot));
    };
    actors[name] = clock.spawn(index(name), cluster::member_actor, env, std::move(o), node);
    for (const auto& [other, actor] : actors) {
      if (other == name)
        continue;
      connect(name, other);
      connect(other, name);
    }
  }
  void kill(const std::string& name) {
    clock.kill(index(name));
    actors.erase(name);
    for (const auto& [other, actor] : actors)
      caf::anon_send(actor, atom::peer_v, name, caf::strong_actor_ptr{});
  }
  void connect(const std::string& from, const std::string& to) {
    caf::anon_send(actors.at(from), atom::peer_v, to,
                   caf::actor_cast<caf::strong_actor_ptr>(actors.at(to)));
  }
  void run(moment time) {
    for (auto end = clock.now() + time; clock.now() < end;)
      clock.step(end);
  }

  members() { log.hesitates = false; }

  /// What this node answers to an order; an error with its text.
  std::string ask(const std::string& at, const runtime::command& c) {
    return ask_together(at, {c}).front();
  }
  /// The same of orders that come at one moment.
  std::vector<std::string> ask_together(const std::string& at,
                                        const std::vector<runtime::command>& orders) {
    auto answers = std::make_shared<std::vector<std::string>>(orders.size());
    for (size_t n = 0; n < orders.size(); ++n)
      clock.spawn(nowhere, [=, c = orders[n], to = actors.at(at)](caf::event_based_actor* self) {
        auto answer = [=](const std::string& text) { answers->at(n) = text; };
        self->request(to, caf::infinite, atom::ask_v, c).then(answer, [=](caf::error& e) {
          answer("no: " + runtime::from_caf(e).text());
        });
      });
    for (int i = 0; i < 400 && std::count(answers->begin(), answers->end(), ""); ++i)
      run(10ms);
    return *answers;
  }
  runtime::cluster_report look(const std::string& at) {
    auto answer = std::make_shared<runtime::cluster_report>();
    clock.spawn(nowhere, [answer, to = actors.at(at)](caf::event_based_actor* self) {
      self->request(to, caf::infinite, atom::list_v)
          .then([answer](runtime::cluster_report& r) { *answer = std::move(r); });
    });
    run(1ms);
    return *answer;
  }
  /// Step and reason of the newest drift, as the leader shows it.
  std::string drift_shown() {
    auto all = look(log.decided().leader()).drifts;
    return all.empty() ? "none" : all.front().step + ": " + all.front().reason;
  }

private:
  static int index(const std::string& name) { return name[1] - '1'; }
  static std::shared_ptr<ops::metrics> metrics() {
    static auto all = std::make_shared<ops::metrics>("members");
    return all;
  }
  /// "f1 f2": the flows.
  static result<cluster::settings_in_force> settings(const std::string& text) {
    if (text.empty())
      return rejected("line 1: expected settings");
    cluster::settings_in_force out;
    std::istringstream in{text};
    for (std::string flow; in >> flow;)
      out.components.push_back({"flow." + flow});
    out.plan = std::make_shared<const cluster::node_plan>();
    for (const auto* name : {"n1", "n2", "n3"})
      out.nodes.nodes.push_back({name, "", "off", "", {}});
    return out;
  }

  std::map<std::string, int> boots_;
};

} // namespace rtdp::simulation
