/// The bus of a single node: one SQLite log a partition under `<data_dir>/bus`, no server.
/// A reader in the same process wakes with the commit; one in another process looks every 50 ms.
#include "runtime/bus/bus.hpp"
#include "runtime/bus/embedded_log.hpp"
#include "runtime/bus/embedded_topics.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace rtdp::bus {
namespace {

using namespace std::chrono;
using steady = std::chrono::steady_clock;

/// What a producer holds back at most before it writes a group by itself.
constexpr size_t group_bytes_most = size_t{4} << 20;
constexpr size_t group_messages_most = 4096;
/// How long `send` waits for another writer when its queue is full.
constexpr milliseconds send_wait{5000};
/// How often a reader looks for what another process wrote.
constexpr milliseconds look_interval{50};

/// Tells readers of this process what was committed, so that an idle one need not ask the disk.
class commit_signal {
public:
  void tell(const partition& p, int64_t end) {
    {
      std::lock_guard lock(guard_);
      auto& known = ends_[p];
      known = std::max(known, end);
      ++commits_;
    }
    committed_.notify_all();
  }
  uint64_t commits() {
    std::lock_guard lock(guard_);
    return commits_;
  }
  /// 0 when nobody wrote to it in this process.
  int64_t end_of(const partition& p) {
    std::lock_guard lock(guard_);
    auto known = ends_.find(p);
    return known == ends_.end() ? 0 : known->second;
  }
  /// Returns at `until`, or as soon as there are more commits than `seen`.
  void wait(uint64_t seen, steady::time_point until) {
    std::unique_lock lock(guard_);
    committed_.wait_until(lock, until, [&] { return commits_ != seen; });
  }

private:
  std::mutex guard_;
  std::condition_variable committed_;
  uint64_t commits_ = 0;
  std::map<partition, int64_t> ends_;
};

/// What bus, producers and readers share; lives as long as any of them.
struct shared {
  shared(std::string folder, const log_options& defaults) : topics(std::move(folder), defaults) {}
  embedded_topics topics;
  commit_signal signal;
};
using shared_ptr = std::shared_ptr<shared>;

class embedded_producer : public producer {
public:
  explicit embedded_producer(shared_ptr s) : shared_(std::move(s)) {}

  error send(const partition& to, std::string_view key, std::string_view value) override {
    if (dead_)
      return dead_;
    auto size = key.size() + value.size();
    if (waiting_ > 0 && (bytes_ + size > group_bytes_most || waiting_ >= group_messages_most))
      if (auto failed = write_groups(steady::now() + send_wait))
        return failed;
    auto found = lane_of(to);
    if (!found)
      return found.error();
    (*found)->group.push_back({now_us() / 1000, std::string(key), std::string(value)});
    bytes_ += size;
    ++waiting_;
    return {};
  }

  error flush(milliseconds timeout) override {
    if (dead_)
      return dead_;
    if (auto failed = write_groups(steady::now() + timeout)) {
      dead_ = failed.in("this producer has failed before, make a new one");
      return failed;
    }
    return {};
  }

private:
  struct lane {
    log_writer log;
    std::vector<queued> group;
  };

  result<lane*> lane_of(const partition& p) {
    auto found = lanes_.find(p);
    if (found != lanes_.end())
      return &found->second;
    auto options = shared_->topics.find(p);
    if (!options)
      return options.error();
    auto log = log_writer::open(shared_->topics.path_of(p), *options);
    if (!log)
      return log.error();
    return &lanes_.emplace(p, lane{std::move(*log), {}}).first->second;
  }

  error write_groups(steady::time_point until) {
    for (auto& [p, to] : lanes_) {
      if (to.group.empty())
        continue;
      auto left = duration_cast<milliseconds>(until - steady::now());
      auto end = to.log.append(to.group, std::max(left, milliseconds(0)));
      if (!end)
        return end.error().in(p.text());
      waiting_ -= to.group.size();
      for (const auto& m : to.group)
        bytes_ -= m.key.size() + m.value.size();
      to.group.clear();
      shared_->signal.tell(p, *end);
    }
    return {};
  }

  shared_ptr shared_;
  std::map<partition, lane> lanes_;
  size_t bytes_ = 0, waiting_ = 0;
  error dead_;
};

class embedded_reader : public reader {
public:
  explicit embedded_reader(shared_ptr s) : shared_(std::move(s)) {}

  error assign(const std::map<partition, int64_t>& from) override {
    std::vector<followed> opened;
    for (const auto& [p, offset] : from) {
      if (auto known = shared_->topics.find(p); !known)
        return known.error();
      auto log = log_reader::open(shared_->topics.path_of(p));
      if (!log)
        return log.error().in(p.text());
      opened.push_back({p, std::make_shared<const std::string>(p.topic), std::move(*log), offset});
    }
    followed_ = std::move(opened);
    next_look_ = {};
    return {};
  }

