/// Receives syslog over UDP and TCP. Neither has an acknowledgement: syslog_sockets.hpp says what
/// happens to what is not read.
#include "actors/extract/log_events.hpp"
#include "actors/extract/syslog_sockets.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/guard.hpp"
#include "runtime/ops/log.hpp"
#include "runtime/ums/codec.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using namespace rtdp::extract::syslog;

class syslog_driver final : public driver {
public:
  syslog_driver(std::string source, socket_settings where, const config::section& settings)
      : source_(std::move(source)), events_(source_, settings), from_(std::move(where)) {}

  error open(const std::string& position) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string&) override { return {}; }
  bool replays() const override { return false; }
  source_progress progress() const override;

private:
  void add(const framer::cut& c, std::string_view remote, collector& out);
  std::string position() const;

  std::string source_;
  logs::events events_;
  sockets from_;
  /// Over all runs; `dropped_` without those of this one.
  uint64_t received_ = 0, dropped_ = 0, told_ = 0;
  bool left_out_ = false, idle_ = false;
  int64_t complete_until_us_ = 0;
};

/// For people, since a receiver cannot go back: `received=17 dropped=0`.
std::string syslog_driver::position() const {
  return "received=" + std::to_string(received_) +
         " dropped=" + std::to_string(dropped_ + from_.dropped());
}

error syslog_driver::open(const std::string& position) {
  auto number_behind = [&](std::string_view name, uint64_t& out) {
    if (auto at = position.find(name); at != position.npos)
      std::from_chars(position.data() + at + name.size(), position.data() + position.size(), out);
  };
  number_behind("received=", received_);
  number_behind("dropped=", dropped_);
  return from_.open();
}

error syslog_driver::read(collector& out, milliseconds wait) {
  if (!std::exchange(left_out_, true))
    out.skip_ids(collector::ids_left_out);
  auto before = now_us();
  bool came = from_.wait(wait);
  auto more = [&] { return !out.full(); };
  bool any = false;
  while (came && more() &&
         from_.take([&](const auto& c, auto remote) { add(c, remote, out); }, more))
    any = true;
  idle_ = !any;
  if (any)
    out.commit(position());
  else
    complete_until_us_ = before;
  if (from_.dropped() > told_) {
    ops::logger("source")->warn("source {}: {} datagrams were dropped: they came faster than they "
                                "were read; raise buffer_bytes, or send over TCP",
                                source_, from_.dropped() - told_);
    told_ = from_.dropped();
  }
  return {};
}

void syslog_driver::add(const framer::cut& c, std::string_view remote, collector& out) {
  auto now = now_us();
  ++received_;
  auto m = parse(c.text, now);
  std::string time;
  if (m.time_us)
    ums::append_datetime(*m.time_us, time);
  auto fact = [](std::string_view name, std::string_view text) {
    return logs::cell{.name = name, .text = text, .null = text.empty()};
  };
  const logs::cell facts[] = {
      fact("@facility", m.facility), fact("@severity", m.severity), fact("@host", m.host),
      fact("@app", m.app),           fact("@procid", m.procid),     fact("@msgid", m.msgid),
      fact("@data", m.data),         fact("@time", time),           fact("@remote", remote)};
  logs::origin from{.ts_us = now, .facts = facts};
  if (c.too_long)
    events_.refuse("longer than message_bytes_max, the rest is left out", c.text, from, out);
  else
    events_.add(m.text, from, out);
}

source_progress syslog_driver::progress() const {
  return {.tables = events_.tables(""),
          .idle = idle_,
          .complete_until_us = complete_until_us_,
          .place = position()};
}

// -- settings -----------------------------------------------------------------

config::spec syslog_spec() {
  using config::field;
  config::spec spec(
      "syslog",
      "Receives syslog of RFC 5424 and RFC 3164, over UDP and over TCP (RFC 6587: counted or a "
      "line "
      "each). The event is the text; columns and rules find `@facility`, `@severity`, `@host`, "
      "`@app`, `@procid`, `@msgid`, `@data` (the structured data as JSON), `@time` and `@remote`. "
      "Syslog has no acknowledgement. Over TCP a sender waits when rtdp is busy; what rtdp has "
      "received and not yet published is lost with a kill -9, and what is on its way with a broken "
      "connection. Over UDP whatever comes too fast is dropped; it is counted in the source's "
      "position and told in the log. Namespaces are `log.<source>.main.<table>`.");
  spec.add(
      field("listen", std::string{}, "IP address and port.").required().sample("127.0.0.1:5514"));
  spec.add(field("transport", config::texts{"udp", "tcp"}, "What is listened to.")
               .one_of({"udp", "tcp"}));
  logs::add_event_settings(spec, {"plain", "json", "logfmt", "csv", "regex"});
  for (auto& f : spec.fields)
    if (f.name == "tables")
      f.sample(
          "[{name: messages, columns: [{name: host, from: '@host'}, {name: text, from: line}]}]");
  spec.add(field("message_bytes_max", int64_t{64} << 10,
                 "A longer message goes to the dead letters, cut.")
               .range(480, 1 << 20)
               .advanced());
  spec.add(field("connections_max", int64_t{256}, "TCP connections at a time; more are closed.")
               .range(1, 10'000)
               .advanced());
  spec.add(field("buffer_bytes", int64_t{4} << 20,
                 "What the kernel keeps of each socket while rtdp is busy; it may allow less.")
               .range(4096, 256 << 20)
               .advanced());
  return spec;
}

std::unique_ptr<driver> make_syslog(const std::string& name, const config::section& s) {
  auto over = [&](const char* transport) {
    const auto& all = s.get<config::texts>("transport");
    return std::find(all.begin(), all.end(), transport) != all.end() ? s.text("listen") : "";
  };
  socket_settings where{.udp = over("udp"),
                        .tcp = over("tcp"),
                        .message_bytes_max = size_t(s.integer("message_bytes_max")),
                        .connections_max = size_t(s.integer("connections_max")),
                        .buffer_bytes = size_t(s.integer("buffer_bytes"))};
  return std::make_unique<syslog_driver>(name, std::move(where), s);
}

std::vector<config::problem> check_syslog(const config::section& s) {
  auto problems = logs::check_events(s);
  auto address = ops::parse_address(s.text("listen"));
  if (!address || address->port < 0)
    problems.push_back(
        {s.lines.contains("listen") ? s.lines.at("listen") : s.line, "listen",
         "expects an IP address and a port, such as 127.0.0.1:5514; found " + s.text("listen")});
  if (s.get<config::texts>("transport").empty())
    problems.push_back({s.line, "transport", "expects udp, tcp or both; found none"});
  return problems;
}

} // namespace

kind syslog_source() {
  return {syslog_spec(), &make_syslog, &logs::describe_events, &logs::event_pattern, &check_syslog};
}

} // namespace rtdp::extract
