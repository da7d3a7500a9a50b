#include "actors/sink/writer.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <charconv>

namespace rtdp::sink {

namespace {

/// So many bad rows in one batch mean that the table or the flow is wrong, not the rows.
constexpr uint64_t bad_rows_max = 1000;

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Row of `origin` with the ums_id_ of row `index` of `b`.
size_t origin_row(const ums::batch& origin, const ums::batch& b, size_t index) {
  const auto* ids = b.find(ums::id_name);
  const auto* all = origin.find(ums::id_name);
  if (!ids || !all)
    return index;
  auto at = std::find(all->ints().begin(), all->ints().end(), ids->ints()[index]);
  return at == all->ints().end() ? std::min(index, origin.rows() - 1)
                                 : size_t(at - all->ints().begin());
}

/// Progress once the rows up to `end` of the batch are applied. The offsets stay before the batch;
/// after a crash the batch is read again and the ids tell which of its rows are done.
std::string progress_at(const runtime::write_order& order, size_t end) {
  if (end == order.data->rows())
    return order.after.text();
  auto p = order.before;
  const auto* ids = order.data->find(ums::id_name);
  auto& applied = p.ids[order.data->schema->name.text()];
  if (ids && end > 0)
    applied = std::max(applied, ids->ints()[end - 1]);
  return p.text();
}

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
  runtime::write_receipt receipt;
  if (letters_ == 0)
    for (const auto& row : order.unfit) {
      if (auto failed = keep(order, row.index, row.reason))
        return failed;
      ++letters_;
    }
  if (!order.data || order.data->rows() == 0) {
    if (auto failed = advance(order.after.text()))
      return failed;
  } else {
    if (order.data->carries_rows())
      if (auto failed = prepare(order.data->schema))
        return failed;
    if (auto failed = write_rows(order, receipt))
      return failed;
  }
  receipt.dead_letters = letters_;
  receipt.done_us = now_us();
  letters_ = 0;
  written_ = 0;
  if (!target_->transactional())
    if (auto failed = store(order.after.text(), false))
      return failed;
  return receipt;
}

error writer::write_rows(const runtime::write_order& order, runtime::write_receipt& receipt) {
  const auto rows = order.data->rows();
  // Halves until it goes through: a single bad row of n costs about log2(n) more transactions.
  auto piece = rows - written_;
  while (written_ < rows) {
    piece = std::min(piece, rows - written_);
    auto end = written_ + piece;
    auto failed = target_->write({order.data.get(), written_, piece},
                                 {settings_.flow, epoch_, progress_at(order, end)});
    if (!failed) {
      written_ = end;
      piece *= 2;
      continue;
    }
    if (!(failed == ec::rejected) || !order.data->carries_rows())
      return failed;
    // Is it the table, not a row? Then no smaller piece would go through either.
    if (auto unfit = target_->prepare(*order.data->schema))
      return unfit;
    if (piece > 1) {
      piece = (piece + 1) / 2;
      continue;
    }
    if (letters_ >= bad_rows_max)
      return failed.in("more than 1000 rows of one batch cannot be written; the last one");
    if (auto unkept =
            keep(order, origin_row(*order.origin.data, *order.data, written_), failed.text()))
      return unkept;
    ++letters_;
    ++written_;
    if (written_ == rows)
      if (auto unstored = target_->advance({settings_.flow, epoch_, order.after.text()}))
        return unstored;
  }
  receipt.rows = rows - std::min<uint64_t>(rows, letters_ - order.unfit.size());
  return {};
}

error writer::keep(const runtime::write_order& order, size_t row, const std::string& reason) {
  const auto& from = order.origin;
  // A replayed dead letter that fails again is still in the store.
  if (from.partition.empty())
    return {};
  state::dead_letter letter;
  letter.component = "flow." + settings_.flow;
  letter.ns = from.data->schema->name.text();
  auto slash = from.partition.rfind('/');
  letter.topic = from.partition.substr(0, slash);
  letter.partition = int32_t(number(from.partition.substr(slash + 1)));
  letter.offset = from.first_offset;
  letter.reason = reason;
  letter.at_us = now_us();
  if (auto failed = ums::write(ums::slice{from.data.get(), row, 1}, letter.bytes))
    return failed;
  return dead_letters_->add({letter});
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
