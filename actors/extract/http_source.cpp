/// Takes events by HTTP: a listener of its own, POST with a line an event or a JSON array. 200 says
/// that the rows are durable on the bus; before that the request waits.
#include "actors/extract/http_inbox.hpp"
#include "actors/extract/log_events.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/guard.hpp"
#include "runtime/ops/http.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <deque>
#include <utility>
#include <openssl/crypto.h>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using namespace rtdp::extract::web;

/// Beside those that wait: they say at once that too many do.
constexpr int spare_threads = 2;

struct http_options {
  std::string source, listen, path;
  config::secret token;
  size_t body_bytes_max = 0, waiting_max = 0;
  milliseconds ack_timeout{}, request_timeout{};
  bool arrays = false;
};

bool allowed(const config::secret& token, std::string_view header) {
  const auto& expected = token.reveal();
  constexpr std::string_view scheme = "Bearer ";
  if (expected.empty())
    return true;
  if (!header.starts_with(scheme))
    return false;
  header.remove_prefix(scheme.size());
  return header.size() == expected.size() &&
         CRYPTO_memcmp(header.data(), expected.data(), expected.size()) == 0;
}

class http_driver final : public driver {
public:
  http_driver(http_options o, const config::section& settings)
      : options_(std::move(o)), events_(options_.source, settings),
        inbox_(std::make_shared<inbox>(options_.waiting_max)) {}
  ~http_driver() override { inbox_->close(); }

  error open(const std::string& position) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string& position) override;
  bool replays() const override { return false; }
  source_progress progress() const override;

private:
  error take(const delivery_ptr& d, collector& out);

  http_options options_;
  logs::events events_;
  std::shared_ptr<inbox> inbox_;
  /// Requests taken so far, over all runs: the position.
  int64_t taken_ = 0;
  /// Handed over, not yet durable: with the position behind each.
  std::deque<std::pair<int64_t, delivery_ptr>> pending_;
  bool left_out_ = false;
  int64_t complete_until_us_ = 0;
  /// Last: its threads end before anything that they use.
  std::unique_ptr<ops::http_server> server_;
};

ops::response answer_of(const inbox::answer& a, const delivery& d) {
  using outcome = inbox::outcome;
  switch (a.what) {
  case outcome::durable:
    return {.body = nlohmann::json{{"events", d.pieces.size()}}.dump()};
  case outcome::refused:
    return ops::problem(400, a.reason + "; nothing of the body was taken");
  case outcome::not_taken: {
    auto busy = ops::problem(503, a.reason + "; nothing of the body was taken, send it again");
    busy.headers["Retry-After"] = "1";
    return busy;
  }
  case outcome::unknown:
    break;
  }
  auto late = ops::problem(503, a.reason + "; the rows may come: sent again, they may be twice");
  late.headers["Retry-After"] = "5";
  return late;
}

/// Runs on the server's threads.
ops::response handle(const http_options& o, inbox& to, const ops::request& r) {
  if (!allowed(o.token, r.header("authorization"))) {
    auto refused =
        ops::problem(401, "expected Authorization: Bearer with the token of this source");
    refused.headers["WWW-Authenticate"] = "Bearer";
    return refused;
  }
  if (!r.header("origin").empty())
    return ops::problem(403, "a page in a browser asks for this; only programs may");
  auto d = std::make_shared<delivery>();
  d->body = r.body;
  auto pieces = split_body(d->body, o.arrays);
  if (!pieces)
    return ops::problem(400, pieces.error().text() + "; nothing of the body was taken");
  d->pieces = std::move(*pieces);
  if (d->pieces.empty())
    return answer_of({inbox::outcome::durable, {}}, *d);
  return answer_of(to.offer(d, o.ack_timeout), *d);
}

error http_driver::open(const std::string& position) {
  auto [end, code] = std::from_chars(position.data(), position.data() + position.size(), taken_);
  if (!position.empty() && (code != std::errc{} || end != position.data() + position.size()))
    return rejected("the stored position is no count of requests: " + position);
  ops::http_options how{.listen = options_.listen,
                        .threads = int(options_.waiting_max) + spare_threads,
                        .body_bytes_max = options_.body_bytes_max,
                        .request_time_max = options_.request_timeout,
                        .guarded = false,
                        .setting = "listen"};
  auto answer = [o = options_, to = inbox_](const ops::request& r) { return handle(o, *to, r); };
  // Senders call their lines what they like, curl an HTML form: the tables say what is in them.
  ops::route events{"POST", options_.path, "Takes events.", answer};
  events.takes.clear();
  auto started = ops::http_server::start(how, ops::router({std::move(events)}));
  if (!started)
    return started.error();
  server_ = std::move(*started);
  return {};
}

