/// A bus of one topic in memory that never waits, so that a STREAM can run on simulated time.
#pragma once

#include "runtime/bus/bus.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::test {

class memory_bus final : public bus::bus {
public:
  /// What `poll` answers from now on.
  error failure;
  /// Entries behind the last message that are none, as the mark of a transaction; and whether a
  /// reader has noticed them.
  int64_t marks = 0;
  bool marks_read = false;

  void send(const std::string& key, const std::string& value) { held_.emplace_back(key, value); }

  error open() override { return {}; }
  error create_topic(const std::string&, const rtdp::bus::topic_options&) override { return {}; }
  result<std::vector<rtdp::bus::range>> ranges(const std::string&) override {
    return std::vector<rtdp::bus::range>{{0, int64_t(held_.size()) + marks}};
  }
  result<int64_t> offset_at(const rtdp::bus::partition&, int64_t) override {
    return int64_t(held_.size());
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_producer(const std::string&) override {
    return rejected("tests send by `send`");
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_fenced_producer(const std::string&) override {
    return rejected("tests send by `send`");
  }
  result<std::unique_ptr<rtdp::bus::reader>> make_reader(const std::string&) override {
    return std::unique_ptr<rtdp::bus::reader>(std::make_unique<reader>(*this));
  }

private:
  /// One message a poll, so that each is a batch of its own.
  class reader final : public rtdp::bus::reader {
  public:
    explicit reader(memory_bus& from) : from_(from) {}
    error assign(const std::map<rtdp::bus::partition, int64_t>& at) override {
      topic_ = std::make_shared<const std::string>(at.begin()->first.topic);
      next_ = size_t(at.begin()->second);
      return {};
    }
    error poll(std::chrono::milliseconds, size_t, std::vector<rtdp::bus::message>& out) override {
      if (from_.failure)
        return from_.failure;
      if (next_ == from_.held_.size())
        return {};
      const auto& [key, value] = from_.held_[next_];
      out.push_back({topic_, 0, int64_t(next_), 0, key, value});
      ++next_;
      return {};
    }
    int64_t position(const rtdp::bus::partition&) const override {
      bool behind_all = next_ == from_.held_.size() && from_.marks_read;
      return int64_t(next_) + (behind_all ? from_.marks : 0);
    }

  private:
    memory_bus& from_;
    std::shared_ptr<const std::string> topic_;
    size_t next_ = 0;
  };

  std::vector<std::pair<std::string, std::string>> held_;
};

} // namespace rtdp::test
