#include "actors/extract/publisher.hpp"

#include "runtime/ums/codec.hpp"

#include <algorithm>

namespace rtdp::extract {

namespace {

/// The rest of a row that is too large even for the dead letters is cut.
constexpr size_t bad_bytes_max = 16 << 20;

bool is_before_image(const ums::slice& rows, size_t row) {
  return rows.data->carries_rows() && rows.data->op(row) == 'b';
}

/// The rows of the slice that go to each partition, as batches of their own.
std::vector<ums::batch> split(const ums::slice& rows, const std::vector<uint32_t>& partitions,
                              size_t count) {
  std::vector<ums::batch> out;
  for (size_t i = 0; i < count; ++i)
    out.emplace_back(rows.data->schema, rows.data->kind);
  auto end = rows.first + rows.count;
  for (size_t c = 0; c < rows.data->columns.size(); ++c)
    for (size_t first = rows.first; first < end;) {
      auto next = first + 1;
      while (next < end && partitions[next] == partitions[first])
        ++next;
      out[partitions[first]].columns[c].append(rows.data->columns[c], first, next - first);
      first = next;
    }
  return out;
}

/// The cells of a row that has no JSON, as much as the dead letters keep.
std::string cells_of(const ums::batch& b, size_t row) {
  std::string out;
  for (const auto& c : b.columns) {
    out += out.empty() ? "" : "\t";
    if (!c.is_null(row))
      ums::append_cell(c, row, out);
  }
  return out;
}

} // namespace

publisher::stream& publisher::stream_of(const ums::ns& name) {
  auto text = name.text();
  auto [at, is_new] = streams_.try_emplace(text);
  auto& s = at->second;
  if (!is_new)
    return s;
  s.to = to_.of(name);
  for (int32_t i = 0; i < to_.options().partitions; ++i) {
    s.partitions.push_back({s.to.topic, i});
    s.held.push_back(held_.highest_of(s.partitions.back(), text));
  }
  // One prefix for rows of a snapshot and of the log, so that compaction sees one key.
  s.row_prefix = ums::message_key(ums::protocol::increment_data, name) + '.';
  return s;
}

error publisher::publish(const ums::slice& rows, std::vector<bad_row>& bad) {
  if (rows.count == 0)
    return {};
  const auto& s = stream_of(rows.data->schema->name);
  if (rows.data->carries_rows() && s.partitions.size() > 1)
    return publish_split(s, rows, bad);
  for (size_t i = 0; i < s.partitions.size(); ++i)
    if (auto failed = publish_part(s, i, rows, bad))
      return failed;
  return {};
}

error publisher::publish_split(const stream& s, const ums::slice& rows,
                               std::vector<bad_row>& bad) {
  auto parts =
      split(rows, partitions_of(*rows.data, uint32_t(s.partitions.size())), s.partitions.size());
  for (size_t i = 0; i < parts.size(); ++i)
    if (auto failed = publish_part(s, i, ums::slice::all(parts[i]), bad))
      return failed;
  return {};
}

error publisher::publish_part(const stream& s, size_t partition, ums::slice rows,
                              std::vector<bad_row>& bad) {
  const auto& b = *rows.data;
  auto end = rows.first + rows.count;
  // A mark takes no id of its own.
  if (b.kind != ums::protocol::increment_heartbeat && s.held[partition] > 0) {
    auto ids = b.ids().subspan(rows.first, rows.count);
    auto behind = std::upper_bound(ids.begin(), ids.end(), s.held[partition]);
    rows.first += size_t(behind - ids.begin());
  }
  while (rows.first < end) {
    auto most = size_t(s.to.rows_per_message);
    rows.count = end - rows.first;
    // Looking how many rows fit costs as much as writing them: not for a few.
    if (most == 0 || most > 64)
      rows.count = std::min(rows.count,
                            ums::rows_that_fit(b, rows.first,
                                                std::min(settings_.message_bytes,
                                                         settings_.message_bytes_max)));
    if (most > 0 && rows.count > most)
      rows.count = most + (is_before_image(rows, rows.first + most - 1) ? 1 : 0);
    if (auto failed = send(s, partition, rows, bad))
      return failed;
    rows.first += rows.count;
  }
  return {};
}

error publisher::send(const stream& s, size_t partition, const ums::slice& rows,
                      std::vector<bad_row>& bad) {
  const auto& b = *rows.data;
  auto key = ums::message_key(b.kind, b.schema->name);
  if (s.to.rows_per_message == 1 && b.carries_rows())
    if (auto row = row_key(b, rows.first); !row.empty())
      key = s.row_prefix + row;
  text_.clear();
  if (auto failed = ums::write(rows, text_))
    return send_parts(s, partition, rows, failed.text(), bad);
  if (auto bytes = key.size() + text_.size(); bytes > settings_.message_bytes_max)
    return send_parts(s, partition, rows,
                      "the row is a message of " + std::to_string(bytes) +
                          " bytes, the bus takes " + std::to_string(settings_.message_bytes_max) +
                          " (bus.message_bytes_max)",
                      bad);
  if (auto failed = producer_->send(s.partitions[partition], key, text_))
    return failed;
  unflushed_bytes_ += text_.size();
  bytes_total_ += text_.size();
  rows_total_ += b.carries_rows() ? rows.count : 0;
  return {};
}

error publisher::send_parts(const stream& s, size_t partition, const ums::slice& rows,
                            const std::string& why, std::vector<bad_row>& bad) {
  const auto& b = *rows.data;
  bool pair = rows.count == 2 && is_before_image(rows, rows.first);
  if (rows.count == 1 || pair) {
    // A before-image that makes its pair too large stays behind alone.
    text_.clear();
    if (ums::write(ums::slice{&b, rows.first, 1}, text_))
      text_ = cells_of(b, rows.first);
    bad.push_back({b.schema->name, why, text_.substr(0, bad_bytes_max)});
    return pair ? send(s, partition, {&b, rows.first + 1, 1}, bad) : error{};
  }
  auto half = rows.count / 2;
  half += is_before_image(rows, rows.first + half - 1) ? 1 : 0;
  if (auto failed = send(s, partition, {&b, rows.first, half}, bad))
    return failed;
  return send(s, partition, {&b, rows.first + half, rows.count - half}, bad);
}

error publisher::put(const bus::partition& to, std::string_view key, std::string_view value) {
  if (auto failed = producer_->send(to, key, value))
    return failed;
  unflushed_bytes_ += key.size() + value.size();
  return {};
}

error publisher::flush(std::chrono::milliseconds timeout) {
  if (unflushed_bytes_ == 0)
    return {};
  if (auto failed = producer_->flush(timeout))
    return failed;
  unflushed_bytes_ = 0;
  return {};
}

} // namespace rtdp::extract