error http_driver::read(collector& out, milliseconds wait) {
  if (!std::exchange(left_out_, true))
    out.skip_ids(collector::ids_left_out);
  auto before = now_us();
  auto next = inbox_->take(wait);
  for (; next; next = out.full() ? nullptr : inbox_->take(milliseconds{0}))
    if (auto failed = take(next, out))
      inbox_->decide(next, inbox::outcome::refused, failed.text());
  if (!pending_.empty())
    out.commit_and_settle(std::to_string(taken_));
  else
    complete_until_us_ = before;
  return {};
}

/// All of it or nothing: a client that is told about a bad line may send the others again.
error http_driver::take(const delivery_ptr& d, collector& out) {
  logs::origin from{.ts_us = now_us()};
  for (const auto& p : d->pieces)
    if (auto failed = events_.decodes(p.text, from))
      return failed.in("line " + std::to_string(p.number));
  for (const auto& p : d->pieces)
    events_.add(p.text, from, out);
  pending_.emplace_back(++taken_, d);
  return {};
}

error http_driver::confirm(const std::string& position) {
  int64_t durable = 0;
  std::from_chars(position.data(), position.data() + position.size(), durable);
  while (!pending_.empty() && pending_.front().first <= durable) {
    inbox_->decide(pending_.front().second, inbox::outcome::durable);
    pending_.pop_front();
  }
  return {};
}

source_progress http_driver::progress() const {
  return {.tables = events_.tables(""),
          .idle = pending_.empty() && inbox_->empty(),
          .complete_until_us = complete_until_us_,
          .place = "request " + std::to_string(taken_)};
}

// -- settings -----------------------------------------------------------------

config::spec http_spec() {
  using config::field;
  config::spec spec(
      "http",
      "Takes events by HTTP POST on an address of its own: one event a line (NDJSON), or a JSON "
      "array of objects. 200 comes when all rows are durable; 400 names the first line that is not "
      "of the format, and nothing of the body was taken; 503 asks to send again, and says whether "
      "the rows may come twice then. An event that is of the format and fits no table or column "
      "is taken and kept: `unmatched`, or a dead letter. For TLS put a proxy in front. Namespaces "
      "are `log.<source>.main.<table>`.");
  spec.add(field("listen", std::string{}, "Address and port: `127.0.0.1:8088`.")
               .required()
               .sample("127.0.0.1:8088"));
  logs::add_event_settings(spec);
  spec.add(field("path", std::string("/"), "The path that takes events; no other one does."));
  spec.add(field("token", config::secret(),
                 "Clients must send `Authorization: Bearer` with it. Required unless `listen` is "
                 "on the loopback."));
  spec.add(field("ack_timeout", milliseconds{10'000},
                 "A request that is not durable after so long is answered 503.")
               .range(100, 600'000));
  spec.add(field("body_bytes_max", int64_t{4} << 20, "A larger body is answered 413.")
               .range(1024, 64 << 20)
               .advanced());
  spec.add(field("waiting_max", int64_t{16},
                 "Requests that may wait at a time, each with its body in memory; one more is "
                 "answered 503.")
               .range(1, 256)
               .advanced());
  spec.add(
      field("request_timeout", milliseconds{5000}, "How long a client may take to send a request.")
          .range(100, 600'000)
          .advanced());
  return spec;
}

http_options read_http(const std::string& name, const config::section& s) {
  return {.source = name,
          .listen = s.text("listen"),
          .path = s.text("path"),
          .token = s.get<config::secret>("token"),
          .body_bytes_max = size_t(s.integer("body_bytes_max")),
          .waiting_max = size_t(s.integer("waiting_max")),
          .ack_timeout = s.duration("ack_timeout"),
          .request_timeout = s.duration("request_timeout"),
          .arrays = s.text("format") == "json"};
}

std::unique_ptr<driver> make_http(const std::string& name, const config::section& s) {
  return std::make_unique<http_driver>(read_http(name, s), s);
}

std::vector<config::problem> check_http(const config::section& s) {
  auto problems = logs::check_events(s);
  auto line_of = [&](const char* name) {
    return s.lines.contains(name) ? s.lines.at(name) : s.line;
  };
  auto address = ops::parse_address(s.text("listen"));
  if (!address || address->port < 0)
    problems.push_back({line_of("listen"), "listen",
                        "expects host:port, such as 127.0.0.1:8088; found " + s.text("listen")});
  else if (!ops::is_loopback(address->host) && s.get<config::secret>("token").empty())
    problems.push_back({line_of("listen"), "listen",
                        "others than this machine can reach " + address->host +
                            ": set token: ${env:NAME}, or listen on 127.0.0.1"});
  if (!s.text("path").starts_with('/') || s.text("path").find('{') != std::string::npos)
    problems.push_back(
        {line_of("path"), "path", "begins with / and has no braces; found " + s.text("path")});
  return problems;
}

} // namespace

kind http_source() {
  return {http_spec(), &make_http, &logs::describe_events, &logs::event_pattern, &check_http};
}

} // namespace rtdp::extract
