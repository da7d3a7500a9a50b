#include "runtime/cluster/catalog_topic.hpp"

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

constexpr const char* topic = "_rtdp.catalog";
constexpr const char* leader_id = "rtdp-leader";
/// Claim and append are answered within 15 s, of which taking the id may take 10 s.
constexpr auto flush_timeout = 5s;
constexpr auto read_timeout = 4s;
constexpr auto read_wait = 20ms;
constexpr size_t read_bytes = 4 << 20;

const bus::partition& log() {
  static const bus::partition only{topic, 0};
  return only;
}

} // namespace

catalog_topic::catalog_topic(std::shared_ptr<bus::bus> bus, std::string client, learner learn)
    : bus_(std::move(bus)), client_(std::move(client)), learn_(std::move(learn)) {}

error catalog_topic::open() {
  if (reader_)
    return {};
  if (auto failed = bus_->open())
    return failed;
  if (auto failed = bus_->create_topic(topic, {.partitions = 1, .compact = true}))
    return failed;
  auto reader = bus_->make_reader(client_ + "-catalog");
  if (!reader)
    return reader.error();
  if (auto failed = (*reader)->assign({{log(), next_}}))
    return failed;
  reader_ = std::move(*reader);
  return {};
}

error catalog_topic::closed(const error& why) {
  reader_.reset();
  producer_.reset();
  return why;
}

error catalog_topic::read(std::chrono::milliseconds wait) {
  std::vector<bus::message> messages;
  if (auto failed = reader_->poll(wait, read_bytes, messages))
    return closed(failed.in("reading the catalog"));
  if (messages.empty())
    return {};
  std::vector<std::string> records;
  for (const auto& m : messages)
    records.push_back(m.key + '\n' + m.value);
  next_ = messages.back().offset + 1;
  read_ += records.size();
  learn_(std::move(records));
  return {};
}

error catalog_topic::read_until(const std::function<bool()>& done) {
  auto until = std::chrono::steady_clock::now() + read_timeout;
  while (!done()) {
    if (auto failed = read(read_wait))
      return failed;
    if (!done() && std::chrono::steady_clock::now() > until)
      return closed(unavailable("the bus does not give the last records of " + log().text()));
  }
  return {};
}

error catalog_topic::claim() {
  producer_.reset();
  auto taken = bus_->make_fenced_producer(leader_id);
  if (!taken)
    return closed(taken.error());
  // Nobody else appends from here on.
  auto held = bus_->ranges(topic);
  if (!held)
    return closed(held.error());
  auto end = held->front().end;
  if (auto failed = read_until([&] { return reader_->position(log()) >= end; }))
    return failed;
  producer_ = std::move(*taken);
  return {};
}

error catalog_topic::check(const std::vector<std::string>& records) const {
  for (const auto& r : records)
    if (auto cut = r.find('\n'); cut == 0 || cut == std::string::npos)
      return rejected("a record of the catalog is a key, a line break and a value; found " + r);
  return {};
}

error catalog_topic::write(const std::vector<std::string>& records) {
  for (const auto& r : records) {
    auto cut = r.find('\n');
    if (auto failed =
            producer_->send(log(), std::string_view(r).substr(0, cut), r.substr(cut + 1)))
      return failed;
  }
  return producer_->flush(flush_timeout);
}

error catalog_topic::append(const std::vector<std::string>& records) {
  if (auto failed = check(records))
    return failed;
  if (!producer_)
    return fenced("this node may not append to the catalog: another one has claimed it, or its own "
                  "claim ended with a failure");
  // The reader stands at the end, and nobody else appends: the next records are these.
  auto behind = read_ + records.size();
  if (auto failed = write(records)) {
    producer_.reset();
    return failed.in("appending to the catalog");
  }
  return read_until([&] { return read_ >= behind; });
}

} // namespace rtdp::cluster
