/// The embedded bus on a test's folder, whose producers die as a process or a broker does: of the
/// messages since the last flush each partition keeps only the first so many; of a transaction, all
/// or none.
#pragma once

#include "runtime/bus/bus.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace rtdp::test {

class crashing_bus final : public bus::bus {
public:
  crashing_bus(const std::string& data_dir, std::mt19937& random) : random_(random) {
    for (const auto& k : rtdp::bus::kinds())
      if (k.spec.name == "embedded") {
        auto settings = k.spec.defaults();
        settings.values["fsync"] = std::string("process");
        inner_ = k.make(settings, data_dir);
      }
  }

  /// One flush of so many fails; 0: none.
  unsigned crash_each = 0;
  int crashes = 0;

  error open() override { return inner_->open(); }
  error create_topic(const std::string& name, const rtdp::bus::topic_options& o) override {
    return inner_->create_topic(name, o);
  }
  result<std::vector<rtdp::bus::range>> ranges(const std::string& topic) override {
    return inner_->ranges(topic);
  }
  result<int64_t> offset_at(const rtdp::bus::partition& p, int64_t ms) override {
    return inner_->offset_at(p, ms);
  }
  result<std::unique_ptr<rtdp::bus::reader>> make_reader(const std::string& client) override {
    return inner_->make_reader(client);
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_producer(const std::string& client) override {
    auto inner = inner_->make_producer(client);
    REQUIRE(inner);
    return std::unique_ptr<rtdp::bus::producer>(new mortal(*this, std::move(*inner), false));
  }
  result<std::unique_ptr<rtdp::bus::producer>>
  make_fenced_producer(const std::string& id) override {
    auto inner = inner_->make_fenced_producer(id);
    REQUIRE(inner);
    return std::unique_ptr<rtdp::bus::producer>(new mortal(*this, std::move(*inner), true));
  }

  /// All that a partition holds, in order.
  std::vector<rtdp::bus::message> held(const rtdp::bus::partition& p) {
    std::vector<rtdp::bus::message> all;
    auto ranges = inner_->ranges(p.topic);
    REQUIRE(ranges);
    auto [first, end] = ranges->at(size_t(p.index));
    auto reader = inner_->make_reader("test");
    REQUIRE(reader);
    REQUIRE_FALSE((*reader)->assign({{p, first}}));
    while (first + int64_t(all.size()) < end)
      REQUIRE_FALSE((*reader)->poll(std::chrono::seconds{5}, 8 << 20, all));
    return all;
  }

private:
  class mortal final : public rtdp::bus::producer {
  public:
    mortal(crashing_bus& bus, std::unique_ptr<producer> inner, bool whole)
        : bus_(bus), inner_(std::move(inner)), whole_(whole) {}

    error send(const rtdp::bus::partition& to, std::string_view key,
               std::string_view value) override {
      waiting_[to].emplace_back(key, value);
      return {};
    }
    error flush(std::chrono::milliseconds timeout) override {
      bool dies = bus_.crash_each > 0 && bus_.random_() % bus_.crash_each == 0;
      bool none = dies && whole_ && bus_.random_() % 2 == 0;
      for (auto& [to, messages] : waiting_) {
        auto kept = dies && !whole_ ? bus_.random_() % (messages.size() + 1) : messages.size();
        if (none)
          continue;
        for (size_t i = 0; i < kept; ++i)
          REQUIRE_FALSE(inner_->send(to, messages[i].first, messages[i].second));
      }
      waiting_.clear();
      auto failed = inner_->flush(timeout);
      if (failed == ec::fenced)
        return failed;
      REQUIRE_FALSE(failed);
      bus_.crashes += dies ? 1 : 0;
      return dies ? unavailable("died") : error{};
    }

  private:
    crashing_bus& bus_;
    std::unique_ptr<producer> inner_;
    const bool whole_;
    std::map<rtdp::bus::partition, std::vector<std::pair<std::string, std::string>>> waiting_;
  };

  std::mt19937& random_;
  std::unique_ptr<bus> inner_;
};

} // namespace rtdp::test
