/// The ordered log of what the cluster has decided, as one node reads and writes it: the compacted
/// topic `_rtdp.catalog` with one partition. Owned by CATALOG; one thread; calls wait for the bus.
///
/// A record is `key\nvalue`; its key is the message's. Everybody reads; who appends owns the
/// producer id `rtdp-leader`, so that there is one at a time and a former one writes nothing.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::cluster {

class catalog_topic {
public:
  /// Takes what was read, in order; called on the caller's thread before the call returns.
  using learner = std::function<void(std::vector<std::string>)>;

  catalog_topic(std::shared_ptr<bus::bus> bus, std::string client, learner learn);

  /// Makes the topic when it is missing and reads on where this object stands, at first from the
  /// beginning. Does nothing when it is open. Any error of a call below closes it again.
  error open();
  bool is_open() const { return reader_ != nullptr; }

  /// Learns what is there, waiting up to `wait` for the first record. REQUIRES: open.
  error read(std::chrono::milliseconds wait);

  /// Takes the right to append from whoever has it, and learns everything appended until then.
  /// REQUIRES: open.
  error claim();

  /// Appends all of the records or none and learns them. `fenced`: the right to append is somebody
  /// else's, or was given up after a failure. `unavailable`: it is unknown which of the two it was;
  /// the right is given up, and a claim learns what became of them. REQUIRES: open.
  error append(const std::vector<std::string>& records);

private:
  error check(const std::vector<std::string>& records) const;
  error write(const std::vector<std::string>& records);
  /// Reads until `done`, up to 4 s.
  error read_until(const std::function<bool()>& done);
  error closed(const error& why);

  const std::shared_ptr<bus::bus> bus_;
  const std::string client_;
  const learner learn_;
  std::unique_ptr<bus::reader> reader_;
  std::unique_ptr<bus::producer> producer_;
  /// Next offset to read, and records read so far.
  int64_t next_ = 0;
  uint64_t read_ = 0;
};

} // namespace rtdp::cluster
