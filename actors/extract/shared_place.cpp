#include "actors/extract/shared_place.hpp"

#include "actors/extract/bus_parts.hpp"
#include "runtime/state/schema_history.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>

namespace rtdp::extract {

namespace {

using json = nlohmann::json;

const bus::partition& places() {
  static const bus::partition only{"_rtdp.sources", 0};
  return only;
}
const bus::partition& schemas() {
  static const bus::partition only{"_rtdp.schemas", 0};
  return only;
}

/// A running source writes its place several times a second: among so many messages there is one of
/// it when not too many run, and the next looks go back 8 times further.
constexpr int64_t first_window = 1024;

std::string random_text() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

/// Whether another node has the source only its place tells.
error not_settled(const error& e, const std::string& source) {
  return e == ec::fenced ? unavailable("source " + source +
                                       " is being opened on another node, too, and is taken again: " +
                                       e.text())
                         : e;
}

} // namespace

shared_place::shared_place(std::shared_ptr<bus::bus> bus, std::string source, std::string data_dir,
                           owner self)
    : bus_(std::move(bus)), source_(std::move(source)), data_dir_(std::move(data_dir)),
      self_(std::move(self)), run_(random_text()) {}

error shared_place::make_topics() {
  for (const auto* p : {&places(), &schemas()})
    if (auto failed = bus_->create_topic(p->topic, {.partitions = 1, .compact = true}))
      return failed;
  return {};
}

result<std::unique_ptr<bus::producer>> shared_place::take(source_place& local, bool alone) {
  if (auto failed = make_topics())
    return failed;
  // Who had it looks before it takes it back.
  if (had_it_) {
    auto last = last_record();
    if (!last)
      return last.error();
    if (auto fenced = check(*last))
      return fenced;
  }
  auto producer = bus_->make_fenced_producer("rtdp.source." + source_);
  if (!producer)
    return not_settled(producer.error(), source_);
  auto last = last_record();
  if (!last)
    return last.error();
  if (auto fenced = check(*last))
    return fenced;
  if (auto failed = read_schemas())
    return failed;
  if (*last && (!alone || (*last)->at.next_id > local.next_id)) {
    local = (*last)->at;
    auto history = state::schema_history::open(data_dir_);
    if (!history)
      return history.error();
    if (auto failed = history->adopt(source_, schemas_))
      return failed;
  }
  had_it_ = true;
  return producer;
}

error shared_place::check(const std::optional<record>& last) const {
  if (!last)
    return {};
  bool newer = last->by.epoch > self_.epoch;
  bool taken_since = had_it_ && last->by.epoch == self_.epoch && last->run != run_;
  if (!newer && !taken_since)
    return {};
  return fenced(fmt::format("node {} runs source {} now, with epoch {}; this node, {}, had it with "
                            "epoch {} and publishes nothing of it any more",
                            last->by.node, source_, last->by.epoch, self_.node, self_.epoch));
}

error shared_place::announce(bus::producer& with, const source_place& at,
                             std::chrono::milliseconds timeout) {
  return not_settled(publish(with, at, timeout), source_);
}

error shared_place::publish(bus::producer& with, const source_place& at,
                            std::chrono::milliseconds timeout) {
  auto send = [&](const bus::partition& to, const std::string& key, const std::string& value) {
    return with.send(to, key, value);
  };
  if (auto failed = send_schemas(send))
    return failed;
  if (auto failed = send_place(at, send))
    return failed;
  return with.flush(timeout);
}

// -- the place ----------------------------------------------------------------

error shared_place::send_place(const source_place& at, const sender& send) const {
  // The position stays as it is, byte by byte: some hold keys of rows.
  auto head = json{{"node", self_.node},
                   {"epoch", self_.epoch},
                   {"run", run_},
                   {"next_id", at.next_id}}
                  .dump(-1, ' ', false, json::error_handler_t::replace);
  return send(places(), source_, head + '\n' + at.position);
}

result<shared_place::record> shared_place::parse(const std::string& text) const {
  auto cut = text.find('\n');
  try {
    auto head = json::parse(text.substr(0, cut));
    record r;
    r.by = {head.at("node").get<std::string>(), head.at("epoch").get<int64_t>()};
    r.run = head.at("run").get<std::string>();
    r.at.next_id = head.at("next_id").get<int64_t>();
    r.at.position = cut == std::string::npos ? "" : text.substr(cut + 1);
    return r;
  } catch (const json::exception& e) {
    return rejected("the place of source " + source_ + " in topic " + places().topic +
                    " is damaged: " + std::string(e.what()));
  }
}

result<std::optional<shared_place::record>> shared_place::last_record() {
  auto held = bus_->ranges(places().topic);
  if (!held)
    return held.error();
  auto rest = held->front();
  std::optional<std::string> found;
  for (auto window = first_window; !found && rest.first < rest.end; window *= 8) {
    bus::range part{std::max(rest.first, rest.end - window), rest.end};
    auto failed = read_parts(*bus_, "rtdp-" + source_ + "-place", {{places(), part}},
                             [&](const auto&, const bus::message& m) {
                               if (m.key == source_)
                                 found = m.value;
                             });
    if (failed)
      return failed;
    rest.end = part.first;
  }
  if (!found)
    return std::optional<record>();
  auto parsed = parse(*found);
  return parsed ? result<std::optional<record>>(std::move(*parsed)) : parsed.error();
}

// -- the history of columns ---------------------------------------------------

error shared_place::read_schemas() {
  schemas_.clear();
  auto held = bus_->ranges(schemas().topic);
  if (!held)
    return held.error();
  if (held->front().first == held->front().end)
    return {};
  return read_parts(*bus_, "rtdp-" + source_ + "-schemas", {{schemas(), held->front()}},
                    [&](const auto&, const bus::message& m) {
                      if (!m.key.starts_with(source_ + '\n'))
                        return;
                      if (m.value.empty())
                        schemas_.erase(m.key);
                      else
                        schemas_[m.key] = m.value;
                    });
}

error shared_place::send_schemas(const sender& send) {
  auto history = state::schema_history::open(data_dir_);
  if (!history)
    return history.error();
  auto now = history->copy_of(source_);
  if (!now)
    return now.error();
  for (const auto& [key, text] : *now)
    if (auto known = schemas_.find(key); known == schemas_.end() || known->second != text)
      if (auto failed = send(schemas(), key, text))
        return failed;
  for (const auto& [key, text] : schemas_)
    if (now->count(key) == 0)
      if (auto failed = send(schemas(), key, ""))
        return failed;
  schemas_ = std::move(*now);
  return {};
}

} // namespace rtdp::extract
