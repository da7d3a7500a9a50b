/// The embedded bus on a test's folder, whose producers fail when the test says so.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::test {

class leaky_bus final : public bus::bus {
public:
  explicit leaky_bus(const std::string& data_dir) {
    for (const auto& k : rtdp::bus::kinds())
      if (k.spec.name == "embedded")
        inner_ = k.make(k.spec.defaults(), data_dir);
  }

  int failing_flushes = 0, failing_sends = 0, failing_opens = 0, opens = 0;
  /// Flushes that write everything and then fail all the same.
  int answers_lost = 0;
  /// Called before the next flush, once.
  std::function<void()> at_flush;
  /// Retention took everything: what `ranges` answers instead.
  std::optional<rtdp::bus::range> only_range;

  error open() override {
    ++opens;
    if (failing_opens > 0 && failing_opens-- > 0)
      return unavailable("broker gone");
    return inner_->open();
  }
  error create_topic(const std::string& name, const rtdp::bus::topic_options& o) override {
    return inner_->create_topic(name, o);
  }
  result<std::vector<rtdp::bus::range>> ranges(const std::string& topic) override {
    if (only_range)
      return std::vector{*only_range};
    return inner_->ranges(topic);
  }
  result<int64_t> offset_at(const rtdp::bus::partition& p, int64_t ms) override {
    return inner_->offset_at(p, ms);
  }
  result<std::unique_ptr<rtdp::bus::reader>> make_reader(const std::string& client) override {
    return inner_->make_reader(client);
  }
  result<std::unique_ptr<rtdp::bus::producer>> make_producer(const std::string& client) override {
    return wrapped(inner_->make_producer(client));
  }
  result<std::unique_ptr<rtdp::bus::producer>>
  make_fenced_producer(const std::string& id) override {
    return wrapped(inner_->make_fenced_producer(id));
  }

  /// Every message that a partition of `topic` holds.
  std::vector<rtdp::bus::message> held(const std::string& topic, int32_t index = 0) {
    std::vector<rtdp::bus::message> all;
    auto ranges = inner_->ranges(topic);
    if (!ranges)
      return all;
    auto [first, end] = ranges->at(size_t(index));
    auto reader = inner_->make_reader("test");
    REQUIRE(reader);
    REQUIRE_FALSE((*reader)->assign({{{topic, index}, first}}));
    while (first + int64_t(all.size()) < end)
      REQUIRE_FALSE((*reader)->poll(std::chrono::seconds{5}, 1 << 20, all));
    return all;
  }

private:
  class leaky final : public rtdp::bus::producer {
  public:
    leaky(leaky_bus& bus, std::unique_ptr<producer> inner) : bus_(bus), inner_(std::move(inner)) {}
    error send(const rtdp::bus::partition& to, std::string_view key,
               std::string_view value) override {
      if (bus_.failing_sends > 0 && bus_.failing_sends-- > 0)
        return unavailable("queue full");
      return inner_->send(to, key, value);
    }
    error flush(std::chrono::milliseconds timeout) override {
      if (auto call = std::exchange(bus_.at_flush, {}))
        call();
      if (bus_.failing_flushes > 0 && bus_.failing_flushes-- > 0)
        return unavailable("broker gone");
      if (auto failed = inner_->flush(timeout))
        return failed;
      return bus_.answers_lost > 0 && bus_.answers_lost-- > 0 ? unavailable("answer lost")
                                                              : error{};
    }

  private:
    leaky_bus& bus_;
    std::unique_ptr<producer> inner_;
  };

  result<std::unique_ptr<rtdp::bus::producer>>
  wrapped(result<std::unique_ptr<rtdp::bus::producer>> inner) {
    if (!inner)
      return inner.error();
    return std::unique_ptr<rtdp::bus::producer>(new leaky(*this, std::move(*inner)));
  }

  std::unique_ptr<bus> inner_;
};

/// The ids of the rows in `messages` that are of `kind`.
inline std::vector<int64_t> ids_in(const std::vector<rtdp::bus::message>& messages,
                                   ums::protocol kind = ums::protocol::increment_data) {
  std::vector<int64_t> ids;
  ums::reader decode;
  for (const auto& m : messages) {
    std::vector<ums::batch> batches;
    std::vector<ums::bad_row> bad;
    auto failed = decode.read(m.value, batches, bad);
    REQUIRE_MESSAGE(!failed, failed.text());
    CHECK(bad.empty());
    for (const auto& b : batches)
      if (b.kind == kind)
        ids.insert(ids.end(), b.ids().begin(), b.ids().end());
  }
  return ids;
}

} // namespace rtdp::test
