#include "config/spec.hpp"
#include "runtime/ops/log.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

using namespace rtdp::ops;
using namespace std::chrono_literals;

namespace {

/// A filter that writes plain texts into `lines`, fed with messages at times of the test's choice.
struct told_once {
  std::ostringstream lines;
  spdlog::sink_ptr sink = once_in(60s, std::make_shared<spdlog::sinks::ostream_sink_st>(lines));
  spdlog::log_clock::time_point now{};

  told_once() { sink->set_pattern("%n %v"); }
  void log(const char* component, const char* text,
           spdlog::level::level_enum level = spdlog::level::warn) {
    sink->log({now, {}, component, level, text});
  }
};

} // namespace

TEST_CASE("a warning that repeats is told once a minute, with how often it came") {
  told_once t;
  for (int i = 0; i < 58; ++i, t.now += 1s)
    t.log("flow.orders", "cannot reach dw");
  t.log("flow.other", "cannot reach dw");
  CHECK(t.lines.str() == "flow.orders cannot reach dw\nflow.other cannot reach dw\n");
  t.lines.str("");
  t.now += 10s;
  t.log("flow.orders", "cannot reach dw");
  CHECK(t.lines.str() == "flow.orders cannot reach dw (repeated 57 times)\n");
}

TEST_CASE("information is never held back") {
  told_once t;
  t.log("a", "x", spdlog::level::info);
  t.log("a", "x", spdlog::level::info);
  CHECK(t.lines.str() == "a x\na x\n");
}

TEST_CASE("the filter forgets the oldest text when it knows too many") {
  told_once t;
  for (int i = 0; i < 1025; ++i, t.now += 1ms)
    t.log("a", fmt::format("text {}", i).c_str());
  t.lines.str("");
  t.log("a", "text 1024");
  t.log("a", "text 0");
  CHECK(t.lines.str() == "a text 0\n");
}

TEST_CASE("a JSON line holds any text") {
  std::ostringstream lines;
  spdlog::sinks::ostream_sink_st sink(lines);
  sink.set_formatter(json_formatter());
  sink.log({spdlog::log_clock::time_point(1ms),
            {},
            "source.shop",
            spdlog::level::err,
            "a \"quoted\"\nline, caf\xe9"});
  CHECK(lines.str().back() == '\n');
  auto line = nlohmann::json::parse(lines.str());
  CHECK(line["time"] == "1970-01-01T00:00:00.001000Z");
  CHECK(line["level"] == "error");
  CHECK(line["component"] == "source.shop");
  CHECK(line["message"] == "a \"quoted\"\nline, caf\xef\xbf\xbd");
}

TEST_CASE("the level counts for loggers made before and after") {
  auto before = logger("before");
  CHECK_FALSE(setup_log({"debug", log_format::text}));
  CHECK(before->level() == spdlog::level::debug);
  CHECK(logger("after")->level() == spdlog::level::debug);
  CHECK(logger("before") == before);
  CHECK_FALSE(setup_log({"off", log_format::json}));
  CHECK_FALSE(before->should_log(spdlog::level::critical));
  CHECK_FALSE(setup_log({}));
}

TEST_CASE("an unknown level is refused with the known ones") {
  auto e = setup_log({"loud", log_format::text});
  CHECK(e == rtdp::ec::rejected);
  CHECK(e.text() == "unknown log level \"loud\"; expected trace, debug, info, warn, error or off");
}

TEST_CASE("a secret cannot be formatted, so it cannot be logged") {
  CHECK_FALSE(fmt::is_formattable<rtdp::config::secret>::value);
}
