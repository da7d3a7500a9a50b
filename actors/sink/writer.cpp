#include "actors/sink/writer.hpp"

#include "actors/sink/split.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace rtdp::sink {

namespace {

/// How long the bus may take to make a batch's changes durable.
constexpr std::chrono::seconds append_within{30};

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Takes the epoch for this writer. False while another one of this process has it: the fence tells
/// epochs apart, and a flow that starts again under the epoch of its placement would read its
/// progress while a SINK that is to end with the former FLOW still writes.
bool take_alone(const writer_settings& of, int64_t epoch, const std::shared_ptr<const bool>& life) {
  struct holder {
    int64_t epoch = 0;
    std::weak_ptr<const bool> life;
  };
  static std::mutex guard;
  static std::map<std::pair<std::string, std::string>, holder> holders;
  std::lock_guard lock{guard};
  auto& now = holders[{of.data_dir, of.flow}];
  if (auto other = now.life.lock(); other && other != life && now.epoch == epoch)
    return false;
  now = {epoch, life};
  return true;
}

/// Row of the origin that row `index` of the data came from: the one with the same ums_id_.
size_t origin_row(const runtime::write_order& order, size_t index) {
  const auto* ids = order.data->find(ums::id_name);
  const auto& origin = *order.origin.data;
  auto row = ids ? ums::row_of_id(origin, ids->ints()[index]) : std::nullopt;
  return row.value_or(std::min(index, origin.rows() - 1));
}

/// The progress to store with each piece of an order.
class milestones {
public:
  explicit milestones(const runtime::write_order& order) : order_(order) {}

  /// Progress once the rows in front of `end` are applied. In front of the last, the offsets stay
  /// before the batch: after a crash it is read again, and the ids tell which rows are done.
  std::string at(size_t end) {
    if (end == order_.data->rows())
      return order_.after.text();
    // The state of the flow's steps stays before the batch too, so the batch comes again in whole.
    if (order_.whole)
      return order_.before.text();
    auto p = order_.before;
    const auto& from = order_.origin.data ? *order_.origin.data : *order_.data;
    auto name = from.schema->name.text();
    // An order that is not the last of its batch moves no id: the other orders hold lower ones.
    const auto& partition = order_.origin.partition;
    auto most = order_.after.applied(name, partition);
    if (const auto* ids = order_.data->find(ums::id_name); ids && most > p.applied(name, partition))
      p.apply(name, partition, std::min(lowest_from(ids->ints(), end) - 1, most));
    return p.text();
  }

private:
  /// A step may hand out rows in any order: done is what is below every id still to come.
  int64_t lowest_from(std::span<const int64_t> ids, size_t end) {
    if (lowest_.empty()) {
      lowest_.assign(ids.begin(), ids.end());
      for (size_t i = lowest_.size() - 1; i > 0; --i)
        lowest_[i - 1] = std::min(lowest_[i - 1], lowest_[i]);
    }
    return lowest_[end];
  }

  const runtime::write_order& order_;
  /// Of each row: the lowest id of it and all behind it.
  std::vector<int64_t> lowest_;
};

} // namespace

error writer::open_stores() {
  if (checkpoints_)
    return {};
  auto checkpoints = state::checkpoint_store::open(settings_.data_dir);
  if (!checkpoints)
    return checkpoints.error();
  auto letters = state::dead_letter_store::open(settings_.data_dir);
  if (!letters)
    return letters.error();
  checkpoints_.emplace(std::move(*checkpoints));
  dead_letters_.emplace(std::move(*letters));
  return {};
}

error writer::warm() {
  if (auto failed = open_stores())
    return failed;
  auto failed = target_->connect();
  warm_ = !failed;
  return failed;
}

result<std::string> writer::open(int64_t epoch) {
  prepared_.reset();
  if (auto failed = open_stores())
    return failed;
  auto saved = checkpoints_->load("flow." + settings_.flow);
  if (!saved)
    return saved.error();
  if (epoch == 0)
    epoch = epoch_ > 0 ? epoch_ : number((*saved)["epoch"]) + 1;
  if (epoch != epoch_)
    if (auto failed =
            checkpoints_->save("flow." + settings_.flow, {{"epoch", std::to_string(epoch)}}))
      return failed;
  epoch_ = epoch;
  if (!take_alone(settings_, epoch, life_))
    return unavailable("the former writer of flow " + settings_.flow + " has not ended yet");
  // Once: a connection that broke since then is `unavailable`, and the next try makes another.
  if (!std::exchange(warm_, false))
    if (auto failed = target_->connect())
      return failed;
  auto stored = target_->take(settings_.flow, epoch);
  if (!stored)
    return stored.error();
  if (const auto& rewind = (*saved)["rewind"]; !rewind.empty()) {
    if (auto failed = advance(rewind))
      return failed;
    if (auto failed = store(rewind, true))
      return failed;
    if (auto failed = checkpoints_->save("flow." + settings_.flow, {{"rewind", ""}}))
      return failed;
    return rewind;
  }
  return target_->transactional() ? *stored : (*saved)["progress"];
}

