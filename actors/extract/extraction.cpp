#include "actors/extract/extraction.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <charconv>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

/// More than the rows that one run can publish without storing a position: `flush_bytes` of the
/// smallest rows, and one full collector.
constexpr int64_t unstored_ids_max = 4'000'000;
/// Enough messages to find the highest id of a partition whose last messages may be marks.
constexpr int64_t tail_messages = 64;
constexpr auto flush_timeout = 30s;

int64_t highest_id(const std::vector<bus::message>& messages) {
  int64_t highest = 0;
  ums::reader decode;
  for (const auto& m : messages) {
    std::vector<ums::batch> batches;
    std::vector<ums::bad_row> bad;
    if (decode.read(m.value, batches, bad))
      continue;
    for (const auto& b : batches)
      if (const auto* ids = b.find(ums::id_name); ids && ids->type() == ums::type::long_)
        for (auto id : ids->ints())
          highest = std::max(highest, id);
  }
  return highest;
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
  if (auto failed = bus_->create_topic(settings_.topic, settings_.topic_options))
    return failed;
  auto producer = bus_->make_producer("rtdp-" + settings_.name);
  if (!producer)
    return producer.error();
  publisher_.emplace(std::move(*producer), bus::partition{settings_.topic, 0},
                     settings_.message_bytes);
  if (stored_.position.empty() && stored_.next_id == 1) {
    auto next = id_behind_tail();
    if (!next)
      return next.error();
    stored_.next_id = *next;
  }
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
  return driver_->open(stored_.position);
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
  stored_ = {};
  if (saved->empty())
    return {};
  stored_.position = (*saved)["position"];
  const auto& id = (*saved)["next_id"];
  auto [end, code] = std::from_chars(id.data(), id.data() + id.size(), stored_.next_id);
  if (code != std::errc{} || end != id.data() + id.size())
    return rejected("stored next id of source " + settings_.name + " is not a number: " + id);
  return {};
}

result<int64_t> extraction::id_behind_tail() {
  auto ranges = bus_->ranges(settings_.topic);
  if (!ranges)
    return ranges.error();
  int64_t next = 1;
  for (size_t i = 0; i < ranges->size(); ++i) {
    auto [first, end] = (*ranges)[i];
    if (first == end) {
      // Retention took the ids with the rows. Microseconds since 1970 are above any count of rows.
      next = end > 0 ? std::max(next, now_us()) : next;
      continue;
    }
    auto reader = bus_->make_reader("rtdp-" + settings_.name + "-tail");
    if (!reader)
      return reader.error();
    auto from = std::max(first, end - tail_messages);
    if (auto failed = (*reader)->assign({{bus::partition{settings_.topic, int32_t(i)}, from}}))
      return failed;
    std::vector<bus::message> tail;
    while (tail.empty() || tail.back().offset + 1 < end) {
      auto had = tail.size();
      if (auto failed = (*reader)->poll(5s, 64 << 20, tail))
        return failed;
      if (tail.size() == had)
        return unavailable("topic " + settings_.topic + " does not give its last messages");
    }
    next = std::max(next, highest_id(tail) + unstored_ids_max);
  }
  return next;
}

error extraction::pass_stages(std::vector<ums::batch>& batches, std::vector<bad_row>& bad) {
  if (stages_.empty() || (batches.empty() && bad.empty()))
    return {};
  auto where = driver_->progress().place;
  for (auto& s : stages_)
    if (auto failed = s->apply(batches, bad, where))
      return failed;
  std::erase_if(batches, [](const ums::batch& b) { return b.rows() == 0; });
  return {};
}

error extraction::snapshot(const snapshot_request& asked) {
  if (auto failed = driver_->snapshot(asked))
    return failed;
  if (auto done = step(std::chrono::milliseconds{0}); !done)
    return done.error();
  return settle();
}

result<step_outcome> extraction::step(std::chrono::milliseconds wait) {
  if (auto failed = driver_->read(*collector_, pending_ ? 0ms : wait))
    return failed;
  bool more = collector_->full();
  auto taken = collector_->take();
  step_outcome outcome;
  if (auto failed = pass_stages(taken.batches, taken.bad))
    return failed;
  outcome.dead_letters = taken.bad.size();
  if (auto failed = keep_bad(taken.bad))
    return failed;
  auto before = publisher_->bytes_total();
  for (const auto& b : taken.batches) {
    if (auto failed = publisher_->publish(b))
      return failed;
    if (!b.carries_rows())
      continue;
    outcome.rows += b.rows();
    outcome.tables.push_back({b.schema->name, b.rows(), b.schema});
  }
  outcome.bytes = publisher_->bytes_total() - before;
  if (!taken.position.empty())
    pending_ = place{std::move(taken.position), taken.next_id};
  if (pending_ && (!more || taken.settle || publisher_->unflushed_bytes() >= settings_.flush_bytes))
    if (auto failed = settle())
      return failed;
  return outcome;
}

error extraction::settle() {
  if (auto failed = publisher_->flush(flush_timeout))
    return failed;
  if (!pending_)
    return {};
  if (auto failed = store_->save(
          "source." + settings_.name,
          {{"position", pending_->position}, {"next_id", std::to_string(pending_->next_id)}}))
    return failed;
  stored_us_ = now_us();
  stored_ = std::move(*pending_);
  pending_.reset();
  return driver_->confirm(stored_.position);
}

error extraction::mark() {
  // A mark must not overtake rows that the driver has read: they are published at the end of each
  // step.
  auto until = driver_->progress().complete_until_us;
  std::vector<ums::batch> marks;
  for (const auto& t : driver_->progress().tables) {
    auto schema = std::make_shared<ums::schema>();
    schema->name = t.name;
    schema->fields = {
        {.name = std::string(ums::id_name), .type = ums::type::long_, .nullable = false},
        {.name = std::string(ums::ts_name), .type = ums::type::datetime, .nullable = false}};
    ums::batch b{schema, ums::protocol::increment_heartbeat};
    // The id of the row before: a mark takes no id of its own, so marks never change what ids rows
    // get.
    b.columns[0].append_int(collector_->next_id() - 1);
    b.columns[1].append_int(until ? until : now_us());
    marks.push_back(std::move(b));
  }
  std::vector<bad_row> none;
  if (auto failed = pass_stages(marks, none))
    return failed;
  for (const auto& b : marks)
    if (auto failed = publisher_->publish(b))
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
