/// What the embedded bus knows of its topics: `<folder>/topics.db`, one row a topic, and one log
/// file a partition. Safe for several threads and processes.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/bus/embedded_log.hpp"

#include <map>
#include <mutex>
#include <string>

namespace rtdp::bus {

class embedded_topics {
public:
  /// `defaults` hold where a topic's own options say nothing.
  embedded_topics(std::string folder, const log_options& defaults)
      : folder_(std::move(folder)), defaults_(defaults) {}

  error open();
  error create(const std::string& name, const topic_options& options);

  struct topic {
    int32_t partitions = 0;
    log_options options;
  };
  /// An unknown topic is `rejected`.
  result<topic> find(const std::string& name);
  /// The topic's options, when it has this partition.
  result<log_options> find(const partition& p);

  std::string path_of(const partition& p) const {
    return folder_ + "/" + p.topic + "/" + std::to_string(p.index) + ".db";
  }

private:
  result<topic> read(const std::string& name);

  const std::string folder_;
  const log_options defaults_;
  std::mutex guard_;
  bool is_open_ = false;
  state::database db_;
  std::map<std::string, topic> known_;
};

} // namespace rtdp::bus
