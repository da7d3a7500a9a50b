/// A flow with stateful steps as it lives in one process: its pipeline and its writer, on a bus and a
/// target that outlive it.
#pragma once

#include "actors/flow/pipeline.hpp"
#include "actors/flow/write_size.hpp"
#include "actors/sink/writer.hpp"
#include "config/spec.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::test {

/// A step of this kind, its settings as in the file.
inline std::unique_ptr<flow::step> step_of(const std::string& kind, const std::string& yaml) {
  for (const auto& k : flow::kinds())
    if (k.spec.name == kind) {
      config::section settings;
      auto problems = k.spec.parse(YAML::Load(yaml), kind, settings);
      REQUIRE_MESSAGE(problems.empty(), problems.front().text);
      auto wrong = k.check(settings);
      REQUIRE_MESSAGE(!wrong, wrong.text());
      return k.make(settings);
    }
  FAIL("no step of kind ", kind);
  return nullptr;
}

struct stateful_settings {
  std::string data_dir;
  std::shared_ptr<bus::bus> bus;
  flow::step_state_settings state = {.flow = "sales", .data_dir = {}};
  /// Of the node.
  std::shared_ptr<shelf> left_behind = std::make_shared<shelf>();
};

class stateful_flow {
public:
  stateful_flow(const stateful_settings& s, std::vector<std::unique_ptr<flow::step>> steps,
                std::unique_ptr<sink::driver> target)
      : left_behind_(s.left_behind),
        writer_({.flow = "sales", .data_dir = s.data_dir, .bus = s.bus}, std::move(target)) {
    auto how = s.state;
    how.data_dir = s.data_dir;
    work_ = std::make_unique<flow::pipeline>(
        flow::pipeline_settings{}, std::move(steps),
        flow::step_state::take_or_make(how, s.bus, *left_behind_));
  }

  flow::pipeline& work() { return *work_; }

  /// Takes the target over and restores what it says.
  error open(int64_t epoch) {
    auto stored = writer_.open(epoch);
    if (!stored)
      return stored.error();
    auto progress = state::progress::parse(*stored);
    if (!progress)
      return progress.error();
    work_->restore(*progress);
    for (;;) {
      auto there = work_->restore_state(std::chrono::milliseconds(50));
      if (!there || *there)
        return there ? error{} : there.error();
    }
  }

  /// Runs the steps, over so many rows at once; the rows are written by `write_next`.
  error take(const runtime::delivery& d, size_t rows = SIZE_MAX) {
    for (const auto& piece : flow::cut(d, rows)) {
      auto orders = work_->process(piece);
      if (!orders)
        return orders.error();
      for (auto& o : *orders)
        waiting_.emplace_back(std::move(o), &o == &orders->back());
    }
    return {};
  }
  /// The target or the bus came back: as SINK does it, the order in hand is written again.
  error reconnect(int64_t epoch) {
    auto stored = writer_.open(epoch);
    return stored ? error{} : stored.error();
  }
  /// Goes to another node, with everything written.
  void leave() { work_->leave_behind(*left_behind_); }
  bool has_waiting() const { return !waiting_.empty(); }
  error write_next() {
    auto receipt = writer_.write(waiting_.front().first);
    if (!receipt)
      return receipt.error();
    dead_letters += receipt->dead_letters;
    auto [order, is_last] = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    return is_last ? work_->committed(order.after) : error{};
  }

  uint64_t dead_letters = 0;

private:
  std::shared_ptr<shelf> left_behind_;
  sink::writer writer_;
  std::unique_ptr<flow::pipeline> work_;
  std::vector<std::pair<runtime::write_order, bool>> waiting_;
};

} // namespace rtdp::test
