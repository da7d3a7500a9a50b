#include "actors/heartbeat/alarm_actor.hpp"
#include "actors/heartbeat/channel_actor.hpp"
#include "runtime/core/time.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/probe.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace rtdp::heartbeat {

namespace {

using namespace std::chrono_literals;
namespace atom = runtime::atom;
using words = std::vector<std::string>;

/// What a channel answers, and what it was given.
struct script {
  error answer;
  size_t notices_max = 1;
  /// The notices of each call, as "began failed, ended failed".
  words calls;
};

class scripted final : public channel {
public:
  explicit scripted(std::shared_ptr<script> s) : s_(std::move(s)) {}
  std::string name() const override { return "scripted"; }
  size_t notices_max() const override { return s_->notices_max; }
  error send(const std::vector<notice>& notices) override {
    std::string call;
    for (const auto& n : notices)
      call += (call.empty() ? "" : ", ") + n.event + " " + n.what.name;
    s_->calls.push_back(call);
    return s_->answer;
  }

private:
  std::shared_ptr<script> s_;
};

struct around_alarm {
  test::temp_folder folder;
  test::deterministic system;
  test::surroundings around{system, folder.path()};
  std::shared_ptr<script> way = std::make_shared<script>();
  runtime::channel_actor channel;
  runtime::alarm_actor alarm;

  void start() {
    channel = system.spawn(channel_actor, std::make_shared<scripted>(way));
    alarm = system.spawn(alarm_actor, around.env,
                         config::alarm_settings{.limits = {.errors = 2}, .hold = 0ms},
                         std::vector{channel});
    system.run();
  }
  void put(const std::string& flow, const std::string& state) {
    runtime::report r;
    r.component = "flow";
    r.name = flow;
    r.state = state;
    r.reason = "no such table";
    std::erase_if(*around.told, [&](const auto& old) { return old.name == flow; });
    system.send(around.env.feedback, atom::status_v, r);
  }
  size_t open() {
    size_t n = 0;
    auto answer = system.ask<std::vector<runtime::alarm>>(alarm, atom::list_v);
    for (const auto& a : *answer->value)
      n += a.ended_us == 0;
    return n;
  }
  double metric(const std::string& flow) {
    return around.env.metrics->alarms_open({"flow." + flow, "failed"}).Value();
  }
};

} // namespace

TEST_CASE("ALARM tells each condition once, and its end once") {
  around_alarm t;
  t.start();
  t.put("a", "failed");
  t.system.advance(10s);
  CHECK(t.way->calls == words{"began a"});
  CHECK(t.open() == 1);
  CHECK(t.metric("a") == 1);
  t.put("a", "running");
  t.system.advance(10s);
  CHECK(t.way->calls == words{"began a", "ended a"});
  CHECK(t.open() == 0);
  CHECK(t.metric("a") == 0);
}

TEST_CASE("what a channel cannot take yet is told later, in its order, and never twice") {
  around_alarm t;
  t.way->answer = unavailable("connection refused");
  t.start();
  t.put("a", "failed");
  t.system.advance(2s);
  t.put("a", "running");
  t.put("b", "failed");
  t.system.advance(10s);
  CHECK(t.way->calls.size() > 2);
  for (const auto& call : t.way->calls)
    CHECK(call == "began a");
  t.way->answer = {};
  t.way->calls.clear();
  t.system.advance(60s);
  CHECK(t.way->calls == words{"began a", "ended a", "began b"});
  // The back-off begins anew.
  t.put("b", "running");
  t.system.advance(2s);
  CHECK(t.way->calls.back() == "ended b");
}

TEST_CASE("a channel that takes several notices gets all that wait at once") {
  around_alarm t;
  t.way->notices_max = 100;
  t.start();
  for (int i = 0; i < 150; ++i)
    t.put("f" + std::to_string(i), "failed");
  t.system.advance(2s);
  CHECK(t.way->calls.size() == 2);
  CHECK(std::count(t.way->calls[0].begin(), t.way->calls[0].end(), ',') == 99);
}

