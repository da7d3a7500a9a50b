/// The HTTP client of the command line: one request a call, over a connection of its own. Speaks
/// plain HTTP to a node. Plain sockets, since civetweb's client waits without limit for a body that
/// does not come.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/router.hpp"

#include <chrono>
#include <string>

namespace rtdp::ops {

struct answer {
  int status = 0;
  std::string body;
};

class client {
public:
  /// `rejected` when `url` is not like "http://127.0.0.1:8080"; nothing is sent yet. `time_max`
  /// bounds each call as a whole, name look-up aside.
  static result<client> make(const std::string& url,
                             std::chrono::milliseconds time_max = std::chrono::seconds(10));

  /// Any answer with a status, also one that refuses. `unavailable` when nobody answers in time;
  /// the error tells the user what to do. `type` is of the body, unless that is empty.
  result<answer> call(const std::string& method, const std::string& target,
                      const std::string& body = "", const char* type = json_type) const;
  result<answer> get(const std::string& target) const { return call("GET", target); }

  const std::string& url() const { return url_; }

private:
  std::string url_, host_, port_;
  std::chrono::milliseconds time_max_{};
};

} // namespace rtdp::ops
