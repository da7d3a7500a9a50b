/// How a `mysql` source begins: anew, where it was stored, or anew since that place is lost.
#include "actors/extract/mysql_driver.hpp"

#include <algorithm>
#include <random>

namespace rtdp::extract::my {

namespace {

using namespace std::chrono_literals;

/// The server's own heartbeat is at most this; three of them fit into any time-out.
constexpr auto heartbeat_max = 1s;
/// Servers and people take small numbers for their replicas.
constexpr uint32_t drawn_id_min = 1U << 30;

} // namespace

error mysql_driver::open(const std::string& text) {
  phase_ = phase::closed;
  log_.reset();
  piece_.reset();
  piece_begun_ = false;
  changes_.reset();
  probe_.reset();
  probed_at_ = {};
  if (set_.wrong)
    return set_.wrong;
  auto c = connection::open(set_.connect);
  if (!c)
    return c.error();
  catalog_.emplace(std::move(*c));
  if (auto failed = check_server(*catalog_))
    return failed;
  position stored;
  if (!text.empty()) {
    auto parsed = parse_position(text);
    if (!parsed)
      return parsed.error();
    stored = std::move(*parsed);
  }
  auto tables = find_tables(*catalog_, set_.tables, stored);
  if (!tables)
    return tables.error();
  if (auto failed = restore(stored, *tables))
    return failed;
  auto collations = read_collations(*catalog_);
  if (!collations)
    return collations.error();
  auto checksum = has_checksums(*catalog_);
  if (!checksum)
    return checksum.error();
  changes_.emplace(change_rules{.source = name_,
                                    .mariadb = catalog_->is_mariadb(),
                                    .version = catalog_->version(),
                                    .zeros = set_.zeros,
                                    .checksum = *checksum,
                                    .resnapshot = set_.resnapshot,
                                    .collations = std::move(*collations)},
                   at_, *tables);
  tables_text_ = at_.tables_text();
  tell_progress();
  phase_ = phase::announce;
  return start_log();
}

/// `stored` is empty at the very first start.
error mysql_driver::restore(const position& stored, const captured_tables& tables) {
  bool first = stored.at.file.empty();
  auto lost = first ? error{} : check_place(*catalog_, stored);
  if (other_log_ && !lost)
    lost = rejected("the log file was replaced by another of its name");
  if (lost && (lost != ec::rejected || !set_.resnapshot))
    return lost;
  other_log_ = false;
  at_ = stored;
  at_.tables.clear();
  at_.plan = {};
  skip_ids_ = !first && (lost || stored.tables.size() != tables.size());
  if (first || lost) {
    auto end = read_log_end(*catalog_);
    if (!end)
      return end.error();
    auto gtid = read_gtids(*catalog_, end->at);
    auto uuid = read_server_uuid(*catalog_);
    if (!gtid || !uuid)
      return !gtid ? gtid.error() : uuid.error();
    at_ = {.at = end->at, .gtid = std::move(*gtid), .server_uuid = std::move(*uuid)};
  }
  add_tables(stored, tables, bool(lost));
  return {};
}

/// `lost`: everything is read anew.
void mysql_driver::add_tables(position stored, const captured_tables& tables, bool lost) {
  estimated_.clear();
  bool first = stored.at.file.empty();
  for (const auto& t : tables) {
    auto name = quoted(t.name);
    auto* old = stored.find(t.name);
    auto& now = at_.tables.emplace_back(old != nullptr ? *old : table_state{.name = t.name});
    estimated_.push_back(t.rows_estimated);
    now.begun = now.begun && !lost;
    auto kept = stored.plan.remove(name);
    // Chunks are settled one by one: rows of the log between them keep the ids that they have.
    skip_ids_ = skip_ids_ || (!first && old == nullptr);
    if (kept && !lost)
      at_.plan.add(std::move(*kept));
    else if (lost || (old == nullptr && set_.initial))
      at_.plan.add({.table = name, .sweep = lost, .estimated = t.rows_estimated});
  }
}

error mysql_driver::start_log() {
  auto c = connection::open(set_.connect);
  if (!c)
    return c.error();
  auto id = set_.server_id;
  if (id == 0)
    id = drawn_id_min + std::random_device{}() % drawn_id_min;
  auto heartbeat = std::min<std::chrono::milliseconds>(heartbeat_max, set_.connect.timeout / 3);
  auto log = log_stream::start(std::move(*c), at_.at, id, heartbeat);
  if (!log)
    return log.error();
  log_ = std::move(*log);
  return {};
}

} // namespace rtdp::extract::my
