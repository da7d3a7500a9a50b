/// What an `aggregate` step keeps: of each source row what it added to its group, of each group the
/// sums, and of each value how often it is there. Owned by the step; part of the flow's state.
#pragma once

#include "actors/flow/cells.hpp"
#include "actors/flow/stateful_step.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rtdp::flow {

/// What one source row adds to its group.
struct contribution {
  int64_t ums_id = 0;
  int64_t ts_us = 0;
  /// The row was deleted: kept for a while, so that an older change of it, a dead letter that is
  /// replayed, does not bring it back.
  bool gone = false;
  std::string group;
  /// Nothing for null.
  std::vector<std::optional<exact>> sums;
  /// As `append_key` writes them; empty for null.
  std::vector<std::string> values;

  void append(std::string& out) const;
  bool parse(std::string_view from);
  /// Without reading all of it.
  static bool is_gone(std::string_view from) { return from.size() == 17; }
};

struct group {
  struct sum {
    int64_t count = 0;
    exact total;
  };
  struct edge {
    std::string value;
    /// What was the edge is gone: look again.
    bool is_stale = false;
  };
  int64_t rows = 0;
  std::vector<sum> sums;
  /// Of each extreme: the value; empty when there is none.
  std::vector<edge> edges;
  int64_t ts_us = 0;
  /// It was there before this batch.
  bool existed = false;

  void append(std::string& out) const;
  bool parse(std::string_view from);
};

/// The tables, and the groups that the batch in hand has touched.
class aggregate_state {
public:
  struct shape {
    size_t sums = 0;
    /// For each extreme: which value, and whether it is the largest.
    std::vector<std::pair<size_t, bool>> extremes;
  };
  aggregate_state() = default;
  aggregate_state(step_place place, shape s) : place_(std::move(place)), shape_(std::move(s)) {}

  /// Of a table, whatever its version: what stands in front of the keys of its rows.
  result<std::string> rows_of(const ums::ns& table);
  /// How many tables it knows.
  result<size_t> tables();

  /// Rows of this table (its `rows_of`) are only added.
  error note_keyless(const std::string& rows_prefix);
  result<bool> is_keyless(const std::string& rows_prefix);
  /// Of each sum: whether it must fit 64 bits.
  void set_long(std::vector<bool> are_long) { are_long_ = std::move(are_long); }

  result<std::optional<contribution>> find(std::string_view row_key);
  void keep(std::string_view row_key, const contribution& c);
  void forget(std::string_view row_key) { place_.data->erase(row_key); }

  /// Takes `old` out and puts `fresh` in; either may be null. False: a sum has too many digits, and
  /// nothing changed.
  result<bool> replace(const contribution* old, const contribution* fresh, int64_t ts_us);

  using touched = std::unordered_map<std::string, group>;
  /// The groups of this batch, with their edges looked up, each kept or erased. Forgets them.
  result<touched> finish();
  void rollback() { touched_.clear(); }
  /// Takes every group in, as one that has no row any more.
  error empty_all();

  result<std::string> fields();
  void keep_fields(std::string_view text);
  state::keyed_state& data() { return *place_.data; }
  std::string prefix(uint8_t table) const { return {char(place_.number), char(table)}; }
  int64_t next_id() { return place_.next_id(); }

  static constexpr uint8_t meta_table = 1, rows_table = 2, groups_table = 3;
  static constexpr uint8_t values_table = 1 | state::keyed_state::ordered_bit;

private:
  result<group*> load(const std::string& key);
  std::string values_of(std::string_view group, size_t value) const;
  /// Counts a value up or down.
  error count(group& g, const std::string& key, size_t value, const std::string& cell, int by);
  error move_values(group& g, const contribution& c, int by);
  error look_again(const std::string& key, group& g);

  step_place place_;
  shape shape_;
  touched touched_;
  std::vector<bool> are_long_;
};

} // namespace rtdp::flow