  error poll(milliseconds wait, size_t bytes_max, std::vector<message>& out) override {
    auto until = steady::now() + wait;
    for (auto before = out.size();;) {
      auto seen = shared_->signal.commits();
      if (auto failed = take(bytes_max, out))
        return failed;
      auto now = steady::now();
      if (out.size() > before || now >= until)
        return {};
      shared_->signal.wait(seen, std::min(until, next_look_));
    }
  }

private:
  struct followed {
    partition p;
    std::shared_ptr<const std::string> topic;
    log_reader log;
    /// Next offset to read.
    int64_t position = 0;
  };

  error take(size_t bytes_max, std::vector<message>& out) {
    auto now = steady::now();
    bool look = now >= next_look_;
    auto before = out.size();
    size_t bytes = 0;
    // Another partition is first each time: a busy one must not keep the others waiting.
    ++turn_;
    for (size_t i = 0; i < followed_.size() && (bytes == 0 || bytes < bytes_max); ++i) {
      auto& f = followed_[(turn_ + i) % followed_.size()];
      if (!look && shared_->signal.end_of(f.p) <= f.position)
        continue;
      auto first = out.size();
      if (auto failed = f.log.read(f.position, bytes_max - bytes, f.topic, f.p.index, out))
        return failed;
      for (auto n = first; n < out.size(); ++n)
        bytes += out[n].key.size() + out[n].value.size();
      if (out.size() > first)
        f.position = out.back().offset + 1;
    }
    // There may be more, also where this process wrote nothing: the next poll asks again.
    next_look_ = out.size() > before ? now : look ? now + look_interval : next_look_;
    return {};
  }

  shared_ptr shared_;
  std::vector<followed> followed_;
  size_t turn_ = 0;
  steady::time_point next_look_;
};

class embedded_bus_ : public bus {
public:
  embedded_bus_(std::string folder, const log_options& defaults)
      : shared_(std::make_shared<shared>(std::move(folder), defaults)) {}

  error open() override { return shared_->topics.open(); }

  error create_topic(const std::string& name, const topic_options& options) override {
    return shared_->topics.create(name, options);
  }

  result<std::vector<range>> ranges(const std::string& topic) override {
    auto found = shared_->topics.find(topic);
    if (!found)
      return found.error();
    std::vector<range> held;
    for (partition p{topic, 0}; p.index < found->partitions; ++p.index) {
      auto log = log_reader::open(shared_->topics.path_of(p));
      if (!log)
        return log.error().in(p.text());
      auto r = log->held();
      if (!r)
        return r.error().in(p.text());
      held.push_back(*r);
    }
    return held;
  }

  result<int64_t> offset_at(const partition& p, int64_t time_ms) override {
    if (auto known = shared_->topics.find(p); !known)
      return known.error();
    auto log = log_reader::open(shared_->topics.path_of(p));
    if (!log)
      return log.error().in(p.text());
    return log->offset_at(time_ms);
  }

  result<std::unique_ptr<producer>> make_producer(const std::string&) override {
    return std::unique_ptr<producer>(std::make_unique<embedded_producer>(shared_));
  }
  result<std::unique_ptr<reader>> make_reader(const std::string&) override {
    return std::unique_ptr<reader>(std::make_unique<embedded_reader>(shared_));
  }

private:
  shared_ptr shared_;
};

std::unique_ptr<bus> make(const config::section& settings, const std::string& data_dir) {
  log_options defaults;
  defaults.durability = settings.text("fsync") == "full" ? state::database::durability::full
                                                         : state::database::durability::process;
  defaults.retention = settings.duration("retention");
  defaults.retention_bytes = settings.integer("retention_bytes");
  return std::make_unique<embedded_bus_>(data_dir + "/bus", defaults);
}

} // namespace

kind embedded_bus() {
  using config::field;
  return {config::spec{"embedded", "A log in SQLite files under the node's data folder; one node."}
              .add(field{"retention", milliseconds(hours(24 * 7)),
                         "Messages older than this go when new ones come; 0 keeps them."}
                       .range(0, INT64_MAX))
              .add(field{"retention_bytes", int64_t{0},
                         "The oldest messages of a partition go when it is larger; 0 keeps all."}
                       .range(0, INT64_MAX))
              .add(field{"message_bytes_max", int64_t{1} << 20,
                         "Largest message; a row that needs more goes to the dead letters."}
                       .range(64 << 10, 64 << 20)
                       .advanced())
              .add(field{"fsync", std::string("full"),
                         "`full`: what was flushed survives a power cut. `process`: only the death "
                         "of rtdp, and an append costs no fsync."}
                       .one_of({"full", "process"})),
          make};
}

} // namespace rtdp::bus
