/// The one HTTP server of the process: REST, /metrics and the pages, over civetweb. Serves the
/// router's routes and nothing else: no files, no directory listings, no cross-origin answers.
/// Owned by the composition root. There is no login: whoever reaches the address may use it.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/router.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::ops {

struct http_options {
  /// Host and port; port 0 takes any free one.
  std::string listen = "127.0.0.1:8080";
  /// Host names, beside localhost and IP addresses, under which requests that change something may
  /// come (see guard.hpp). In lower case, without port.
  std::vector<std::string> names{};
  /// Handlers running at a time; as many connections again wait.
  int threads = 4;
  size_t body_bytes_max = 1 << 20;
  /// For reading a request and for writing an answer. A client that sends slowly holds one of the
  /// threads that long. 5 s: a page of this server is read in milliseconds.
  std::chrono::milliseconds request_time_max{5'000};
  /// Refuses what a foreign page could make a browser send (guard.hpp). A server that is for
  /// programs only may leave that to its handlers.
  bool guarded = true;
  /// The setting that `listen` comes from, for errors.
  std::string setting = "node.http";
};

class http_server {
public:
  /// Listens when it returns. `unavailable` when the address is taken, `rejected` when it is none;
  /// both say which setting to change. Makes the process ignore SIGPIPE.
  static result<std::unique_ptr<http_server>> start(http_options options, router routes);

  /// Waits for running handlers, then stops; about 10 ms when there are none.
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// The port that is bound, also when 0 was asked for.
  int port() const;
  /// "http://127.0.0.1:8080"
  std::string url() const;

private:
  struct impl;
  explicit http_server(std::unique_ptr<impl> held);
  std::unique_ptr<impl> impl_;
};

} // namespace rtdp::ops
