#include "assemble_cluster.hpp"

#include "config/load.hpp"
#include "runtime/cluster/catalog_actor.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/link_actor.hpp"
#include "runtime/cluster/remote.hpp"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "assemble.hpp"

namespace rtdp {

namespace {

using std::chrono::steady_clock;

/// 16 MiB: what checkpoints, letters and logs of a node need in any case.
constexpr uint64_t free_bytes_min = 16 << 20;

/// What this process uses of the machine; asked four times a second, by one thread.
class load_meter {
public:
  explicit load_meter(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  void operator()(runtime::beat& b) {
    auto now = steady_clock::now();
    auto used = cpu_us();
    auto passed_us = std::chrono::duration_cast<std::chrono::microseconds>(now - at_).count();
    // Over a second or more: a quarter of one tells little.
    if (passed_us > 1'000'000) {
      cpu_permille_ = (used - used_us_) * 1000 / passed_us;
      used_us_ = used;
      at_ = now;
    }
    b.cpu_permille = cpu_permille_;
    b.rss_bytes = rss_bytes();
    b.trouble = trouble();
  }

private:
  static int64_t cpu_us() {
    rusage r{};
    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * int64_t{1'000'000} + r.ru_utime.tv_usec +
           r.ru_stime.tv_usec;
  }

  static int64_t rss_bytes() {
    std::ifstream in{"/proc/self/statm"};
    int64_t size = 0, resident = 0;
    in >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  }

  std::string trouble() const {
    struct statvfs disk {};
    if (statvfs(data_dir_.c_str(), &disk) != 0)
      return "data_dir " + data_dir_ + " is gone";
    auto free = uint64_t{disk.f_bavail} * disk.f_frsize;
    return free >= free_bytes_min
               ? std::string{}
               : fmt::format("the disk of data_dir {} is full: {} MiB are free, {} are needed",
                             data_dir_, free >> 20, free_bytes_min >> 20);
  }

  std::string data_dir_;
  int64_t used_us_ = cpu_us(), cpu_permille_ = 0;
  steady_clock::time_point at_ = steady_clock::now();
};

cluster::settings_in_force in_force(const config::pipeline& p, cluster::plan_ptr plan) {
  cluster::settings_in_force out;
  for (const auto& s : p.sources)
    out.components.push_back({"source." + s.name, s.pin});
  for (const auto& f : p.flows) {
    cluster::placeable one{"flow." + f.name, f.pin};
    for (const auto& other : f.not_with)
      one.not_with.push_back("flow." + other);
    out.components.push_back(std::move(one));
  }
  out.nodes = p.cluster;
  out.plan = std::move(plan);
  return out;
}

std::string text_of(const std::vector<config::problem>& problems) {
  std::string out;
  for (const auto& p : problems)
    out += (out.empty() ? "" : "\n") + config::to_string(p, "settings");
  return out;
}

/// Another file for the node `name`; what it says of this node's own folder and addresses counts at
/// its next start.
result<cluster::settings_in_force>
read_settings(const std::string& text, const std::string& name, const runtime::environment& env,
              const std::shared_ptr<cluster::flow_directory>& flows) {
  auto checked = config::check(config::load_text(text), built_in());
  if (!checked.problems.empty())
    return rejected(text_of(checked.problems));
  if (auto wrong = config::choose_node(checked.value, name); !wrong.empty())
    return rejected(wrong);
  auto plan = make_plan(checked.value, env);
  if (!plan)
    return plan.error();
  plan->taken = [flows, facts = facts_of(checked.value)] { flows->take(facts); };
  return in_force(checked.value, std::make_shared<const cluster::node_plan>(std::move(*plan)));
}

} // namespace

cluster::member_options plan_member(const config::pipeline& p, const std::string& text,
                                    const runtime::environment& env,
                                    std::shared_ptr<cluster::flow_directory> flows) {
  cluster::member_options out;
  auto self = cluster::current_hello(p.node.name, RTDP_VERSION, cluster::boot_id());
  out.self = self;
  out.settings_text = text;
  out.settings = in_force(p, nullptr);
  out.read_settings = [name = p.node.name, env, flows](const std::string& other) {
    return read_settings(other, name, env, flows);
  };
  out.measure = load_meter{p.node.data_dir};
  out.spawn_catalog = [env](caf::local_actor& parent, runtime::member_actor member) {
    return parent.spawn<caf::detached>(cluster::catalog_actor, env.bus, "rtdp-" + env.node, member);
  };
  out.spawn_link = [self](caf::local_actor& parent, runtime::member_actor member,
                          const config::member_settings& peer) {
    parent.spawn<caf::linked>(cluster::link_actor, self, member,
                              cluster::link_plan{peer.name, peer.listen, cluster::spawn_connector});
  };
  return out;
}

error check_settings(const std::string& text) {
  auto checked = config::check(config::load_text(text), built_in());
  if (checked.problems.empty() && !checked.value.cluster.on())
    return rejected("the settings of a cluster have nodes:; these describe a node alone");
  if (checked.problems.empty())
    checked.problems = check_flows(checked.value).problems;
  return checked.problems.empty() ? error{} : rejected(text_of(checked.problems));
}

result<std::string> read_text(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return in || in.eof() ? result<std::string>(std::move(text))
                        : unavailable("cannot read " + path);
}

} // namespace rtdp
