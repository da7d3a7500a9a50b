#include "runtime/ums/batch.hpp"

#include <algorithm>

namespace rtdp::ums {

void column::append_null() {
  if (valid_.empty()) {
    // The first null: every row before it has a value.
    valid_.assign(rows_ / 64 + 1, ~uint64_t{0});
    valid_.back() = (uint64_t{1} << (rows_ % 64)) - 1;
  } else if (rows_ / 64 >= valid_.size()) {
    valid_.push_back(0);
  }
  switch (storage_of(type_)) {
  case storage::ints:
    ints_.push_back(0);
    break;
  case storage::reals:
    reals_.push_back(0);
    break;
  case storage::texts:
    ends_.push_back(uint32_t(arena_.size()));
    break;
  }
  ++rows_;
}

void column::append_valid_bit() {
  if (rows_ / 64 >= valid_.size())
    valid_.push_back(0);
  valid_[rows_ / 64] |= uint64_t{1} << (rows_ % 64);
}

void column::append(const column& from, size_t first, size_t count) {
  if (!from.has_nulls() && valid_.empty()) {
    switch (storage_of(type_)) {
    case storage::ints:
      ints_.insert(ints_.end(), from.ints_.begin() + first, from.ints_.begin() + first + count);
      break;
    case storage::reals:
      reals_.insert(reals_.end(), from.reals_.begin() + first, from.reals_.begin() + first + count);
      break;
    case storage::texts: {
      auto begin = first == 0 ? 0 : from.ends_[first - 1];
      auto end = count == 0 ? begin : from.ends_[first + count - 1];
      auto shift = uint32_t(arena_.size()) - begin;
      arena_.insert(arena_.end(), from.arena_.begin() + begin, from.arena_.begin() + end);
      for (size_t i = first; i < first + count; ++i)
        ends_.push_back(from.ends_[i] + shift);
      break;
    }
    }
    rows_ += count;
    return;
  }
  for (size_t i = first; i < first + count; ++i) {
    if (from.is_null(i)) {
      append_null();
      continue;
    }
    switch (storage_of(type_)) {
    case storage::ints:
      append_int(from.ints_[i]);
      break;
    case storage::reals:
      append_real(from.reals_[i]);
      break;
    case storage::texts:
      append_text(from.text(i));
      break;
    }
  }
}

void column::truncate(size_t rows) {
  if (rows >= rows_)
    return;
  switch (storage_of(type_)) {
  case storage::ints:
    ints_.resize(rows);
    break;
  case storage::reals:
    reals_.resize(rows);
    break;
  case storage::texts:
    ends_.resize(rows);
    arena_.resize(rows == 0 ? 0 : ends_.back());
    break;
  }
  rows_ = rows;
  if (!valid_.empty()) {
    valid_.resize(rows / 64 + 1);
    valid_.back() &= (uint64_t{1} << (rows % 64)) - 1;
    // No bits again when the rows taken back held the only nulls.
    auto full = [](uint64_t word) { return word == ~uint64_t{0}; };
    if (valid_.back() == (uint64_t{1} << (rows % 64)) - 1 &&
        std::all_of(valid_.begin(), valid_.end() - 1, full))
      valid_.clear();
  }
}

void column::reserve(size_t rows) {
  switch (storage_of(type_)) {
  case storage::ints:
    ints_.reserve(rows);
    break;
  case storage::reals:
    reals_.reserve(rows);
    break;
  case storage::texts:
    ends_.reserve(rows);
    break;
  }
}

batch::batch(schema_ptr s, protocol p) : schema(std::move(s)), kind(p) {
  columns.reserve(schema->fields.size());
  for (const auto& f : schema->fields)
    columns.emplace_back(f.type);
}

size_t batch::bytes() const {
  size_t sum = 0;
  for (const auto& c : columns)
    sum += c.bytes();
  return sum;
}

const column* batch::find(std::string_view name) const {
  auto at = schema->find(name);
  return at ? &columns[*at] : nullptr;
}

std::optional<size_t> row_of_id(const batch& b, int64_t id) {
  const auto* ids = b.find(id_name);
  if (!ids)
    return {};
  auto at = std::find(ids->ints().begin(), ids->ints().end(), id);
  if (at == ids->ints().end())
    return {};
  return size_t(at - ids->ints().begin());
}

namespace {
constexpr std::string_view protocol_names[] = {
    "data_increment_data",      "data_initial_data",          "data_batch_data",
    "data_increment_heartbeat", "data_increment_termination", "data_batch_termination",
    "data_increment_truncate",  "data_increment_sweep"};
} // namespace

std::string_view to_string(protocol p) { return protocol_names[size_t(p)]; }

std::optional<protocol> protocol_from(std::string_view name) {
  auto at = std::find(std::begin(protocol_names), std::end(protocol_names), name);
  if (at == std::end(protocol_names))
    return {};
  return protocol(at - std::begin(protocol_names));
}

} // namespace rtdp::ums
