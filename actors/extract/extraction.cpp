#include "actors/extract/extraction.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

constexpr auto flush_timeout = 30s;

/// The rows of a batch whose ids are below `cut`; behind them are the others.
size_t rows_below(const ums::batch& b, int64_t cut) {
  return size_t(std::lower_bound(b.ids().begin(), b.ids().end(), cut) - b.ids().begin());
}

} // namespace

extraction::extraction(extraction_settings settings, std::shared_ptr<bus::bus> bus,
                       factory make_driver)
    : settings_(std::move(settings)), bus_(std::move(bus)), make_driver_(std::move(make_driver)) {}

error extraction::open() {
  if (auto failed = load())
    return failed;
  if (auto failed = bus_->open())
    return failed;
  if (auto failed = make_topics())
    return failed;
  auto producer = take_producer();
  if (!producer)
    return producer.error();
  auto held = read_held();
  if (!held)
    return held.error();
  held_id_ = held->last_id;
  if (auto failed = announce(**producer))
    return failed;
  if (settings_.make_stages) {
    auto stages = settings_.make_stages();
    if (!stages)
      return stages.error();
    stages_ = std::move(*stages);
  }
  pending_.reset();
  collector_.emplace(stored_.next_id, settings_.rows_max);
  // A new driver each time: what a broken one remembers must not leak into the next try.
  driver_ = make_driver_();
  if (shared_)
    driver_->take_over();
  if (auto failed = driver_->open(stored_.position))
    return failed;
  if (driver_->replays())
    collector_->pass_by(held->chunks, held_id_);
  else if (held_id_ > 0)
    collector_->pass_by({{stored_.next_id, held_id_}}, held_id_);
  publisher_.emplace(
      std::move(*producer), settings_.to,
      publisher_settings{settings_.message_bytes, settings_.message_bytes_max}, std::move(*held));
  return {};
}

error extraction::load() {
  if (!store_) {
    auto store = state::checkpoint_store::open(settings_.data_dir);
    if (!store)
      return store.error();
    store_.emplace(std::move(*store));
    auto letters = state::dead_letter_store::open(settings_.data_dir);
    if (!letters)
      return letters.error();
    dead_letters_.emplace(std::move(*letters));
  }
  auto saved = store_->load("source." + settings_.name);
  if (!saved)
    return saved.error();
  stored_ = {.position = "", .next_id = 0};
  if (saved->empty())
    return {};
  stored_.position = (*saved)["position"];
  alone_ = (*saved)["shared"] != "1";
  const auto& id = (*saved)["next_id"];
  auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), stored_.next_id);
  if (code != std::errc{} || end != id.data() + id.size())
    return rejected("stored next id of source " + settings_.name + " is not a number: " + id);
  return {};
}

error extraction::save(const source_place& at) {
  return store_->save("source." + settings_.name,
                      {{"position", at.position},
                       {"next_id", std::to_string(at.next_id)},
                       {"shared", shared_ ? "1" : "0"}});
}

result<std::unique_ptr<bus::producer>> extraction::take_producer() {
  if (!settings_.clustered)
    return bus_->make_producer("rtdp-" + settings_.name);
  if (!shared_)
    shared_.emplace(bus_, settings_.name, settings_.data_dir, settings_.self);
  return shared_->take(stored_, alone_);
}

/// Whose the source is from now on, before its database is asked: that may take long.
error extraction::announce(bus::producer& with) {
  if (!shared_)
    return {};
  if (auto failed = shared_->announce(with, stored_, flush_timeout))
    return failed;
  return save(stored_);
}

error extraction::make_topics() {
  for (const auto& topic : settings_.to.topics()) {
    if (auto failed = bus_->create_topic(topic, settings_.to.options()))
      return failed;
    auto held = bus_->ranges(topic);
    if (!held)
      return held.error();
    // The partition of a row depends on the number: another one would break the order of its
    // changes while older ones are unread.
    if (auto wanted = settings_.to.options().partitions; held->size() != size_t(wanted))
      return rejected("topic " + topic + " has " + std::to_string(held->size()) +
                      " partitions, but partitions: says " + std::to_string(wanted) +
                      ": set partitions: " + std::to_string(held->size()) +
                      ", or give the source another topic once every flow is at the end of this one");
  }
  return {};
}

result<bus_tail> extraction::read_held() {
  auto client = "rtdp-" + settings_.name + "-tail";
  auto topics = settings_.to.topics();
  if (stored_.next_id > 0)
    return read_tail(*bus_, client, topics, stored_.next_id);
  auto next = id_behind(*bus_, client, topics);
  if (!next)
    return next.error();
  stored_.next_id = *next;
  if (auto failed = save(stored_))
    return failed;
  return bus_tail{};
}

error extraction::pass_stages(collector::taken& taken) {
  if (stages_.empty() || (taken.begun.empty() && taken.batches.empty() && taken.bad.empty()))
    return {};
  auto where = driver_->progress().place;
  for (auto& s : stages_) {
    if (auto failed = s->begin(taken.begun, where))
      return failed;
    if (auto failed = s->apply(taken.batches, taken.bad, where))
      return failed;
  }
  std::erase_if(taken.batches, [](const ums::batch& b) { return b.rows() == 0; });
  if (!shared_ || taken.begun.empty())
    return {};
  return shared_->send_schemas([this](const auto& to, const auto& key, const auto& value) {
    return publisher_->put(to, key, value);
  });
}

source_progress extraction::progress() const {
  auto out = driver_->progress();
  for (auto& t : out.tables)
    for (const auto& s : stages_)
      t.name = s->published(t.name);
  return out;
}

