/// How a `mysql` source reads snapshots, piece by piece, between transactions of the log.
#include "actors/extract/mysql_driver.hpp"

namespace rtdp::extract::my {

using clock = std::chrono::steady_clock;

bool mysql_driver::piece_is_due() const {
  return piece_ && (piece_begun_ || !at_.at.before(piece_->at()));
}

error mysql_driver::next_piece() {
  if (!rate_.ready(clock::now()))
    return {};
  for (auto& t : at_.tables) {
    auto name = quoted(t.name);
    auto* planned = at_.plan.find(name);
    bool wants_rows = planned != nullptr && !planned->paused;
    bool wants_columns = planned == nullptr && !t.begun && t.lost.empty();
    if (!wants_rows && !wants_columns)
      continue;
    snapshot_piece::request r{.name = t.name,
                                  .rows_max = set_.snapshots.chunk_rows,
                                  .rows = wants_rows};
    if (wants_rows) {
      r.where = planned->where;
      r.last = planned->last;
    }
    auto piece = snapshot_piece::open(set_.connect, *catalog_, std::move(r));
    if (!piece)
      return piece.error();
    if (!*piece) {
      // It is gone, as the log is going to say; what comes under its name is read then.
      at_.plan.remove(name);
      t.lost = "the table does not exist any more";
      continue;
    }
    piece_ = std::move(*piece);
    piece_begun_ = false;
    return {};
  }
  return {};
}

error mysql_driver::hand_over_piece(collector& out) {
  auto* t = at_.find(piece_->asked().name);
  auto index = size_t(t - at_.tables.data());
  auto* planned = at_.plan.find(quoted(t->name));
  if (!piece_begun_) {
    const auto& asked = piece_->asked();
    // What the log told meanwhile may have changed what is to be read.
    bool still = asked.rows ? planned != nullptr && planned->last == asked.last &&
                                  planned->where == asked.where && !planned->paused
                            : planned == nullptr && !t->begun;
    if (!still) {
      piece_.reset();
      return {};
    }
    changes_->begin_table(*t, piece_->columns());
    auto columns = changes_->planned(index);
    if (!columns)
      return columns.error();
    piece_columns_ = std::move(*columns);
    piece_handle_ = changes_->version_for(index, piece_columns_, out);
    piece_begun_ = true;
    if (planned != nullptr && planned->started_us == 0) {
      planned->started_us = piece_->at_us();
      planned->first_id = out.next_id();
    }
  }
  if (auto failed = piece_->copy(out, piece_handle_, piece_columns_))
    return failed;
  if (piece_->complete())
    end_piece(out, *t);
  return {};
}

void mysql_driver::end_piece(collector& out, table_state& t) {
  auto name = quoted(t.name);
  auto index = size_t(&t - at_.tables.data());
  if (piece_->asked().rows) {
    at_.plan.advance(name, piece_->last(), piece_->rows());
    rate_.took(size_t(piece_->rows()), clock::now());
    if (piece_->last_piece())
      if (auto done = at_.plan.remove(name)) {
        progress_.tables[index].snapshot_rows = done->rows;
        if (done->sweep)
          out.sweep(changes_->name_of(index), piece_->at_us(), done->first_id);
      }
  }
  piece_.reset();
  piece_begun_ = false;
  // Read again, its rows would be others.
  settle(out, true);
}

error mysql_driver::snapshot(const snapshot_request& asked) {
  if (phase_ == phase::closed)
    return unavailable("source " + name_ + " is not open");
  for (size_t i = 0; i < at_.tables.size(); ++i) {
    const auto& t = at_.tables[i].name;
    auto written = parse_table_name(asked.table, t.database);
    if (t.table != asked.table && !(written && *written == t))
      continue;
    if (auto failed = at_.plan.apply(asked, quoted(t), estimated_[i]))
      return failed;
    plan_changed_ = true;
    // Its rows go out after it is stored that they may have gone out.
    phase_ = phase::announce;
    return {};
  }
  return rejected("table " + asked.table + ": this source does not read it");
}

} // namespace rtdp::extract::my
