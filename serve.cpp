#include "serve.hpp"

#include "actors/heartbeat/feedback_actor.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/cluster/remote.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "runtime/state/folder_lock.hpp"
#include "runtime/system.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <malloc.h>
#include <memory>
#include <thread>
#include <unistd.h>

#include "assemble.hpp"
#include "assemble_cluster.hpp"

namespace rtdp {

namespace {

using namespace std::chrono_literals;

/// SIGTERM to exit takes 10 s at most. What hangs by then is left to its stored state.
constexpr unsigned stop_seconds_max = 9;
/// Once every component has ended, a thread that still waits for a dead server (a connect, a name
/// look-up) has nothing left to save.
constexpr unsigned linger_seconds_max = 1;

volatile std::sig_atomic_t code_when_late = 1;
extern "C" void exit_late(int) { ::_exit(code_when_late); }

/// Prints every problem as `file:line: path: text`; true when there is one.
bool print_problems(const std::string& file, const std::vector<config::problem>& problems) {
  for (const auto& p : problems)
    std::cerr << config::to_string(p, file) << "\n";
  if (!problems.empty())
    std::cerr << problems.size() << (problems.size() == 1 ? " problem" : " problems")
              << "; nothing was started. `rtdp reference` explains every setting.\n";
  return !problems.empty();
}

/// What is let go of goes back to the system. By itself glibc makes eight arenas a core and keeps up
/// to 64 MB of free memory in each: with a state of 1 M keys that came and went, on a thread of its
/// own each time, a node took 450 to 575 MB on two cores, and 280 MB so. Smaller limits than 32 MB
/// cost flows speed.
void bound_free_memory() {
  mallopt(M_ARENA_MAX, 2 * int(std::max(2U, std::thread::hardware_concurrency())));
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

/// SIGTERM and SIGINT are waited for, never handled: blocked before the first thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

/// True when a signal came within `wait`.
bool signalled(const sigset_t& set, std::chrono::milliseconds wait) {
  timespec t{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &t) > 0;
}

/// What of the command line does not fit the file; `choose_node` was called.
error check_options(const config::pipeline& p, const serve_options& o) {
  if (o.log_format != "text" && o.log_format != "json")
    return rejected("--log-format takes text or json; found " + o.log_format);
  if (!p.cluster.on())
    return {};
  if (!o.set.empty())
    return rejected("--set changes the settings of one node alone; those of a cluster are changed "
                    "in the file, by `rtdp apply FILE`");
  if (o.until_idle)
    return rejected("--until-idle is for a node alone; a cluster runs until it is stopped");
  return {};
}

/// The actors of this process; `end` must be called before the system goes.
class node_process {
public:
  node_process(caf::actor_system& system, const config::pipeline& p, const serve_options& o)
      : system_(system), settings_(p), options_(o),
        flows_(std::make_shared<cluster::flow_directory>(facts_of(p))) {}

  error begin() {
    const auto& p = settings_;
    env_.node = p.node.name;
    env_.data_dir = p.node.data_dir;
    env_.clustered = p.cluster.on();
    env_.bus = make_bus(p);
    env_.metrics = std::make_shared<ops::metrics>(p.node.name);
    env_.feedback = system_.spawn(heartbeat::feedback_actor, env_.metrics);
    auto plan = make_plan(p, env_);
    if (!plan)
      return plan.error();
    node_ = system_.spawn(cluster::node_actor, env_, *plan);
    if (p.cluster.on())
      if (auto e = join_cluster())
        return e;
    return p.node.http == "off" ? error{} : answer_http();
  }

  /// Returns the exit code at a signal, or when idle.
  int supervise(const sigset_t& signals) {
    caf::scoped_actor self{system_};
    if (member_)
      self->monitor(member_);
    int idle_in_a_row = 0;
    while (!signalled(signals, 100ms)) {
      if (auto e = member_ended(self))
        return failed(e);
      if (!options_.until_idle)
        continue;
      bool idle = false;
      error stopped_by;
      self->request(node_, 15s, runtime::atom::idle_v)
          .receive([&idle](bool x) { idle = x; },
                   [&stopped_by](caf::error& e) { stopped_by = runtime::from_caf(e); });
      if (stopped_by == ec::rejected)
        return failed(stopped_by);
      // Twice: what was published between the answers of two actors shows at the second look.
      idle_in_a_row = idle ? idle_in_a_row + 1 : 0;
      if (idle_in_a_row == 2)
        break;
    }
    return 0;
  }

  /// Returns `code` when the node has ended, upstream first, and with it all actors.
  int end(int code) {
    std::signal(SIGALRM, exit_late);
    alarm(stop_seconds_max);
    caf::scoped_actor self{system_};
    stop(self, node_);
    // Only now may the others take over what this node had.
    stop(self, member_);
    http_.reset();
    caf::anon_send_exit(env_.feedback, caf::exit_reason::user_shutdown);
    code_when_late = code;
    alarm(linger_seconds_max);
    return code;
  }

private:
  template<class Handle>
  static void stop(caf::scoped_actor& self, const Handle& actor) {
    if (!actor)
      return;
    self->monitor(actor);
    self->send(actor, runtime::atom::stop_v);
    self->receive([](caf::down_msg&) {});
  }

  /// Without MEMBER the node would run on as nobody's: better to start anew.
  error member_ended(caf::scoped_actor& self) {
    error why;
    if (member_)
      self->receive(
          [&](caf::down_msg& down) {
            why = runtime::from_caf(down.reason).in("the node left the cluster");
            member_ = nullptr;
          },
          caf::after(0s) >> [] {});
    return why;
  }

  error join_cluster() {
    auto text = read_text(options_.file);
    if (!text)
      return text.error();
    member_ = system_.spawn(cluster::member_actor, env_,
                            plan_member(settings_, *text, env_, flows_), node_);
    const auto* self = settings_.cluster.find(settings_.node.name);
    auto port = cluster::listen(self->listen, member_);
    if (!port)
      return port.error();
    ops::logger("node")->info("other nodes reach {} at {}", self->name, self->listen);
    return {};
  }

  error answer_http() {
    const auto& p = settings_;
    cluster::control_facts facts{
        {p.node.name, RTDP_VERSION, now_us()}, p.node.data_dir, flows_};
    for (const auto& m : p.cluster.nodes)
      if (m.http != "off")
        facts.urls[m.name] = "http://" + m.http;
    facts.check_settings = check_settings;
    control_ = std::make_unique<cluster::node_control>(system_, node_, env_.feedback, env_.bus,
                                                       std::move(facts), member_);
    auto started = ops::http_server::start({.listen = p.node.http},
                                           ops::router{ops::rest_routes(*control_, *env_.metrics)});
    if (!started)
      return started.error();
    http_ = std::move(*started);
    ops::logger("node")->info("status page and REST at {}", http_->url());
    return {};
  }

  caf::actor_system& system_;
  const config::pipeline& settings_;
  const serve_options& options_;
  runtime::environment env_;
  std::shared_ptr<cluster::flow_directory> flows_;
  runtime::node_actor node_;
  runtime::member_actor member_;
  std::unique_ptr<cluster::node_control> control_;
  std::unique_ptr<ops::http_server> http_;
};

} // namespace

int failed(const error& e) {
  std::cerr << "rtdp: " << e.text() << "\n";
  return 1;
}

std::optional<config::pipeline> load_checked(const serve_options& o,
                                             const std::function<void(const std::string&)>& note) {
  auto checked = config::check(config::load_file(o.file, o.set), built_in());
  if (print_problems(o.file, checked.problems))
    return {};
  auto found = check_flows(checked.value);
  for (const auto& text : found.not_checked)
    note(text);
  if (print_problems(o.file, found.problems))
    return {};
  return std::move(checked.value);
}

int serve(const serve_options& o) {
  bound_free_memory();
  auto log = o.log;
  log.format = o.log_format == "json" ? ops::log_format::json : ops::log_format::text;
  if (auto e = ops::setup_log(log))
    return failed(e);
  auto loaded = load_checked(o, [](const std::string& text) {
    ops::logger("node")->warn("not checked before the start: {}", text);
  });
  if (!loaded)
    return 1;
  auto& p = *loaded;
  if (auto wrong = config::choose_node(p, o.node); !wrong.empty())
    return failed(rejected(wrong));
  if (auto wrong = check_options(p, o))
    return failed(wrong);
  auto lock = state::folder_lock::take(p.node.data_dir);
  if (!lock)
    return failed(lock.error());
  auto signals = block_signals();
  runtime::system_config config;
  const auto& tls = p.cluster.tls;
  if (p.cluster.on())
    if (auto e = cluster::load_remoting(config, {tls.certificate, tls.key, tls.ca}))
      return failed(e);
  caf::actor_system system{config};
  node_process process{system, p, o};
  if (auto e = process.begin())
    return process.end(failed(e));
  return process.end(process.supervise(signals));
}

} // namespace rtdp
