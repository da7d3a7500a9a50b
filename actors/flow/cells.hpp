/// Cells as bytes that compare as the values do, for the keys of a step's state; and exact sums.
/// Pure functions.
#pragma once

#include "runtime/sql/decimal.hpp"
#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::flow {

/// Appends a cell so that equal values have equal bytes, lower ones lower bytes, and the bytes of
/// several cells do not run into each other. 1.50 equals 1.5; null is below everything. False: a
/// decimal that is no plain number (NaN).
bool append_key(const ums::column& c, size_t row, std::string& out);

/// Takes one cell from the front of `from` and appends it to `into`, a column of the type that it
/// had, or of another one that can hold it; null otherwise. `scale`: digits behind a decimal's point
/// at least.
void take_key(std::string_view& from, unsigned scale, ums::column& into);

/// The length of the first cell in `from`.
size_t key_size(std::string_view from);

/// An exact number: value / 10^scale.
struct exact {
  sql::int128 value = 0;
  uint8_t scale = 0;
};

/// Nothing when the text is no plain decimal or has more than 38 digits.
std::optional<exact> exact_of(std::string_view decimal);
/// The sum, or with `sign` -1 the difference. Nothing beyond 38 digits.
std::optional<exact> add(exact a, exact b, int sign);
/// With `scale` digits behind the point at least, and no other zeros at the end.
void append_exact(exact e, unsigned scale, std::string& out);

/// Digits behind the point that the type's name says, 0 when it says none.
unsigned scale_of(const ums::field& f);

} // namespace rtdp::flow
