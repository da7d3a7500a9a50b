#include "actors/extract/mysql_changes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::my {

namespace {

error unsupported(const std::string& what, const std::string& hint) {
  return rejected("binary log: " + what + " are not supported; " + hint);
}

} // namespace

changes::changes(change_rules rules, position& at, const std::vector<captured_table>& tables)
    : rules_(std::move(rules)), at_(at), checksum_(rules_.checksum), offset_(at.at.offset),
      skip_events_(at.events), skip_changes_(at.changes) {
  for (const auto& t : at.tables) {
    auto found = std::find_if(tables.begin(), tables.end(), [&](auto& c) { return c.name == t.name; });
    before_images_.push_back(found != tables.end() && found->before_images);
  }
}

error changes::apply(std::string_view bytes, collector& out) {
  auto e = parse_event(bytes, checksum_);
  if (!e)
    return e.error();
  auto failed = apply_event(*e, bytes, out);
  return failed ? failed.in("log event behind " + log_place{at_.at.file, offset_}.text()) : failed;
}

error changes::apply_event(const event& e, std::string_view bytes, collector& out) {
  switch (e.type) {
  case event_type::format_description:
    return begin_file(e);
  case event_type::rotate:
    return rotate(e);
  case event_type::gtid: {
    auto g = parse_group(bytes, e);
    if (!g)
      return g.error();
    advance(e);
    ts_us_ = e.timestamp * second_us;
    group_domain_ = g->domain;
    group_ = fmt::format("{}-{}-{}", g->domain, g->server, g->sequence);
    in_transaction_ = !g->standalone;
    prepared_xa_ = g->prepared_xa;
    return {};
  }
  case event_type::query:
    return run_statement(e, out);
  case event_type::xid:
  case event_type::xa_prepare:
    advance(e);
    commit();
    return {};
  case event_type::table_map:
    advance(e);
    return remember(e);
  case event_type::incident:
    return rejected("binary log: the server says that it lost changes (an incident event): read the "
                    "tables anew");
  case event_type::partial_update_rows:
    return unsupported("partial JSON updates", "SET GLOBAL binlog_row_value_options = ''");
  case event_type::transaction_payload:
    return unsupported("compressed transactions",
                       "SET GLOBAL binlog_transaction_compression = OFF");
  default:
    break;
  }
  if (e.type >= event_type::query_compressed && e.type <= event_type::delete_rows_compressed)
    return unsupported("compressed events", "SET GLOBAL log_bin_compress = OFF");
  if (is_rows(e.type))
    return begin_rows(e, out);
  advance(e);
  if (!in_transaction_ && !e.artificial() && at_.events == 0)
    at_.at.offset = std::max(at_.at.offset, offset_);
  return {};
}

void changes::advance(const event& e) {
  if (e.next == 0 || e.artificial())
    return;
  // The log says only the lower 32 bits, and a file may be larger.
  auto next = (offset_ & ~uint64_t{UINT32_MAX}) | e.next;
  offset_ = next < offset_ && offset_ - next > UINT32_MAX / 2 ? next + (uint64_t{1} << 32)
                                                              : std::max(next, offset_);
}

void changes::commit() {
  at_.at.offset = offset_;
  at_.events = at_.changes = 0;
  skip_events_ = skip_changes_ = 0;
  in_transaction_ = false;
  prepared_xa_ = false;
  committed_us_ = ts_us_;
  if (!group_.empty())
    at_.gtid[group_domain_] = std::exchange(group_, {});
}

error changes::begin_file(const event& e) {
  auto format = parse_format(e);
  if (!format)
    return format.error();
  checksum_ = format->checksum;
  // A restarted server gives its numbers of tables anew.
  maps_.clear();
  rows_of_ = nullptr;
  other_log_ = at_.file_made != 0 && at_.file_made != e.timestamp;
  if (other_log_)
    return rejected(fmt::format("stored position {}: the server has another log file of that name, "
                                "begun at {} instead of {}; the changes behind it are lost. Set "
                                "on_lost: resnapshot to read all rows anew",
                                at_.at.text(), e.timestamp, at_.file_made));
  at_.file_made = e.timestamp;
  advance(e);
  if (at_.events == 0 && at_.changes == 0)
    at_.at.offset = std::max(at_.at.offset, offset_);
  return {};
}

error changes::rotate(const event& e) {
  auto to = parse_rotation(e);
  if (!to)
    return to.error();
  // The first one only says where we begin; the one at a file's end comes again in front of the
  // next file.
  if (to->file == at_.at.file)
    return {};
  if (in_transaction_ && (at_.events > 0 || at_.changes > 0))
    return rejected("binary log: a file ends within a transaction; the server may have crashed: read "
                    "the tables anew");
  at_.at = {to->file, to->offset};
  at_.file_made = 0;
  offset_ = to->offset;
  in_transaction_ = false;
  return {};
}

