/// Reads the definition of a column in a statement. Pure.
#pragma once

#include "actors/extract/mysql_cursor.hpp"

namespace rtdp::extract::my {

struct written_column {
  column_def def;
  bool first = false;
  /// Of the column before it; empty: nothing was said.
  std::string after = {};
};

/// From the column's name to the comma, bracket or end behind its attributes, with `charset` as the
/// default of texts. `rejected` when the type is not understood.
result<written_column> read_column(cursor& in, const std::string& charset, bool mariadb);

/// "latin1" of "latin1_german1_ci"; empty when the collation's name does not say.
std::string charset_of_collation(std::string_view collation);
bool has_charset(const column_def& c);
/// [=] utf8mb4, behind CHARACTER SET or CHARSET.
std::string read_charset(cursor& in);

} // namespace rtdp::extract::my
