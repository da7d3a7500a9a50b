/// Turns batches into UMS messages on one topic. Owned by an `extraction`; one thread.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace rtdp::extract {

class publisher {
public:
  /// `message_bytes`: about how large one message gets.
  publisher(std::unique_ptr<bus::producer> producer, bus::partition to, size_t message_bytes)
      : producer_(std::move(producer)), to_(std::move(to)), message_bytes_(message_bytes) {}

  /// Encodes and queues all rows of `b`, in one or several messages.
  error publish(const ums::batch& b);

  /// Returns when everything queued is durable.
  error flush(std::chrono::milliseconds timeout);

  /// Queued since the last flush.
  size_t unflushed_bytes() const { return unflushed_bytes_; }
  uint64_t bytes_total() const { return bytes_total_; }

private:
  std::unique_ptr<bus::producer> producer_;
  bus::partition to_;
  size_t message_bytes_;
  size_t unflushed_bytes_ = 0;
  uint64_t bytes_total_ = 0;
  std::string text_;
};

} // namespace rtdp::extract
