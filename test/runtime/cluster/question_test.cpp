#include "runtime/cluster/question.hpp"

#include "runtime/caf_error.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::cluster;
using namespace std::chrono_literals;

namespace {

const question freezing{"node n1", "to freeze flow orders", 4s};

} // namespace

TEST_CASE("no answer in time is told with who was asked what, how long it took and what to do") {
  auto e = answer_to(freezing, caf::make_error(caf::sec::request_timeout));
  CHECK(e == ec::unavailable);
  CHECK(e.text() == "node n1 did not answer within 4 s when it was asked to freeze flow orders; it "
                    "is busy, hangs or is cut off: see `rtdp nodes` and its log, then try again");
  auto short_wait = answer_to({"node n2", "for its components", 2500ms},
                              caf::make_error(caf::sec::request_timeout));
  CHECK(short_wait.text().starts_with("node n2 did not answer within 2.5 s when"));
}

TEST_CASE("a node that was lost while it was asked is told as lost") {
  for (const auto& e : {caf::make_error(caf::sec::request_receiver_down),
                        caf::make_error(caf::exit_reason::remote_link_unreachable),
                        caf::make_error(caf::exit_reason::unreachable)}) {
    auto told = answer_to(freezing, e);
    CHECK(told == ec::unavailable);
    CHECK(told.text() == "node n1 was lost before it answered; it was asked to freeze flow orders: "
                         "`rtdp nodes` shows when it is back");
  }
}

TEST_CASE("an error that a node answers keeps its code and its words") {
  auto refusal = runtime::to_caf(rejected("no flow named orders"));
  CHECK(answer_to(freezing, refusal) == ec::rejected);
  CHECK(answer_to(freezing, refusal).text() == "no flow named orders");
  CHECK(answer_from(freezing, refusal) == ec::rejected);
  CHECK(answer_from(freezing, refusal).text() == "node n1: no flow named orders");
  auto silence = caf::make_error(caf::sec::request_timeout);
  CHECK(answer_from(freezing, silence).text() == answer_to(freezing, silence).text());
}

TEST_CASE("what CAF says of actors reaches people in words") {
  auto words = [](const caf::error& e) { return runtime::from_caf(e).text(); };
  CHECK(words(caf::make_error(caf::sec::request_timeout)) == "no answer in time");
  CHECK(words(caf::make_error(caf::sec::request_receiver_down)) ==
        "it ended, or the connection to it broke off");
  CHECK(words(caf::make_error(caf::exit_reason::user_shutdown)) == "it was stopped");
  CHECK(words(caf::make_error(caf::exit_reason::kill)) == "it was ended at once");
  CHECK(words(caf::make_error(caf::sec::runtime_error)).starts_with("it ended by an exception"));
  CHECK(words(caf::make_error(caf::sec::unexpected_message)).starts_with("it does not know what"));
  // Nobody has met the others; they keep their number.
  CHECK(words(caf::make_error(caf::sec::end_of_stream)) == "error 24 of CAF (system)");
}
