/// Requests on their way from the threads of an HTTP server to the driver that reads them, and the
/// answers on their way back. Bounded: what does not fit is refused at once. Owned by the driver,
/// shared with the server's handlers; thread-safe.
#pragma once

#include "runtime/core/error.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::web {

/// One event of a body; `text` points into it.
struct piece {
  std::string_view text;
  /// Counts from 1: the line, or the element of an array.
  size_t number = 0;
};

/// Lines that are not blank, or, when `may_be_array` and it begins with `[`, the elements of a JSON
/// array of objects. `rejected` says which element is wrong.
result<std::vector<piece>> split_body(std::string_view body, bool may_be_array);

struct delivery {
  std::string body;
  std::vector<piece> pieces;
};
using delivery_ptr = std::shared_ptr<const delivery>;

class inbox {
public:
  explicit inbox(size_t waiting_max) : waiting_max_(waiting_max) {}

  enum class outcome : uint8_t {
    durable,
    /// The driver gave a reason: nothing was taken.
    refused,
    /// Too many others wait, or the driver did not come in time, or it is gone: nothing was taken.
    not_taken,
    /// The driver has it, but it did not become durable in time: it may still do so.
    unknown,
  };
  struct answer {
    outcome what = outcome::not_taken;
    std::string reason;
  };

  // -- for handlers ----

  /// Returns when it is decided what became of `d`, or after `timeout`.
  answer offer(delivery_ptr d, std::chrono::milliseconds timeout);

  // -- for the driver ----

  /// Waits up to `wait`; null when nothing came. What was taken must be decided or is `unknown`.
  delivery_ptr take(std::chrono::milliseconds wait);
  void decide(const delivery_ptr& d, outcome what, std::string reason = {});
  /// Nobody reads any more: everyone who waits is answered, everyone who comes as well.
  void close();
  bool empty() const;

private:
  enum class step : uint8_t { queued, taken, decided };
  struct entry {
    delivery_ptr what;
    step at = step::queued;
    answer decided;
  };

  const size_t waiting_max_;
  mutable std::mutex guard_;
  std::condition_variable came_, decided_;
  std::deque<std::shared_ptr<entry>> entries_;
  bool closed_ = false;
};

} // namespace rtdp::extract::web
