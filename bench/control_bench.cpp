// What the nodes of a cluster cost that has nothing to do: ten nodes with a thousand flows, as actor
// systems of one process that talk over sockets of the loopback. MEMBER, LINK and FEEDBACK are those
// of rtdp. Flows and sinks only report once a second, as theirs do, from a thread of their own that
// does not count; that FEEDBACK takes the reports does. The catalog is a list in memory instead of a
// topic. Prints one JSON line for each figure.
#include "actors/heartbeat/feedback_actor.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/link_actor.hpp"
#include "runtime/cluster/member_actor.hpp"
#include "runtime/cluster/remote.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/log.hpp"
#include "runtime/ops/metrics.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rtdp;
using namespace std::chrono_literals;
namespace atom = runtime::atom;

namespace {

constexpr int nodes = 10, flows = 1000;
constexpr auto settling = 15s, measured = 20s;

std::string node_name(int i) { return fmt::format("n{:02}", i + 1); }

/// The topic of the catalog: whoever claimed last appends, and all read on.
struct catalog_log {
  std::mutex mutex;
  std::vector<std::string> records;
  std::string owner;
  std::vector<runtime::catalog_actor> readers;
};

struct catalog_state {
  size_t read = 0;
  runtime::member_actor member;
  static inline constexpr const char* name = "catalog";
};
using catalog_pointer = runtime::catalog_actor::stateful_pointer<catalog_state>;

void read_on(catalog_pointer self, catalog_log& log) {
  std::vector<std::string> fresh;
  {
    std::lock_guard lock{log.mutex};
    fresh.assign(log.records.begin() + std::ptrdiff_t(self->state.read), log.records.end());
  }
  self->state.read += fresh.size();
  if (!fresh.empty())
    self->send(self->state.member, atom::learn_v, std::move(fresh));
}

runtime::catalog_actor::behavior_type catalog_in_memory(catalog_pointer self, catalog_log* log,
                                                        runtime::member_actor member,
                                                        std::string who) {
  self->state.member = std::move(member);
  {
    std::lock_guard lock{log->mutex};
    log->readers.emplace_back(self);
  }
  self->send(self, atom::read_v);
  return {
      [=](atom::claim) {
        {
          std::lock_guard lock{log->mutex};
          log->owner = who;
        }
        read_on(self, *log);
        return true;
      },
      [=](atom::append, const std::vector<std::string>& records) -> caf::result<bool> {
        {
          std::lock_guard lock{log->mutex};
          if (log->owner != who)
            return runtime::to_caf(fenced("another node has claimed the catalog"));
          log->records.insert(log->records.end(), records.begin(), records.end());
          for (const auto& reader : log->readers)
            caf::anon_send(reader, atom::read_v);
        }
        read_on(self, *log);
        return true;
      },
      [=](atom::read) { read_on(self, *log); },
  };
}

struct node_state {
  std::set<std::string> runs;
  static inline constexpr const char* name = "node";
};
using node_pointer = runtime::node_actor::stateful_pointer<node_state>;

/// What a flow or its sink tells once a second, with nothing new to read.
runtime::report report_of(const std::string& component, const std::string& name) {
  runtime::report r;
  r.component = component;
  r.name = name;
  r.kind = "postgres";
  r.state = "running";
  for (const auto* figure : {"rows_in", "rows_out", "rows_dead", "lag_rows", "batches", "offset",
                             "latency_us", "retries"})
    r.figures[figure] = 0;
  r.texts["position"] = "1000000";
  return r;
}

/// Places at once, and tells how each flow is.
runtime::node_actor::behavior_type node_in_name(node_pointer self, runtime::feedback_actor feedback) {
  using text = const std::string&;
  self->send(self, atom::tick_v);
  return {
      [](atom::start, text, text) { return true; },
      [](atom::stop, text, text) { return true; },
      [](atom::replay, text, text) { return true; },
      [](atom::snapshot, const runtime::snapshot_order&) { return true; },
      [](atom::idle) { return true; },
      [self](atom::place, text, text name, int64_t) {
        self->state.runs.insert(name);
        return true;
      },
      [self](atom::drop, text, text name) {
        self->state.runs.erase(name);
        return true;
      },
      [](atom::warm, text, text) { return true; },
      [](atom::freeze, text) { return std::string(); },
      [](atom::thaw, text) {},
      [](atom::progress, text) { return std::string(); },
      [](atom::apply, const cluster::plan_ptr&) { return true; },
      [self](atom::stop) { self->quit(); },
      [self, feedback](atom::tick) {
        self->delayed_send(self, 1s, atom::tick_v);
        for (const auto& name : self->state.runs)
          for (const auto* component : {"flow", "sink"})
            self->send(feedback, atom::status_v, report_of(component, name));
      },
  };
}

cluster::settings_in_force settings() {
  cluster::settings_in_force out;
  for (int i = 0; i < flows; ++i)
    out.components.push_back({fmt::format("flow.orders_of_region_{:04}", i)});
  for (int i = 0; i < nodes; ++i)
    out.nodes.nodes.push_back({node_name(i), "", "off", "", {}});
  return out;
}

std::set<int> threads_now() {
  std::set<int> all;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task"))
    all.insert(std::stoi(each.path().filename()));
  return all;
}

/// User and system.
double cpu_seconds(int thread) {
  std::ifstream in{fmt::format("/proc/self/task/{}/stat", thread)};
  std::string text{std::istreambuf_iterator<char>(in), {}};
  std::istringstream fields{text.substr(text.rfind(')') + 1)};
  std::string skipped;
  double user = 0, kernel = 0;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  fields >> user >> kernel;
  return (user + kernel) / double(sysconf(_SC_CLK_TCK));
}

class machine {
public:
  machine(int index, catalog_log* log) : log_(log) {
    auto others = threads_now();
    system_ = std::make_unique<caf::actor_system>(settings_);
    me_ = cluster::current_hello(node_name(index), "0.1.0", cluster::boot_id());
    runtime::environment env;
    env.node = me_.node;
    env.clustered = true;
    env.metrics = std::make_shared<ops::metrics>(me_.node);
    env.feedback = system_->spawn(heartbeat::feedback_actor, env.metrics);
    auto ours = threads_now();
    auto node = system_->spawn<caf::detached>(node_in_name, env.feedback);
    for (int thread : threads_now())
      if (!ours.contains(thread))
        others.insert(thread);
    cluster::member_options o;
    o.self = me_;
    o.settings_text = "settings";
    o.settings = settings();
    o.read_settings = [](const std::string&) { return settings(); };
    o.spawn_catalog = [this](caf::local_actor& parent, runtime::member_actor member) {
      return parent.spawn(catalog_in_memory, log_, member, me_.boot);
    };
    member_ = system_->spawn(cluster::member_actor, env, std::move(o), node);
    port_ = *cluster::listen("127.0.0.1:0", member_);
    for (int thread : threads_now())
      if (!others.contains(thread))
        threads_.push_back(thread);
  }

