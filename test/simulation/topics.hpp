/// The bus of a simulated cluster: one topic in memory, shared by all nodes. Remembers what was
/// published, so that the targets can tell what has to come next. Owned by the world of one seed.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/ums/codec.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/simulation/clockwork.hpp"

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::simulation {

inline const std::string topic = "rtdp.shop";
inline constexpr int partitions = 2;
inline const std::array<std::string, 2> tables = {"orders", "items"};

class topics {
public:
  explicit topics(clockwork& clock) : clock_(clock) {}

  struct message {
    std::string key, value;
    int table = 0;
    /// Rows of each table in front of it in its partition.
    std::array<size_t, tables.size()> before{};
  };

  /// One row of a table.
  void publish(int partition, int table) {
    auto& ids = ids_[size_t(partition)][size_t(table)];
    auto& log = logs_[size_t(partition)];
    message m;
    m.table = table;
    for (size_t t = 0; t < tables.size(); ++t)
      m.before[t] = ids_[size_t(partition)][t].size();
    auto id = ++last_id_ * partitions + partition;
    auto schema = test::orders_schema(tables[size_t(table)]);
    m.key = ums::message_key(ums::protocol::increment_data, schema.name);
    (void)ums::write(*test::batch_of(schema, {{id, 'i', id, "1"}}), m.value);
    m.value.reserve(m.value.size() + 64);
    ids.push_back(id);
    log.push_back(std::move(m));
    for (auto reader : std::exchange(waiting_, {}))
      clock_.wake(reader);
  }

  const std::vector<message>& log(int partition) const { return logs_[size_t(partition)]; }
  const std::vector<int64_t>& ids(int partition, int table) const {
    return ids_[size_t(partition)][size_t(table)];
  }
  /// Whoever reads next blocks until then or until there is something.
  void wait(moment most) {
    waiting_.insert(clock_.current());
    clock_.block(most);
  }
  uint64_t below(uint64_t n) { return clock_.below(n); }

private:
  clockwork& clock_;
  std::array<std::vector<message>, partitions> logs_;
  std::array<std::array<std::vector<int64_t>, tables.size()>, partitions> ids_;
  int64_t last_id_ = 0;
  std::set<caf::actor_id> waiting_;
};

/// The bus as one machine sees it.
class machine_bus final : public bus::bus {
public:
  explicit machine_bus(topics& all) : all_(all) {}

  /// So many more polls fail.
  int failing_polls = 0;

  error open() override { return {}; }
  error create_topic(const std::string&, const rtdp::bus::topic_options&) override { return {}; }
  result<std::vector<rtdp::bus::range>> ranges(const std::string&) override {
    std::vector<rtdp::bus::range> out;
    for (int p = 0; p < partitions; ++p)
      out.push_back({0, int64_t(all_.log(p).size())});
    return out;
  }
  result<int64_t> offset_at(const rtdp::bus::partition& p, int64_t) override {
    return int64_t(all_.log(p.index).size());
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_producer(const std::string&) override {
    return rejected("rows are published by the test");
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_fenced_producer(const std::string&) override {
    return rejected("rows are published by the test");
  }
  result<std::unique_ptr<rtdp::bus::reader>> make_reader(const std::string&) override {
    return std::unique_ptr<rtdp::bus::reader>(std::make_unique<reader>(*this));
  }

private:
  class reader final : public rtdp::bus::reader {
  public:
    explicit reader(machine_bus& from) : from_(from) {}
    error assign(const std::map<rtdp::bus::partition, int64_t>& at) override {
      next_ = at;
      return {};
    }
    error poll(std::chrono::milliseconds wait, size_t,
               std::vector<rtdp::bus::message>& out) override {
      if (from_.failing_polls > 0 && --from_.failing_polls == 0)
        return unavailable("the broker does not answer");
      for (auto& [p, next] : next_) {
        const auto& log = from_.all_.log(p.index);
        auto most = 1 + from_.all_.below(6);
        for (; next < int64_t(log.size()) && most > 0; --most, ++next) {
          auto value = log[size_t(next)].value;
          value.reserve(value.size() + 64);
          out.push_back({name_, p.index, next, 0, log[size_t(next)].key, std::move(value)});
        }
      }
      if (out.empty())
        from_.all_.wait(wait);
      return {};
    }
    int64_t position(const rtdp::bus::partition& p) const override { return next_.at(p); }

  private:
    machine_bus& from_;
    std::shared_ptr<const std::string> name_ = std::make_shared<const std::string>(topic);
    std::map<rtdp::bus::partition, int64_t> next_;
  };

  topics& all_;
};

} // namespace rtdp::simulation
