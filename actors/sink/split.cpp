#include "actors/sink/split.hpp"

#include <fmt/format.h>

namespace rtdp::sink {

namespace {

class splitter {
public:
  splitter(driver& to, const ums::slice& rows, const fence_at& f, const keep_bad& keep,
           size_t bad_max)
      : to_(to), all_(rows), fence_(f), keep_(keep), bad_max_(bad_max) {}

  split_result run() {
    if (all_.count > 0)
      out_.error = write_piece(all_);
    // The last row was bad, or there was none: nothing carried the last progress.
    if (!out_.error && !progress_stored_)
      out_.error = to_.advance(fence_(all_.first + all_.count));
    return std::move(out_);
  }

private:
  error write_piece(const ums::slice& piece) {
    auto end = piece.first + piece.count;
    auto e = to_.write(piece, fence_(end));
    if (!e) {
      out_.done += piece.count;
      bad_in_a_row_ = 0;
      progress_stored_ = end == all_.first + all_.count;
      return {};
    }
    if (!(e == ec::rejected) || !all_.data->carries_rows())
      return e;
    bool looked_before = checked_;
    if (auto wrong = table_is_wrong())
      return wrong;
    if (piece.count == 1)
      // The table may have been mended since the driver looked last: one row tries again too.
      return looked_before ? blame(piece.first, e) : write_piece(piece);
    auto half = piece.count / 2;
    if (auto failed = write_piece({piece.data, piece.first, half}))
      return failed;
    return write_piece({piece.data, piece.first + half, piece.count - half});
  }

  error blame(size_t row, const error& e) {
    if (++bad_in_a_row_ > bad_max_)
      return rejected(fmt::format("{} rows in a row were rejected, so the target is wrong rather "
                                  "than the rows; the last one: {}",
                                  bad_in_a_row_, e.text()));
    if (auto unkept = keep_({row, e.text()}))
      return unkept;
    ++out_.bad;
    ++out_.done;
    return {};
  }

  /// Asks once a slice.
  error table_is_wrong() {
    if (checked_)
      return {};
    checked_ = true;
    return to_.prepare(*all_.data->schema);
  }

  driver& to_;
  const ums::slice& all_;
  const fence_at& fence_;
  const keep_bad& keep_;
  size_t bad_max_;
  size_t bad_in_a_row_ = 0;
  bool checked_ = false;
  bool progress_stored_ = false;
  split_result out_;
};

} // namespace

split_result write_split(driver& to, const ums::slice& rows, const fence_at& f,
                         const keep_bad& keep, size_t bad_max) {
  return splitter(to, rows, f, keep, bad_max).run();
}

} // namespace rtdp::sink
