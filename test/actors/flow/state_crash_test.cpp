/// Flows with state that die at any point and go on elsewhere: the target ends as a recomputation
/// from the source would have it.
#include "test/actors/flow/group_store.hpp"
#include "test/actors/flow/sales.hpp"
#include "test/actors/flow/stateful_flow.hpp"
#include "test/support/crashing_bus.hpp"
#include "test/support/temp_folder.hpp"

#include <iostream>

using namespace rtdp;
using namespace rtdp::test;

namespace {

constexpr const char* figures = "{by: [customer], count: sales, sum: [{of: total, as: amount}, "
                                "{of: pieces}], min: [total], max: [total]}";

/// One run: a log, a target, and lives of the flow one after the other.
class run {
public:
  explicit run(unsigned seed)
      : random_(seed), log_(random_), bus_(std::make_shared<crashing_bus>(disk_.path(), random_)) {
    bus_->crash_each = 10 + random_() % 40;
    auto each = 20 + random_() % 100;
    store_.dies = [this, each] { return mortal_ && random_() % each == 0; };
    store_.rejects = [this] { return random_() % 25 == 0; };
    for (auto n = 150 + random_() % 150; n > 0; --n)
      log_.go_on();
  }

  void go() {
    // The last life does not die.
    for (lives_ = 1; !done_; ++lives_) {
      REQUIRE(lives_ < 1000);
      mortal_ = lives_ < 60;
      bus_->crash_each = mortal_ ? bus_->crash_each : 0;
      live();
    }
    INFO("lives: ", lives_);
    CHECK(store_.visible() == log_.figures());
  }

  int lives() const { return lives_; }
  /// Parts of snapshots that the changelog holds at the end.
  int snapshots() {
    auto topic = state::changelog_topic("sales");
    auto end = bus_->ranges(topic)->front().end;
    auto reader = bus_->make_reader("test");
    REQUIRE(reader);
    REQUIRE_FALSE((*reader)->assign({{{topic, 0}, 0}}));
    std::vector<rtdp::bus::message> held;
    // A compacted topic has gaps; its last message is always there.
    while (held.empty() || held.back().offset + 1 < end)
      REQUIRE_FALSE((*reader)->poll(std::chrono::seconds{5}, 8 << 20, held));
    int parts = 0;
    for (const auto& m : held)
      parts += !m.value.empty() && m.key.find("/s/") != std::string::npos;
    return parts;
  }

private:
  using flow_ptr = std::unique_ptr<stateful_flow>;

  flow_ptr made(const std::string& folder) {
    stateful_settings s{.data_dir = folder, .bus = bus_};
    auto& left = left_behind_[folder];
    left = left ? left : std::make_shared<shelf>();
    s.left_behind = left;
    s.state.limits = {.message_bytes = 2048 + random_() % 4096, .snapshot_bytes = 2000};
    s.state.keyed.memory_bytes = random_() % 30'000;
    s.state.keyed.changed_keys = random_() % 100;
    s.state.recent_bytes = random_() % 2 ? 0 : 1 << 20;
    std::vector<std::unique_ptr<flow::step>> steps;
    steps.push_back(step_of("aggregate", figures));
    return std::make_unique<stateful_flow>(s, std::move(steps), store_.make());
  }

  /// A node's folder: one of three, so that a flow comes back to what it left there, or a new one.
  std::string folder() {
    auto n = random_() % 4;
    return disk_.path() + "/n" + (n < 3 ? std::to_string(n) : "x" + std::to_string(++fresh_));
  }

  void live() {
    auto place = folder();
    auto f = made(place);
    // It may have been kept warm while the one before was alive.
    for (auto n = random_() % 3; n > 0; --n)
      (void)f->work().catch_up(std::chrono::milliseconds(20));
    auto opened = f->open(lives_);
    if (opened) {
      REQUIRE_MESSAGE(opened == ec::unavailable, opened.text());
      return;
    }
    auto standby_place = folder();
    auto standby = standby_place == place ? nullptr : made(standby_place);
    auto next = next_offset(*f);
    while (true) {
      bool may_take = next < int64_t(log_.batches.size());
      error failed;
      if (may_take && random_() % 3 != 0) {
        failed = f->take(delivered(next), 1 + random_() % 30);
      } else if (f->has_waiting()) {
        failed = f->write_next();
      } else if (!may_take) {
        done_ = true;
        return;
      }
      if (standby && random_() % 8 == 0)
        REQUIRE(standby->work().catch_up(std::chrono::milliseconds(50)));
      bool stops = mortal_ && random_() % 400 == 0;
      if (failed)
        REQUIRE_MESSAGE((failed == ec::unavailable && mortal_), failed.text());
      if (failed && random_() % 3 == 0)
        failed = f->reconnect(lives_);
      if (failed || stops)
        return bury(std::move(f));
      if (!f->has_waiting() && random_() % 100 == 0)
        return f->leave();
      wake_zombie();
    }
  }

  int64_t next_offset(stateful_flow& f) const {
    const auto& offsets = f.work().progress().offsets;
    auto at = offsets.find("rtdp.shop/0");
    return at == offsets.end() ? 0 : at->second;
  }

  /// One batch, or as a reader that is behind does, several in one.
  runtime::delivery delivered(int64_t& next) {
    runtime::delivery d;
    d.partition = "rtdp.shop/0";
    d.first_offset = next;
    auto first = log_.batches[size_t(next++)];
    if (first->carries_rows() && random_() % 3 == 0) {
      auto all = *first;
      while (next < int64_t(log_.batches.size()) && all.rows() < 40 &&
             *log_.batches[size_t(next)]->schema == *all.schema &&
             log_.batches[size_t(next)]->kind == all.kind) {
        const auto& more = *log_.batches[size_t(next++)];
        for (size_t c = 0; c < all.columns.size(); ++c)
          all.columns[c].append(more.columns[c], 0, more.rows());
      }
      first = std::make_shared<const ums::batch>(std::move(all));
    }
    d.data = first;
    d.next_offset = next;
    return d;
  }

  /// Dead, or frozen: what it had in hand it does later, when another one owns the flow.
  void bury(flow_ptr f) {
    if (random_() % 2 == 0)
      zombie_ = std::move(f);
  }

  void wake_zombie() {
    if (!zombie_ || random_() % 10 != 0)
      return;
    int64_t next = next_offset(*zombie_);
    if (next < int64_t(log_.batches.size()))
      (void)zombie_->take(delivered(next), 1 + random_() % 30);
    error failed;
    while (!failed && zombie_->has_waiting())
      failed = zombie_->write_next();
    zombie_.reset();
  }

  std::mt19937 random_;
  temp_folder disk_;
  sales_log log_;
  std::shared_ptr<crashing_bus> bus_;
  group_store store_;
  /// By folder.
  std::map<std::string, std::shared_ptr<shelf>> left_behind_;
  flow_ptr zombie_;
  int lives_ = 0, fresh_ = 0;
  bool mortal_ = true, done_ = false;
};

} // namespace

TEST_CASE("an aggregate that dies at any point ends as a recomputation has it") {
  auto first = std::random_device{}();
  int lives = 0, snapshots = 0;
  for (unsigned i = 0; i < 30; ++i) {
    std::cerr << "seed " << first + i << '\n';
    run r(first + i);
    r.go();
    lives += r.lives();
    snapshots += r.snapshots();
  }
  // It did die, and there were snapshots to go on from.
  CHECK(lives > 60);
  CHECK(snapshots > 30);
}
