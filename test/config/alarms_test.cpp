#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

using namespace rtdp::config;
using std::chrono::milliseconds;
using toy::lines;
using strings = std::vector<std::string>;
using toy::problems_of;
using namespace std::chrono_literals;

namespace {

alarm_settings alarms_of(const std::string& text) {
  auto file = toy::checked_text(text);
  CHECK(lines(file.problems) == strings{});
  return file.value.alarms;
}

} // namespace

TEST_CASE("without alarms: only what is always wrong is told") {
  auto a = alarms_of("");
  CHECK(a.limits.latency == 0ms);
  CHECK(a.limits.silence == 0ms);
  CHECK(a.limits.heartbeat == 600s);
  CHECK(a.limits.errors == -1);
  CHECK(a.limits.retained_log_bytes == int64_t{10} << 30);
  CHECK(a.limits.failed);
  CHECK(a.webhooks.empty());
  CHECK(a.mails.empty());
}

TEST_CASE("an override changes what stands in it and keeps the rest") {
  auto a = alarms_of(R"(
alarms:
  latency: 5s
  errors: 10
  retained_log_bytes: 1GiB
  quiet: ["22:00-06:30"]
  overrides:
    - {for: postgres.shop.public.orders, latency: 1s, quiet: []}
    - {for: flow.orders, errors: 0, failed: false}
)");
  CHECK(a.limits.latency == 5s);
  CHECK(a.limits.retained_log_bytes == 1 << 30);
  REQUIRE(a.limits.quiet.size() == 1);
  REQUIRE(a.overrides.size() == 2);
  CHECK(a.overrides[0].component.empty());
  CHECK(a.overrides[0].name == "postgres.shop.public.orders");
  CHECK(a.overrides[0].limits.latency == 1s);
  CHECK(a.overrides[0].limits.errors == 10);
  CHECK(a.overrides[0].limits.quiet.empty());
  CHECK(a.overrides[1].component == "flow");
  CHECK(a.overrides[1].name == "orders");
  CHECK(a.overrides[1].limits.errors == 0);
  CHECK_FALSE(a.overrides[1].limits.failed);
  CHECK(a.overrides[1].limits.quiet.size() == 1);
}

TEST_CASE("quiet hours may go over midnight") {
  quiet_hours q;
  REQUIRE(read_quiet_hours("22:00-06:30", q));
  CHECK(q.hold(22 * 60));
  CHECK(q.hold(0));
  CHECK(q.hold(6 * 60 + 29));
  CHECK_FALSE(q.hold(6 * 60 + 30));
  CHECK_FALSE(q.hold(12 * 60));
  REQUIRE(read_quiet_hours("01:00-02:00", q));
  CHECK(q.hold(90));
  CHECK_FALSE(q.hold(120));
  CHECK(read_quiet_hours("00:00-24:00", q));
  for (const auto* wrong : {"", "22-06", "22:00-06:60", "24:01-06:00", "2:000-06:00", "22:00 06:00",
                            "aa:00-06:00"})
    CHECK_FALSE(read_quiet_hours(wrong, q));
}

TEST_CASE("channels take their addresses, and secrets by reference only") {
  auto a = alarms_of(R"(
alarms:
  webhooks: [{url: "https://hooks.example.com/rtdp", token: "${env:PASSWORD}"}]
  mails:
    - {server: "smtps://mail.example.com:465", user: "${env:PASSWORD}", password: "${env:PASSWORD}",
       from: rtdp@example.com, to: [a@example.com, b@example.com]}
)");
  REQUIRE(a.webhooks.size() == 1);
  CHECK(a.webhooks[0].token.reveal() == toy::password);
  REQUIRE(a.mails.size() == 1);
  CHECK(a.mails[0].to.size() == 2);
  CHECK(a.mails[0].tls);
  CHECK(problems_of("alarms: {webhooks: [{url: \"https://a/b\", token: abc}]}") ==
        strings{"1 alarms.webhooks.0.token: secrets only by ${env:NAME} or ${file:PATH}; an address "
                "without a password may stand here"});
}

TEST_CASE("what is wrong with alarms is told with its place") {
  auto told = problems_of(R"(alarms:
  latency: soon
  quiet: [night]
  overrides:
    - {for: postgres..orders}
  webhooks: [{url: "ftp://example.com"}]
  mails:
    - {server: "smtp://user@mail", user: "${env:PASSWORD}", from: "a b@c", to: [ops], tls: false}
  channels: []
)");
  REQUIRE(told.size() == 9);
  CHECK(told[0] == "2 alarms.latency: expects a duration such as 250ms, 5s, 2m, 1h or 7d; found soon");
  CHECK(told[1] == "3 alarms.quiet: expects hours of the day in UTC such as 22:00-06:00; found night");
  CHECK(told[2] == "5 alarms.overrides.0.for: an empty part in postgres..orders");
  CHECK(told[3] == "6 alarms.webhooks.0.url: expects an address that begins with http:// or https://");
  CHECK(told[4].starts_with("8 alarms.mails.0.server: holds no user or password"));
  CHECK(told[5] == "8 alarms.mails.0.user: user and password go together");
  CHECK(told[6] == "8 alarms.mails.0.to: expects an address such as ops@example.com; found ops");
  CHECK(told[7] == "8 alarms.mails.0.from: expects an address such as ops@example.com; found a b@c");
  CHECK(told.back().starts_with("9 alarms.channels: is not a known setting"));
}

TEST_CASE("an override names what it is for") {
  auto told = problems_of("alarms: {overrides: [{latency: 1s}]}");
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with("1 alarms.overrides.0.for: is required"));
}

TEST_CASE("a password is never sent in clear") {
  CHECK(problems_of("alarms: {mails: [{server: \"smtp://m\", user: \"${env:PASSWORD}\", password: "
                    "\"${env:PASSWORD}\", from: a@b, to: [c@d], tls: false}]}") ==
        strings{"1 alarms.mails.0.tls: must be true: a password is sent over TLS only"});
}
