#include "actors/sink/split.hpp"

#include <fmt/format.h>

namespace rtdp::sink {

namespace {

class splitter {
public:
  splitter(driver& to, const ums::slice& rows, const fence& f, const keep_bad& keep, size_t bad_max)
      : to_(to), all_(rows), fence_(f), keep_(keep), bad_max_(bad_max) {}

  split_result run() {
    write_piece(all_);
    // The last row was bad: nothing carried the progress.
    if (!out_.error && !progress_stored_)
      out_.error = keep_new();
    if (!out_.error && !progress_stored_)
      out_.error = to_.advance(fence_);
    else if (out_.error == ec::unavailable)
      if (auto e = keep_new())
        out_.error = e;
    return std::move(out_);
  }

private:
  void write_piece(const ums::slice& piece) {
    bool is_last = piece.first + piece.count == all_.first + all_.count;
    auto f = fence_;
    if (!is_last)
      f.progress.clear();
    else if (out_.error = keep_new(); out_.error)
      return;
    auto e = to_.write(piece, f);
    if (!e) {
      out_.done += piece.count;
      bad_in_a_row_ = 0;
      progress_stored_ = is_last;
    } else if (e != ec::rejected || !table_is_good()) {
      if (!out_.error)
        out_.error = e;
    } else if (piece.count > 1) {
      auto half = piece.count / 2;
      write_piece({piece.data, piece.first, half});
      if (!out_.error)
        write_piece({piece.data, piece.first + half, piece.count - half});
    } else {
      blame(piece.first, e);
    }
  }

  /// Keeps the bad rows found since the last call.
  error keep_new() {
    if (kept_ == out_.bad.size())
      return {};
    auto e = keep_({out_.bad.begin() + std::ptrdiff_t(kept_), out_.bad.end()});
    if (!e)
      kept_ = out_.bad.size();
    return e;
  }

  void blame(size_t row, const error& e) {
    if (++bad_in_a_row_ > bad_max_) {
      out_.error = rejected(fmt::format("{} rows in a row were rejected, so the target is wrong "
                                        "rather than the rows; the last one: {}",
                                        bad_in_a_row_, e.text()));
      return;
    }
    out_.bad.push_back({row, e.text()});
    ++out_.done;
  }

  /// Asks once a slice; the answer for a heartbeat-like slice is yes.
  bool table_is_good() {
    if (checked_)
      return true;
    checked_ = true;
    out_.error = to_.prepare(*all_.data->schema);
    return !out_.error;
  }

  driver& to_;
  const ums::slice& all_;
  const fence& fence_;
  const keep_bad& keep_;
  size_t bad_max_;
  size_t kept_ = 0;
  size_t bad_in_a_row_ = 0;
  bool checked_ = false;
  bool progress_stored_ = false;
  split_result out_;
};

} // namespace

split_result write_split(driver& to, const ums::slice& rows, const fence& f, const keep_bad& keep,
                         size_t bad_max) {
  return splitter(to, rows, f, keep, bad_max).run();
}

} // namespace rtdp::sink
