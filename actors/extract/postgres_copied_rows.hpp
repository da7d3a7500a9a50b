/// The binary rows of one COPY: what snapshots and chunks are made of. Plain class; whoever copies
/// owns one for each COPY; one thread.
#pragma once

#include "actors/extract/postgres_catalog.hpp"
#include "runtime/ums/batch.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rtdp::extract::pg {

class copied_rows {
public:
  /// `columns` outlives it. `check_text`: the server's encoding allows bytes that are no UTF-8.
  copied_rows(const shape& columns, bool check_text)
      : columns_(&columns), check_text_(check_text) {}

  /// The row in one message of the COPY: empty when there is none, as in the header and the
  /// trailer.
  result<std::string_view> row_in(std::string_view message);

  /// Appends the row to the columns behind the system columns. One that does not fit is left out
  /// and told in `bad`.
  error append(std::string_view row, ums::batch& to, std::optional<std::string>& bad) const;

private:
  const shape* columns_;
  bool check_text_;
  bool header_read_ = false;
};

} // namespace rtdp::extract::pg
