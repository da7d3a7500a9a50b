/// The bus of a single node: one SQLite log a partition under `<data_dir>/bus`, no server.
/// A reader in the same process wakes with the commit; one in another process looks every 50 ms.
#include "runtime/bus/embedded_endpoints.hpp"

namespace rtdp::bus {
namespace {

using namespace std::chrono;

class embedded_bus_ : public bus {
public:
  embedded_bus_(std::string folder, const log_options& defaults)
      : folder_(folder), shared_(std::make_shared<embedded_shared>(std::move(folder), defaults)) {}

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
  result<std::unique_ptr<producer>> make_fenced_producer(const std::string& id) override {
    auto owner = embedded_owner::take(folder_, id);
    if (!owner)
      return owner.error();
    return std::unique_ptr<producer>(
        std::make_unique<embedded_fenced_producer>(shared_, std::move(*owner)));
  }
  result<std::unique_ptr<reader>> make_reader(const std::string&) override {
    return std::unique_ptr<reader>(std::make_unique<embedded_reader>(shared_));
  }

private:
  const std::string folder_;
  embedded_shared_ptr shared_;
};

std::unique_ptr<bus> make_embedded(const config::section& settings, const std::string& data_dir) {
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
          false, make_embedded};
}

} // namespace rtdp::bus