error writer::prepare(const ums::schema_ptr& schema) {
  // The batches of one schema share the pointer most of the time; comparing the rest is cheap.
  if (prepared_ == schema || (prepared_ && *prepared_ == *schema))
    return {};
  if (auto failed = target_->prepare(*schema))
    return failed;
  prepared_ = schema;
  return {};
}

result<runtime::write_receipt> writer::write(const runtime::write_order& order) {
  if (!done_.unfit_kept)
    if (auto failed = keep(order, order.unfit))
      return failed;
  done_.unfit_kept = true;
  if (auto failed = append(order))
    return failed;
  if (!order.data || order.data->rows() == 0) {
    if (auto failed = advance(order.after.text()))
      return failed;
  } else {
    if (order.data->carries_rows())
      if (auto failed = prepare(order.data->schema))
        return failed;
    if (auto failed = write_rows(order))
      return failed;
    if (!target_->transactional())
      // What a changelog says to be stored must be.
      if (auto failed = store(order.after.text(), order.whole))
        return failed;
  }
  runtime::write_receipt receipt;
  receipt.rows = done_.rows - done_.bad;
  receipt.dead_letters = order.unfit.size() + done_.bad;
  receipt.done_us = now_us();
  done_ = {};
  return receipt;
}

error writer::append(const runtime::write_order& order) {
  if (!order.changelog || done_.changelog_kept)
    return {};
  auto failed = append_records(*order.changelog);
  // What arrived of them is not known: another producer sends all of them again.
  if (failed)
    changelog_.reset();
  done_.changelog_kept = !failed;
  return failed.in("changelog");
}

error writer::append_records(const state::log_records& records) {
  bus::partition to{state::changelog_topic(settings_.flow), 0};
  if (!changelog_) {
    if (!settings_.bus)
      return rejected("flow " + settings_.flow + " keeps state, but its sink was given no bus");
    auto made = settings_.bus->make_producer("rtdp-state-" + settings_.flow);
    if (!made)
      return made.error();
    changelog_ = std::move(*made);
  }
  for (const auto& r : records)
    if (auto failed = changelog_->send(to, r.key, r.value))
      return failed;
  return changelog_->flush(append_within);
}

error writer::write_rows(const runtime::write_order& order) {
  milestones progress{order};
  auto rest = ums::slice{order.data.get(), done_.rows, order.data->rows() - done_.rows};
  auto split = write_split(
      *target_, rest,
      [&](size_t end) {
        return fence{settings_.flow, epoch_, progress.at(end)};
      },
      [&](const bad_row& bad) {
        return keep(order, {{origin_row(order, bad.row), bad.reason}});
      });
  done_.rows += split.done;
  done_.bad += split.bad;
  return split.error;
}

error writer::keep(const runtime::write_order& order, const std::vector<runtime::unfit_row>& rows) {
  const auto& from = order.origin;
  // A replayed dead letter that fails again is still in the store.
  if (rows.empty() || from.partition.empty())
    return {};
  auto slash = from.partition.rfind('/');
  std::vector<state::dead_letter> letters;
  for (const auto& row : rows) {
    auto& letter = letters.emplace_back();
    letter.component = "flow." + settings_.flow;
    letter.ns = from.data->schema->name.text();
    letter.topic = from.partition.substr(0, slash);
    letter.partition = int32_t(number(from.partition.substr(slash + 1)));
    letter.offset = from.first_offset;
    letter.reason = row.reason;
    letter.at_us = now_us();
    if (auto failed = ums::write(ums::slice{from.data.get(), row.index, 1}, letter.bytes))
      return failed;
  }
  return dead_letters_->add(letters);
}

error writer::advance(const std::string& progress) {
  if (!target_->transactional())
    return store(progress, true);
  return target_->advance({settings_.flow, epoch_, progress});
}

error writer::store(const std::string& progress, bool now) {
  auto at = now_us();
  auto interval_us =
      std::chrono::duration_cast<std::chrono::microseconds>(settings_.store_interval);
  if (!now && at - stored_us_ < interval_us.count())
    return {};
  stored_us_ = at;
  return checkpoints_->save("flow." + settings_.flow, {{"progress", progress}});
}

} // namespace rtdp::sink