// -- rows ----

error changes::remember(const event& e) {
  if (e.body.size() < 8)
    return rejected("binary log: a table map event ends before it is complete");
  auto id = little_endian(e.body, 0, 6);
  auto& k = maps_[id];
  if (k.raw == e.body)
    return {};
  auto map = parse_table_map(e);
  if (!map)
    return map.error();
  k = {.raw = std::string(e.body), .map = std::move(*map)};
  rows_of_ = nullptr;
  for (size_t i = 0; i < at_.tables.size(); ++i)
    if (at_.tables[i].name.table == k.map.table && at_.tables[i].name.database == k.map.database)
      k.table = i;
  return {};
}

error changes::begin_rows(const event& e, collector& out) {
  advance(e);
  if (skip_events_ > 0) {
    --skip_events_;
    return {};
  }
  auto frame = parse_rows(e);
  if (!frame)
    return frame.error();
  frame_ = *frame;
  auto found = maps_.find(frame_.table);
  if (found == maps_.end() && frame_.columns > 0)
    return rejected("rows of a table that was not announced");
  auto* k = found == maps_.end() ? nullptr : &found->second;
  bool ours = k != nullptr && k->table != SIZE_MAX && at_.tables[k->table].begun;
  if (!ours) {
    skip_changes_ = at_.changes = 0;
    ++at_.events;
    return {};
  }
  auto table = quoted(at_.tables[k->table].name);
  if (prepared_xa_)
    return rejected("table " + table + ": its rows are part of an XA transaction that is only "
                    "prepared; XA transactions are not supported");
  if (!frame_.whole)
    return rejected("table " + table + ": expected whole rows; found some without all columns: a "
                    "session set binlog_row_image to something else than FULL");
  if (frame_.columns != k->map.columns.size())
    return rejected(fmt::format("table {}: rows of {} columns do not fit the {} announced", table,
                                frame_.columns, k->map.columns.size()));
  if (auto failed = ready(*k, out))
    return failed;
  if (!at_.tables[k->table].begun) { // Lost just now, and to be read anew.
    skip_changes_ = at_.changes = 0;
    ++at_.events;
    return {};
  }
  rows_of_ = k;
  pending_ = true;
  return go_on(out);
}

error changes::go_on(collector& out) {
  auto& images = frame_.images;
  while (!images.empty()) {
    if (out.full())
      return {};
    auto whole = images;
    auto& only = frame_.op == 'i' ? after_ : before_;
    if (!take_image(images, rows_of_->map.columns, only) ||
        (frame_.op == 'u' && !take_image(images, rows_of_->map.columns, after_)))
      return rejected("table " + quoted(at_.tables[rows_of_->table].name) +
                      ": a row ends before it is complete");
    if (skip_changes_ > 0) {
      --skip_changes_;
      continue;
    }
    whole.remove_suffix(images.size());
    if (auto failed = change(*rows_of_, whole, out))
      return failed;
    ++at_.changes;
  }
  pending_ = false;
  ++at_.events;
  at_.changes = 0;
  return {};
}

bool changes::key_changed(const known_map& k) const {
  if (k.keys.empty())
    return true;
  return std::any_of(k.keys.begin(), k.keys.end(),
                     [&](size_t i) { return before_[i] != after_[i]; });
}

error changes::change(known_map& k, std::string_view bytes, collector& out) {
  if (frame_.op == 'i') {
    add(k, 'i', after_, bytes, out);
  } else if (frame_.op == 'd') {
    add(k, 'd', before_, bytes, out);
  } else if (key_changed(k)) {
    add(k, 'd', before_, bytes, out);
    add(k, 'i', after_, bytes, out);
  } else {
    if (before_images_[k.table])
      add(k, 'b', before_, bytes, out);
    add(k, 'u', after_, bytes, out);
  }
  return {};
}

void changes::add(known_map& k, char op, const image& row, std::string_view bytes, collector& out) {
  auto& b = out.row(k.handle, op, ts_us_);
  for (size_t i = 0; i < row.size(); ++i) {
    auto& c = b.columns[ums::system_columns + i];
    if (row[i].data() == nullptr) {
      c.append_null();
      continue;
    }
    auto why = append_stored(c, k.columns[i].how, row[i]);
    if (why == fit::good)
      continue;
    out.spoil(unfit(k.columns[i].field, why), std::string(bytes));
    return;
  }
}

} // namespace rtdp::extract::my