result<step_outcome> extraction::step(std::chrono::milliseconds wait) {
  if (auto failed = driver_->read(*collector_, pending_ ? 0ms : wait))
    return failed;
  bool more = collector_->full();
  auto taken = collector_->take();
  step_outcome outcome;
  if (auto failed = pass_stages(taken))
    return failed;
  outcome.dead_letters = taken.bad.size();
  if (auto failed = keep_bad(taken.bad))
    return failed;
  if (auto failed = publish(taken, outcome))
    return failed;
  if (!taken.position.empty())
    pending_ = source_place{std::move(taken.position), taken.next_id};
  if (must_flush(more, taken))
    if (auto failed = settle())
      return failed;
  if (auto beaten_us = driver_->beaten_us(); beaten_us > beaten_us_) {
    beaten_us_ = beaten_us;
    if (auto failed = publish_marks(beaten_us))
      return failed;
  }
  return outcome;
}

bool extraction::must_flush(bool more, const collector::taken& taken) const {
  // A transaction must not wait for the next read, which may take longer than it may live.
  if (shared_)
    return pending_ || publisher_->unflushed_bytes() > 0;
  return pending_ && (!more || taken.settle ||
                      publisher_->unflushed_bytes() >= settings_.flush_bytes);
}

error extraction::publish(const collector::taken& taken, step_outcome& outcome) {
  auto bytes = publisher_->bytes_total();
  std::vector<uint64_t> rows(taken.batches.size());
  std::vector<bad_row> bad;
  auto cut = taken.position.empty() ? INT64_MAX : taken.next_id;
  for (bool below : {true, false})
    for (size_t i = 0; i < taken.batches.size(); ++i) {
      const auto& b = taken.batches[i];
      auto middle = rows_below(b, cut);
      auto had = publisher_->rows_total();
      if (auto failed = publisher_->publish(below ? ums::slice{&b, 0, middle}
                                                  : ums::slice{&b, middle, b.rows() - middle},
                                            bad))
        return failed;
      rows[i] += publisher_->rows_total() - had;
    }
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i] > 0) {
      const auto& schema = taken.batches[i].schema;
      outcome.rows += rows[i];
      outcome.tables.push_back({schema->name, rows[i], schema});
    }
  outcome.bytes = publisher_->bytes_total() - bytes;
  outcome.dead_letters += bad.size();
  if (bad.empty())
    return {};
  if (auto where = driver_->progress().place; !where.empty())
    for (auto& row : bad)
      row.reason += "; read at " + where;
  return keep_bad(bad);
}

error extraction::settle() {
  if (shared_ && pending_) {
    auto failed =
        shared_->send_place(*pending_, [this](const auto& to, const auto& key, const auto& value) {
          return publisher_->put(to, key, value);
        });
    if (failed)
      return failed;
  }
  if (auto failed = publisher_->flush(flush_timeout))
    return failed;
  if (!pending_)
    return {};
  if (auto failed = save(*pending_))
    return failed;
  stored_us_ = now_us();
  stored_ = std::move(*pending_);
  pending_.reset();
  return driver_->confirm(stored_.position);
}

error extraction::mark() {
  // A row that could not be written does not come back: the lag tells it, and rows go on.
  if (auto failed = driver_->beat(now_us()); failed && !(failed == ec::unavailable))
    return failed;
  if (driver_->beaten_us() >= 0)
    return {};
  auto until = driver_->progress().complete_until_us;
  return publish_marks(until ? until : now_us());
}

error extraction::publish_marks(int64_t until_us) {
  // A mark must not overtake rows that the driver has read: they are published at the end of each
  // step.
  collector::taken taken{};
  auto& marks = taken.batches;
  for (const auto& t : driver_->progress().tables) {
    auto schema = std::make_shared<ums::schema>();
    schema->name = t.name;
    schema->fields = {
        {.name = std::string(ums::id_name), .type = ums::type::long_, .nullable = false},
        {.name = std::string(ums::ts_name), .type = ums::type::datetime, .nullable = false}};
    ums::batch b{schema, ums::protocol::increment_heartbeat};
    // The highest id on the bus: a mark takes no id of its own, so marks never change what ids
    // rows get.
    b.columns[0].append_int(std::max(collector_->next_id() - 1, held_id_));
    b.columns[1].append_int(until_us);
    marks.push_back(std::move(b));
  }
  if (auto failed = pass_stages(taken))
    return failed;
  std::vector<bad_row> bad;
  for (const auto& b : marks)
    if (auto failed = publisher_->publish(ums::slice::all(b), bad))
      return failed;
  return publisher_->flush(flush_timeout);
}

error extraction::finish() { return settle(); }

bool extraction::idle() const {
  if (!driver_ || pending_ || (publisher_ && publisher_->unflushed_bytes() > 0))
    return false;
  auto p = driver_->progress();
  return p.idle && std::all_of(p.tables.begin(), p.tables.end(),
                               [](const table_progress& t) { return t.snapshot_done; });
}

error extraction::keep_bad(const std::vector<bad_row>& rows) {
  if (rows.empty())
    return {};
  if (settings_.strict)
    return rejected(fmt::format("table {}: {}; strict: true stops the source at the first such row, "
                                "strict: false keeps them as dead letters and goes on",
                                rows.front().table.text(), rows.front().reason));
  std::vector<state::dead_letter> letters;
  for (const auto& r : rows)
    letters.push_back({.component = "source." + settings_.name,
                       .ns = r.table.text(),
                       .reason = r.reason,
                       .bytes = r.bytes,
                       .at_us = now_us()});
  return dead_letters_->add(letters);
}

} // namespace rtdp::extract
