#include "runtime/state/changelog_encoder.hpp"

#include <algorithm>

namespace rtdp::state {
namespace {

/// Room in a message for the header, about 250 bytes, and the bus's own.
constexpr size_t header_room = 1024;

} // namespace

record_header changelog_encoder::header(record_kind kind, state_point of,
                                        int64_t last_id) const {
  record_header h;
  h.kind = kind;
  h.of = of;
  h.from = from_;
  h.committed = committed_;
  h.last_id = last_id;
  return h;
}

template<class KeyOf>
size_t changelog_encoder::append(record_header h, std::string_view bytes, const KeyOf& key_of,
                                 log_records& out) {
  auto most = std::max(limits_.message_bytes, 2 * header_room) - header_room;
  h.pieces = int64_t(std::max<size_t>(1, (bytes.size() + most - 1) / most));
  for (h.piece = 0; h.piece < h.pieces; ++h.piece)
    out.push_back({key_of(h.piece), state::encode(h, bytes.substr(size_t(h.piece) * most, most))});
  return bytes.size() + size_t(h.pieces) * header_room / 4;
}

log_records changelog_encoder::encode(const keyed_state& data, std::string_view changes,
                                      int64_t last_id) {
  log_records out;
  auto key_of = [&](int64_t) {
    return prefix() + "c/" + std::to_string(lane_) + '/' + std::to_string(number_++);
  };
  batch_bytes_ = append(header(record_kind::change, data.point(), last_id), changes, key_of,
                        out);
  bytes_ += batch_bytes_;
  if (old_go_)
    for (const auto& key : old_keys_)
      out.push_back({key, {}});
  if (old_go_)
    old_keys_.clear();
  old_go_ = false;
  return out;
}

void changelog_encoder::begin_snapshot(keyed_state& data) {
  auto due = std::max(limits_.snapshot_bytes, 2 * data.file_bytes());
  // The file must have passed what the lane before holds, and be this incarnation's: its records
  // are found under its name.
  auto file = data.file_point();
  if (bytes_ <= due || file.incarnation != incarnation_ || file.version < lane_from_)
    return;
  auto begun = data.take_snapshot();
  if (!begun)
    return;
  running_ = std::move(*begun);
  part_ = 0;
  place_ = 1 - place_;
  lane_ = (lane_ + 1) % 3;
  number_ = 0;
  lane_from_ = data.point().version;
  bytes_ = 0;
}

void changelog_encoder::snapshot(keyed_state& data, int64_t last_id, log_records& out) {
  if (!running_)
    begin_snapshot(data);
  if (!running_)
    return;
  // Faster than the changes come, so that it ends before the next one is due.
  auto want = std::max(limits_.message_bytes, 4 * batch_bytes_);
  auto bytes = running_->next(want);
  if (!bytes)
    return running_.reset();
  auto h = header(record_kind::snapshot, running_->of, last_id);
  h.part = part_++;
  h.is_last = bytes->size() < want;
  auto key_of = [&](int64_t piece) {
    return prefix() + "s/" + std::to_string(place_) + '/' + std::to_string(h.part) + '/' +
           std::to_string(piece);
  };
  append(h, *bytes, key_of, out);
  if (h.is_last) {
    running_.reset();
    old_go_ = true;
  }
}

} // namespace rtdp::state
