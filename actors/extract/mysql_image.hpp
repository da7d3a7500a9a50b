/// Row images of the log: where their values begin and end, and the values as UMS. And the same
/// values as a query's text shows them, with the same result. Pure functions over bytes that come
/// from outside.
#pragma once

#include "actors/extract/mysql_columns.hpp"
#include "runtime/ums/batch.hpp"

#include <string_view>
#include <vector>

namespace rtdp::extract::my {

/// One per column; a null has no data pointer. Lengths in front of values are not part of them.
using image = std::vector<std::string_view>;

/// Takes one image from the front of `bytes`. False: they end before, or the log stores a column in
/// a way that is not known.
bool take_image(std::string_view& bytes, const std::vector<stored_column>& columns, image& out);

enum class fit : uint8_t {
  good,
  /// Not a value of the type, or one that UMS cannot hold; nothing was appended.
  bad,
  /// The same of a date that is none: 0000-00-00, 2026-02-31.
  no_date,
};

/// Appends a value of an image; it is not null.
fit append_stored(ums::column& c, const plan& how, std::string_view value);
/// Appends a value as a query of `planned_column::expression` shows it, with results in the
/// column's own character set.
fit append_text(ums::column& c, const plan& how, std::string_view text);

/// Why a value became a dead letter.
std::string unfit(const ums::field& f, fit why);

/// The exact decimal text of a packed DECIMAL; empty when the bytes are not one.
std::string decimal_text(std::string_view bytes, unsigned precision, unsigned scale);

} // namespace rtdp::extract::my
