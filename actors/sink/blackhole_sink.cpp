#include "actors/sink/driver.hpp"

#include <thread>

namespace rtdp::sink {

namespace {

using std::chrono::milliseconds;

class blackhole final : public driver {
public:
  explicit blackhole(milliseconds delay) : delay_(delay) {}

  error connect() override { return {}; }
  result<std::string> take(const std::string&, int64_t) override { return std::string{}; }
  error prepare(const ums::schema&) override { return {}; }
  error write(const ums::slice&, const fence&) override {
    if (delay_.count() > 0)
      std::this_thread::sleep_for(delay_);
    return {};
  }
  error advance(const fence&) override { return {}; }
  bool transactional() const override { return false; }

private:
  milliseconds delay_;
};

} // namespace

kind blackhole_sink() {
  using config::field;
  return {config::spec{"blackhole", "Discards every row. For benchmarks."}.add(
              field{"delay", milliseconds{0}, "How long each write takes, to play a slow store."}
                  .range(0, 60'000)
                  .advanced()),
          [](const config::section& settings, const target&) -> std::unique_ptr<driver> {
            return std::make_unique<blackhole>(settings.duration("delay"));
          }};
}

} // namespace rtdp::sink