TEST_CASE("a notice that nobody will ever take does not hold up the next") {
  around_alarm t;
  t.way->answer = rejected("expected an answer 2xx; found 404");
  t.start();
  t.put("a", "failed");
  t.system.advance(2s);
  t.way->answer = {};
  t.put("a", "running");
  t.system.advance(2s);
  CHECK(t.way->calls == words{"began a", "ended a"});
}

TEST_CASE("an ALARM that takes the place of another tells nothing again but what was not taken") {
  around_alarm t;
  t.start();
  t.put("a", "failed");
  t.system.advance(2s);
  t.way->answer = unavailable("connection refused");
  t.put("b", "failed");
  t.system.advance(2s);
  t.system.kill(t.alarm);
  t.way->answer = {};
  t.way->calls.clear();
  t.start();
  t.system.advance(10s);
  CHECK(t.way->calls == words{"began b"});
  CHECK(t.open() == 2);
  t.put("a", "running");
  t.system.advance(2s);
  CHECK(t.way->calls == words{"began b", "ended a"});
}

TEST_CASE("ALARM counts the errors of the metrics") {
  around_alarm t;
  t.start();
  t.put("a", "running");
  t.around.env.metrics->errors({.flow = "a"}).Increment(2);
  t.system.advance(2s);
  CHECK(t.way->calls.empty());
  t.around.env.metrics->errors({.flow = "a"}).Increment(1);
  t.system.advance(2s);
  CHECK(t.way->calls == words{"began a"});
}

TEST_CASE("a channel refuses what exceeds its queue") {
  test::deterministic system;
  auto way = std::make_shared<script>();
  way->answer = unavailable("connection refused");
  auto channel = system.spawn(channel_actor, std::make_shared<scripted>(way));
  std::vector<test::answer_ptr<bool>> answers;
  for (size_t i = 0; i <= notices_waiting_max; ++i)
    answers.push_back(system.ask<bool>(channel, atom::deliver_v, std::string("began"),
                                       runtime::alarm{}));
  CHECK_FALSE(answers.front()->arrived());
  CHECK(answers.back()->error == ec::rejected);
}

TEST_CASE("a webhook gets one object a notice, with an id that tells a repetition") {
  notice n{"began",
           {"failed", "flow", "orders", "no table \"x\"\n\xff", 1'795'342'404'213'456, 0}};
  auto body = nlohmann::json::parse(webhook_body(n, "n1"));
  CHECK(body["event"] == "began");
  CHECK(body["node"] == "n1");
  CHECK(body["text"] == "no table \"x\"\n\xef\xbf\xbd");
  CHECK(body["since"] == "2026-11-22T10:13:24.213456Z");
  CHECK(body["ended"].is_null());
  auto id = body["id"];
  n.event = "ended";
  n.what.ended_us = n.what.since_us + 1;
  CHECK(nlohmann::json::parse(webhook_body(n, "n1"))["id"] != id);
}

TEST_CASE("the text of a mail cannot make headers, and is of plain lines") {
  config::mail_settings to;
  to.from = "rtdp@example.com";
  to.to = {"ops@example.com"};
  notice n{"began",
           {"failed", "flow", "bestellungen_ö\r\nBcc: x@y.z", std::string(2000, 'a'),
            1'795'342'404'213'456, 0}};
  auto text = mail_text({n, n}, to, "n1", 1'795'342'404'213'456);
  auto head = text.substr(0, text.find("\r\n\r\n"));
  CHECK(head.find("Date: Sun, 22 Nov 2026 10:13:24 +0000\r\n") != std::string::npos);
  CHECK(head.find("\r\nBcc") == std::string::npos);
  CHECK(head.find("Subject: =?utf-8?Q?") != std::string::npos);
  CHECK(head.find("and=202=20more") == std::string::npos);
  CHECK(head.find("=C3=B6") != std::string::npos);
  size_t at = 0;
  for (size_t end; (end = text.find("\r\n", at)) != std::string::npos; at = end + 2)
    CHECK(end - at <= 998);
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n')
      CHECK((i > 0 && text[i - 1] == '\r'));
}

} // namespace rtdp::heartbeat
