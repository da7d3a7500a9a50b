/// Rows in columns: the unit that moves between actors of one node. Built by one owner, then
/// shared as `batch_ptr` and never changed again.
#pragma once

#include "runtime/ums/schema.hpp"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace rtdp::ums {

/// One typed vector, its validity bits, one arena for all its text.
class column {
public:
  explicit column(ums::type t) : type_(t) {}

  ums::type type() const { return type_; }
  size_t size() const { return rows_; }

  bool is_null(size_t row) const {
    return !valid_.empty() && !(valid_[row / 64] >> (row % 64) & 1);
  }
  bool has_nulls() const { return !valid_.empty(); }
  /// Bit n of word n/64 is 1 when row n has a value. Empty when every row has one.
  std::span<const uint64_t> validity() const { return valid_; }

  /// REQUIRES: storage_of(type()) is the one asked for. A null row holds 0 or "".
  std::span<const int64_t> ints() const { return ints_; }
  std::span<const double> reals() const { return reals_; }
  std::string_view text(size_t row) const {
    auto begin = row == 0 ? 0 : ends_[row - 1];
    return {arena_.data() + begin, ends_[row] - begin};
  }
  /// Bytes of all text; what `text(row)` cuts from.
  std::string_view arena() const { return {arena_.data(), arena_.size()}; }

  void append_null();
  void append_int(int64_t value) {
    ints_.push_back(value);
    grow();
  }
  void append_real(double value) {
    reals_.push_back(value);
    grow();
  }
  /// REQUIRES: all text of a column stays below 4 GiB.
  void append_text(std::string_view value) {
    arena_.insert(arena_.end(), value.begin(), value.end());
    ends_.push_back(uint32_t(arena_.size()));
    grow();
  }
  /// Appends `count` rows of `from` beginning at `first`. REQUIRES: the same storage.
  void append(const column& from, size_t first, size_t count);
  /// Forgets all rows behind `rows`: takes a half-appended row back.
  void truncate(size_t rows);
  void reserve(size_t rows);
  /// Bytes held, for limits in bytes.
  size_t bytes() const {
    return ints_.size() * 8 + reals_.size() * 8 + ends_.size() * 4 + arena_.size();
  }

private:
  /// Counts a row that has a value.
  void grow() {
    if (!valid_.empty())
      append_valid_bit();
    ++rows_;
  }
  void append_valid_bit();

  ums::type type_;
  size_t rows_ = 0;
  std::vector<uint64_t> valid_;
  std::vector<int64_t> ints_;
  std::vector<double> reals_;
  std::vector<uint32_t> ends_;
  std::vector<char> arena_;
};

/// `protocol.type` of a message.
enum class protocol : uint8_t {
  increment_data,        ///< data_increment_data
  initial_data,          ///< data_initial_data: rows of a snapshot
  batch_data,            ///< data_batch_data: rows of a backfill
  increment_heartbeat,   ///< a mark: ums_id_, ums_ts_; no business columns
  increment_termination, ///< the schema version ends here
  batch_termination,
  increment_truncate, ///< the source table was emptied: ums_id_, ums_ts_; no business columns
  increment_sweep,    ///< a snapshot met all rows there are: ums_id_, ums_ts_, before; rows whose
                      ///< ums_id_ is below `before` are gone
};

std::string_view to_string(protocol p);
std::optional<protocol> protocol_from(std::string_view name);

struct batch {
  explicit batch(schema_ptr s, protocol p = protocol::increment_data);

  schema_ptr schema;
  protocol kind;
  /// One per schema field, all of `rows()` rows.
  std::vector<column> columns;

  size_t rows() const { return columns.empty() ? 0 : columns.front().size(); }
  size_t bytes() const;
  bool carries_rows() const { return kind <= protocol::batch_data; }

  /// Column by field name, or null.
  const column* find(std::string_view name) const;

  /// REQUIRES: the schema has them where rtdp writes them (columns 0, 1, 2).
  std::span<const int64_t> ids() const { return columns[0].ints(); }
  std::span<const int64_t> timestamps() const { return columns[1].ints(); }
  /// 'i', 'u', 'd' or 'b'.
  char op(size_t row) const { return columns[2].text(row).empty() ? 'i' : columns[2].text(row)[0]; }
};

using batch_ptr = std::shared_ptr<const batch>;

/// The first row with this ums_id_. Looks at every row: for what is rare, such as bad rows.
std::optional<size_t> row_of_id(const batch& b, int64_t id);

/// Some rows of a batch: `count` rows from `first` on.
struct slice {
  const batch* data = nullptr;
  size_t first = 0;
  size_t count = 0;

  static slice all(const batch& b) { return {&b, 0, b.rows()}; }
};

} // namespace rtdp::ums
