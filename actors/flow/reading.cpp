#include "actors/flow/reading.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>

namespace rtdp::flow {

struct reading::follower {
  std::string flow;
  ums::ns pattern;
  std::deque<batch_in_order> queue;
  size_t queue_bytes = 0;

  bool full(const reading_settings& s) const {
    return queue.size() >= s.queue_batches || queue_bytes >= s.queue_bytes;
  }

  /// REQUIRES: the queue is not empty.
  batch_in_order pop() {
    auto b = std::move(queue.front());
    queue.pop_front();
    queue_bytes -= b.data->bytes();
    return b;
  }
};

struct reading::group {
  std::unique_ptr<bus::reader> reader;
  std::map<bus::partition, int64_t> position;
  std::vector<std::unique_ptr<follower>> followers;
  ums::reader decoder;
  /// Whether any follower wants the messages of a key; keys of other writers may hold times, so
  /// that it is emptied when it grows.
  std::unordered_map<std::string, bool> wanted;

  bool has_room(const reading_settings& s) const {
    return std::none_of(followers.begin(), followers.end(),
                        [&](const auto& f) { return f->full(s); });
  }
  /// A flow of it has nothing left to take, while another one cannot take more.
  bool is_held_up(const reading_settings& s) const {
    return !has_room(s) && std::any_of(followers.begin(), followers.end(),
                                       [](const auto& f) { return f->queue.empty(); });
  }
};

namespace {
constexpr size_t wanted_keys_max = 10'000;
/// Batches that wait are handed over as one up to so many rows: a sink's transaction costs some 5
/// ms however few rows it has, and copying so many 0.1 ms.
constexpr size_t joined_rows_max = 4096;
/// A message that cannot be read is kept up to this size.
constexpr size_t dead_letter_bytes_max = 1 << 20;

/// True when `next` may be appended to `b`, which has `rows` rows by now.
bool continues(const batch_in_order& b, size_t rows, const batch_in_order& next) {
  return b.data->carries_rows() && next.data->kind == b.data->kind &&
         next.partition == b.partition && rows + next.data->rows() <= joined_rows_max &&
         (next.data->schema == b.data->schema || *next.data->schema == *b.data->schema);
}
} // namespace

reading::reading(reading_settings settings, std::shared_ptr<bus::bus> bus, std::string data_dir)
    : settings_(std::move(settings)), bus_(std::move(bus)), data_dir_(std::move(data_dir)) {}

reading::~reading() = default;

reading::follower* reading::find(const std::string& flow) const {
  for (const auto& g : groups_)
    for (const auto& f : g->followers)
      if (f->flow == flow)
        return f.get();
  return nullptr;
}

error reading::join(const std::string& flow, const ums::ns& pattern,
                    const std::vector<std::string>& topics,
                    const std::map<std::string, int64_t>& offsets) {
  leave(flow);
  if (auto failed = bus_->open())
    return failed;
  std::map<bus::partition, int64_t> from;
  for (const auto& topic : topics) {
    // The source may come later than its flows.
    auto options = settings_.topics.find(topic);
    if (auto failed = bus_->create_topic(
            topic, options == settings_.topics.end() ? bus::topic_options{} : options->second))
      return failed;
    auto ranges = bus_->ranges(topic);
    if (!ranges)
      return ranges.error();
    for (size_t i = 0; i < ranges->size(); ++i) {
      bus::partition p{topic, int32_t(i)};
      const auto& held = (*ranges)[i];
      auto known = offsets.find(p.text());
      from[p] = known == offsets.end() ? held.first : known->second;
      // Found here, it is this flow's failure alone; found by a read, it would be the stream's.
      if (from[p] < held.first || from[p] > held.end)
        return rejected("flow " + flow + " stands at offset " + std::to_string(from[p]) + " of " +
                        p.text() + ", but the bus holds " + std::to_string(held.first) + " to " +
                        std::to_string(held.end) + ": what lay between is lost; `rtdp flow " +
                        flow + " rewind --to beginning` goes on with what there is");
    }
  }
  auto f = std::make_unique<follower>();
  f->flow = flow;
  f->pattern = pattern;
  return open_group(f, std::move(from));
}

error reading::open_group(std::unique_ptr<follower>& f, std::map<bus::partition, int64_t> from) {
  auto g = std::make_unique<group>();
  auto reader = bus_->make_reader("rtdp-" + settings_.name + "-" + f->flow);
  if (!reader)
    return reader.error();
  g->reader = std::move(*reader);
  if (auto failed = g->reader->assign(from))
    return failed.in("flow " + f->flow);
  g->position = std::move(from);
  g->followers.push_back(std::move(f));
  groups_.push_back(std::move(g));
  return {};
}

void reading::leave(const std::string& flow) {
  for (auto& g : groups_)
    std::erase_if(g->followers, [&](const auto& f) { return f->flow == flow; });
  std::erase_if(groups_, [](const auto& g) { return g->followers.empty(); });
}

bool reading::wants_to_read() const {
  return std::any_of(groups_.begin(), groups_.end(), [this](const auto& g) {
    return g->has_room(settings_) || g->is_held_up(settings_);
  });
}

error reading::read(std::chrono::milliseconds wait) {
  merge_equal();
  split_full();
  auto share = groups_.empty() ? wait : wait / int64_t(groups_.size());
  for (auto& g : groups_)
    if (g->has_room(settings_))
      if (auto failed = poll(*g, share))
        return failed;
  return {};
}

bool reading::wanted(group& g, const std::string& key) const {
  if (g.wanted.size() > wanted_keys_max)
    g.wanted.clear();
  auto [at, is_new] = g.wanted.try_emplace(key, true);
  if (is_new)
    if (auto routed = ums::parse_key(key))
      at->second = std::any_of(g.followers.begin(), g.followers.end(),
                               [&](const auto& f) { return f->pattern.matches(routed->name); });
  return at->second;
}

error reading::poll(group& g, std::chrono::milliseconds wait) {
  std::vector<bus::message> messages;
  if (auto failed = g.reader->poll(wait, settings_.fetch_bytes, messages))
    return failed;
  std::map<bus::partition, std::vector<const bus::message*>> by_partition;
  for (const auto& m : messages)
    by_partition[{*m.topic, m.index}].push_back(&m);
  for (const auto& [from, list] : by_partition) {
    decoded batches;
    if (auto failed = decode(g, list, batches))
      return failed;
    queue(g, from, list.front()->offset, list.back()->offset + 1, list.back()->timestamp_ms * 1000,
          std::move(batches));
    g.position[from] = list.back()->offset + 1;
  }
  return {};
}

error reading::decode(group& g, const std::vector<const bus::message*>& messages, decoded& out) {
  for (const auto* m : messages) {
    if (!wanted(g, m->key))
      continue;
    ++messages_;
    auto routed = ums::parse_key(m->key);
    // Rows of one table stay in order; tables may pass each other, so that many small messages of
    // many tables still make large batches.
    auto name = routed ? routed->name : ums::ns{};
    auto at = std::find_if(out.begin(), out.end(), [&](const auto& o) { return o.first == name; });
    if (at == out.end())
      at = out.insert(out.end(), {name, {}});
    std::vector<ums::bad_row> bad;
    if (auto failed = g.decoder.read(m->value, at->second, bad, settings_.batch_rows)) {
      if (auto kept = keep(*m, failed.text(), m->value))
        return kept;
      continue;
    }
    for (const auto& row : bad)
      if (auto kept = keep(*m, row.reason, row.bytes))
        return kept;
  }
  return {};
}

void reading::queue(group& g, const bus::partition& from, int64_t first, int64_t next,
                    int64_t bus_us, decoded batches) {
  std::vector<ums::batch_ptr> shared;
  for (auto& [name, list] : batches)
    for (auto& b : list) {
      rows_ += b.carries_rows() ? b.rows() : 0;
      shared.push_back(std::make_shared<const ums::batch>(std::move(b)));
    }
  auto read_us = now_us();
  for (auto& f : g.followers) {
    batch_in_order* last = nullptr;
    for (const auto& b : shared) {
      if (!f->pattern.matches(b->schema->name))
        continue;
      // Tables passed each other: only the last batch of the lot completes its offsets. Should the
      // flow die between two of them, the ids tell which rows were applied.
      f->queue.push_back({b, from.text(), first, first, bus_us, read_us});
      f->queue_bytes += b->bytes();
      last = &f->queue.back();
    }
    if (last)
      last->next_offset = next;
  }
}

error reading::keep(const bus::message& m, const std::string& reason, const std::string& bytes) {
  if (!dead_letters_) {
    auto store = state::dead_letter_store::open(data_dir_);
    if (!store)
      return store.error();
    dead_letters_.emplace(std::move(*store));
  }
  auto routed = ums::parse_key(m.key);
  ++dead_letter_count_;
  return dead_letters_->add({{.component = "stream." + settings_.name,
                              .ns = routed ? routed->name.text() : "",
                              .topic = *m.topic,
                              .partition = m.index,
                              .offset = m.offset,
                              .reason = reason,
                              .bytes = bytes.substr(0, dead_letter_bytes_max),
                              .at_us = now_us()}});
}

void reading::split_full() {
  for (size_t i = 0; i < groups_.size(); ++i) {
    auto& g = *groups_[i];
    for (size_t k = 0; g.is_held_up(settings_) && k < g.followers.size();) {
      if (!g.followers[k]->full(settings_)) {
        ++k;
        continue;
      }
      // Without a reader of its own the slow flow stays where it is; tried again at the next read.
      if (auto failed = open_group(g.followers[k], g.position))
        return;
      g.followers.erase(g.followers.begin() + int64_t(k));
    }
  }
}

void reading::merge_equal() {
  for (size_t i = 0; i < groups_.size(); ++i)
    for (size_t k = i + 1; k < groups_.size();) {
      if (groups_[i]->position != groups_[k]->position || !groups_[i]->has_room(settings_) ||
          !groups_[k]->has_room(settings_)) {
        ++k;
        continue;
      }
      for (auto& f : groups_[k]->followers)
        groups_[i]->followers.push_back(std::move(f));
      groups_[i]->wanted.clear();
      groups_.erase(groups_.begin() + int64_t(k));
    }
}

batch_in_order reading::next(const std::string& flow) {
  auto* f = find(flow);
  if (!f || f->queue.empty())
    return {};
  auto b = f->pop();
  if (f->queue.empty() || !continues(b, b.data->rows(), f->queue.front()))
    return b;
  auto all = *b.data;
  while (!f->queue.empty() && continues(b, all.rows(), f->queue.front())) {
    auto more = f->pop();
    for (size_t i = 0; i < all.columns.size(); ++i)
      all.columns[i].append(more.data->columns[i], 0, more.data->rows());
    b.next_offset = more.next_offset;
    b.bus_us = more.bus_us;
  }
  b.data = std::make_shared<const ums::batch>(std::move(all));
  return b;
}

size_t reading::queued_rows(const std::string& flow) const {
  size_t rows = 0;
  if (const auto* f = find(flow))
    for (const auto& b : f->queue)
      rows += b.data->rows();
  return rows;
}

result<int64_t> reading::messages_behind(const std::string& flow) {
  int64_t behind = 0;
  for (const auto& g : groups_) {
    auto mine = std::any_of(g->followers.begin(), g->followers.end(),
                            [&](const auto& f) { return f->flow == flow; });
    if (!mine)
      continue;
    std::map<std::string, std::vector<bus::range>> ranges;
    for (const auto& [p, next] : g->position) {
      if (!ranges.count(p.topic)) {
        auto r = bus_->ranges(p.topic);
        if (!r)
          return r.error();
        ranges[p.topic] = std::move(*r);
      }
      if (const auto& held = ranges[p.topic]; size_t(p.index) < held.size())
        // Behind the last message there may be entries that are none: the reader knows.
        behind += std::max<int64_t>(0, held[size_t(p.index)].end -
                                           std::max(next, g->reader->position(p)));
    }
  }
  return behind;
}

result<int64_t> reading::rows_behind(const std::string& flow) {
  auto behind = messages_behind(flow);
  if (!behind)
    return behind.error();
  auto rows_a_message = messages_ == 0 ? 1 : int64_t((rows_ + messages_ - 1) / messages_);
  return int64_t(queued_rows(flow)) + *behind * rows_a_message;
}

result<bool> reading::at_end(const std::string& flow) {
  const auto* f = find(flow);
  if (!f || !f->queue.empty())
    return false;
  auto behind = messages_behind(flow);
  if (!behind)
    return behind.error();
  return *behind == 0;
}

} // namespace rtdp::flow
