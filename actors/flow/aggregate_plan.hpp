/// What an `aggregate` step makes of a schema: its settings, where its columns are, what comes out.
/// Plain values; owned by the step.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::flow {

struct aggregate_settings {
  struct named {
    /// The column, and how the result is named.
    std::string of, as;
  };
  std::vector<std::string> by;
  /// Empty: nobody asked.
  std::string count;
  std::vector<named> sums, minima, maxima;

  static aggregate_settings of(const config::section& s);
  /// What is wrong with them, whatever the schema.
  error check() const;
  /// The same for settings whose states are alike.
  std::string text() const;
};

/// A column with a smallest or a largest value to know.
struct extreme {
  /// In `aggregate_plan::values`.
  size_t value = 0;
  bool is_max = false;
};

struct aggregate_plan {
  /// Positions in the batch; -1: the log did not carry the column.
  using places = std::vector<int>;
  /// What tells the source's rows apart; empty: nothing, so they can only be added.
  places keys;
  places by;
  /// Of each sum, and of each column with an extreme.
  places sums, values;
  /// First the minima, then the maxima.
  std::vector<extreme> extremes;
  /// What comes out: system columns, `by`, the count, sums, minima, maxima.
  std::vector<ums::field> out;
  bool is_whole = true;

  /// `rejected`: a column that the settings name has a type that cannot be used. One that is missing
  /// is `rejected` too unless `may_lack`.
  static result<aggregate_plan> make(const aggregate_settings& s, const ums::schema& input,
                                     bool may_lack);
};

/// Fields as text, for a state that must know them before it has seen a batch.
std::string fields_text(const std::vector<ums::field>& fields);
std::vector<ums::field> fields_of(std::string_view text);

} // namespace rtdp::flow
