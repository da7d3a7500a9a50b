#include "actors/flow/write_size.hpp"

#include <algorithm>
#include <memory>

namespace rtdp::flow {

namespace {

constexpr int64_t long_us = 50'000;
/// Below it the fixed cost of a transaction, some 5 ms, would be most of it.
constexpr size_t rows_min = 256;
constexpr size_t rows_max = 65'536;

} // namespace

void write_size::done(size_t rows, int64_t begun_us, int64_t done_us) {
  auto took = done_us - std::max(begun_us, last_done_us_);
  last_done_us_ = done_us;
  if (took > long_us && rows > rows_ / 2)
    rows_ = std::max(rows_min, rows_ / 2);
  else if (rows >= rows_ && took < long_us / 2)
    rows_ = std::min(rows_max, rows_ * 2);
}

std::vector<runtime::delivery> cut(const runtime::delivery& d, size_t rows) {
  if (!d.data->carries_rows() || d.data->rows() <= rows)
    return {d};
  std::vector<runtime::delivery> pieces;
  for (size_t first = 0; first < d.data->rows(); first += rows) {
    auto count = std::min(rows, d.data->rows() - first);
    ums::batch part{d.data->schema, d.data->kind};
    for (size_t c = 0; c < part.columns.size(); ++c)
      part.columns[c].append(d.data->columns[c], first, count);
    pieces.push_back(d);
    pieces.back().data = std::make_shared<const ums::batch>(std::move(part));
    pieces.back().next_offset = d.first_offset;
  }
  pieces.back().next_offset = d.next_offset;
  return pieces;
}

} // namespace rtdp::flow