  void call(const machine& other) {
    system_->spawn(cluster::link_actor, me_, member_,
                   cluster::link_plan{other.me_.node, fmt::format("127.0.0.1:{}", other.port_),
                                      cluster::spawn_connector});
  }
  double cpu() const {
    double all = 0;
    for (int thread : threads_)
      all += cpu_seconds(thread);
    return all;
  }
  runtime::cluster_report look() {
    caf::scoped_actor self{*system_};
    runtime::cluster_report out;
    self->request(member_, 5s, atom::list_v)
        .receive([&out](runtime::cluster_report& r) { out = std::move(r); },
                 [](const caf::error& e) { fmt::print(stderr, "{}\n", runtime::from_caf(e).text()); });
    return out;
  }
  const std::string& name() const { return me_.node; }

private:
  struct remoting : runtime::system_config {
    remoting() { (void)cluster::load_remoting(*this, {}); }
  };
  remoting settings_;
  catalog_log* log_;
  std::unique_ptr<caf::actor_system> system_;
  runtime::hello me_;
  runtime::member_actor member_;
  uint16_t port_ = 0;
  std::vector<int> threads_;
};

void print(const char* figure, double value, const char* unit) {
  fmt::print("{{\"bench\": \"control\", \"figure\": \"{}\", \"value\": {:.2f}, \"unit\": \"{}\", "
             "\"bus\": \"none\", \"nodes\": {}, \"flows\": {}, \"seconds\": {}}}\n",
             figure, value, unit, nodes, flows, measured.count());
}

/// 0 when every node sees every node, and every flow has an owner.
int complete(machine& at) {
  auto seen = at.look();
  auto well = std::count_if(seen.nodes.begin(), seen.nodes.end(),
                            [](const auto& n) { return n.state == "running"; });
  // On a machine that is busy some nodes come when all is placed already.
  if (well == nodes && seen.owners.size() == flows)
    return 0;
  fmt::print(stderr, "control: {} of {} nodes run, {} of {} flows have an owner\n", well, nodes,
             seen.owners.size(), flows);
  return 1;
}

} // namespace

int main() {
  if (ops::setup_log({"warn"}))
    return 1;
  catalog_log log;
  std::vector<std::unique_ptr<machine>> all;
  for (int i = 0; i < nodes; ++i)
    all.push_back(std::make_unique<machine>(i, &log));
  for (auto& one : all)
    for (auto& other : all)
      if (cluster::calls(one->name(), other->name()))
        one->call(*other);
  std::this_thread::sleep_for(settling);
  std::vector<double> cpu;
  for (auto& one : all)
    cpu.push_back(one->cpu());
  std::this_thread::sleep_for(measured);
  double total = 0, leader = 0;
  auto who = all[0]->look().leader;
  for (size_t i = 0; i < all.size(); ++i) {
    auto percent = (all[i]->cpu() - cpu[i]) / double(measured.count()) * 100;
    total += percent;
    if (all[i]->name() == who)
      leader = percent;
  }
  auto wrong = complete(*all[0]);
  print("node", total / nodes, "% of a core");
  print("leader", leader, "% of a core");
  std::fflush(stdout);
  // Actors with timers would keep their systems for ever.
  std::_Exit(wrong);
}
