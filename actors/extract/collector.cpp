#include "actors/extract/collector.hpp"

#include <algorithm>
#include <utility>

namespace rtdp::extract {

namespace {

/// What a dead letter or a mark costs besides its text; keeps a flood of them bounded by bytes.
constexpr size_t overhead_bytes = 256;
constexpr size_t reserve_rows_max = 65'536;

ums::field system_field(std::string_view name, ums::type type) {
  return {.name = std::string(name), .type = type, .nullable = false};
}

/// In runs, which is how the rows of a chunk that nobody changed lie.
void append_kept(ums::column& to, const ums::column& from, const std::vector<bool>& keep) {
  for (size_t first = 0; first < keep.size();) {
    auto end = first;
    while (end < keep.size() && keep[end])
      ++end;
    if (end > first)
      to.append(from, first, end - first);
    first = end + 1;
  }
}

size_t fixed_bytes_of(ums::type type) {
  return ums::storage_of(type) == ums::storage::texts ? sizeof(uint32_t) : sizeof(int64_t);
}

} // namespace

ums::schema schema_of(const ums::ns& name, const std::vector<ums::field>& columns) {
  ums::schema out;
  out.name = name;
  out.fields = {system_field(ums::id_name, ums::type::long_),
                system_field(ums::ts_name, ums::type::datetime),
                system_field(ums::op_name, ums::type::string)};
  out.fields.insert(out.fields.end(), columns.begin(), columns.end());
  return out;
}

collector::collector(int64_t next_id, size_t rows_max, size_t bytes_max)
    : next_id_(next_id), rows_max_(rows_max), bytes_max_(bytes_max) {}

void collector::pass_by(std::vector<id_run> runs, int64_t last) {
  used_ = std::move(runs);
  next_used_ = used_.empty() ? INT64_MAX : used_.front().first;
  last_used_ = last;
}

void collector::leave_used(ums::protocol kind) {
  if (of_snapshot(kind))
    next_id_ = std::max(next_id_, last_used_ + 1);
  while (!used_.empty() && next_id_ >= used_.front().first) {
    next_id_ = std::max(next_id_, used_.front().last + 1);
    used_.erase(used_.begin());
  }
  next_used_ = used_.empty() ? INT64_MAX : used_.front().first;
}

size_t collector::table_index(ums::ns name) {
  // Versions and partitions of one table follow each other in one order of rows.
  for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
    name.set(part, "0");
  auto [at, added] = table_of_.try_emplace(std::move(name), tables_.size());
  if (added)
    tables_.emplace_back();
  return at->second;
}

collector::handle collector::table(const ums::ns& name, const std::vector<ums::field>& columns,
                                   int64_t batch_id) {
  close_row();
  auto schema = std::make_shared<ums::schema>(schema_of(name, columns));
  schema->batch_id = batch_id;
  auto index = table_index(name);
  for (auto h : tables_[index].handles)
    if (*versions_[h].schema == *schema)
      return h;
  version v;
  v.table = index;
  for (uint32_t i = 0; i < schema->fields.size(); ++i) {
    v.fixed_bytes += fixed_bytes_of(schema->fields[i].type);
    if (ums::storage_of(schema->fields[i].type) == ums::storage::texts)
      v.texts.push_back(i);
  }
  auto known = [&](handle h) { return versions_[h].schema->name == schema->name; };
  if (std::none_of(tables_[index].handles.begin(), tables_[index].handles.end(), known))
    begun_.push_back(schema);
  v.schema = std::move(schema);
  versions_.push_back(std::move(v));
  tables_[index].handles.push_back(versions_.size() - 1);
  return versions_.size() - 1;
}

size_t collector::text_bytes(handle table, const ums::batch& b) const {
  size_t sum = 0;
  for (auto i : versions_[table].texts)
    sum += b.columns[i].arena().size();
  return sum;
}

size_t collector::bytes() const {
  if (open_.batch == none)
    return bytes_;
  return bytes_ + versions_[open_.table].fixed_bytes +
         text_bytes(open_.table, batches_[open_.batch]) - text_of_[open_.batch];
}

void collector::close_row() {
  if (open_.batch == none)
    return;
  auto text = text_bytes(open_.table, batches_[open_.batch]);
  bytes_ += versions_[open_.table].fixed_bytes + text - std::exchange(text_of_[open_.batch], text);
  previous_ = std::exchange(open_, {});
}

size_t collector::open_batch(handle table, ums::protocol kind) {
  auto& state = tables_[versions_[table].table];
  if (state.last != none && state.last_handle == table && batches_[state.last].kind == kind)
    return state.last;
  auto& b = batches_.emplace_back(versions_[table].schema, kind);
  text_of_.push_back(0);
  for (auto& c : b.columns)
    c.reserve(versions_[table].rows_before);
  state.last = batches_.size() - 1;
  state.last_handle = table;
  return state.last;
}

ums::batch& collector::row(handle table, char op, int64_t ts_us, ums::protocol kind) {
  close_row();
  pass_used(kind);
  auto at = open_batch(table, kind);
  auto& b = batches_[at];
  auto id = next_id_;
  if (op != 'b')
    ++next_id_;
  b.columns[0].append_int(id);
  b.columns[1].append_int(ts_us);
  b.columns[2].append_text({&op, 1});
  open_ = {.batch = at, .table = table, .id = id, .op = op};
  ++rows_;
  return b;
}

void collector::drop_last_row(size_t batch, handle table) {
  auto& b = batches_[batch];
  auto keep = b.rows() - 1;
  for (auto& c : b.columns)
    c.truncate(keep);
  text_of_[batch] = text_bytes(table, b);
  --rows_;
}

void collector::spoil(std::string reason, std::string bytes) {
  if (open_.batch == none)
    return;
  auto spoiled = std::exchange(open_, {});
  drop_last_row(spoiled.batch, spoiled.table);
  bool orphan = spoiled.op == 'u' && previous_.batch != none && previous_.op == 'b' &&
                previous_.id == spoiled.id;
  if (orphan) {
    auto text = text_of_[previous_.batch];
    drop_last_row(previous_.batch, previous_.table);
    bytes_ -= versions_[previous_.table].fixed_bytes + text - text_of_[previous_.batch];
  }
  previous_ = {};
  bytes_ += overhead_bytes + reason.size() + bytes.size();
  bad_.push_back({.table = versions_[spoiled.table].schema->name,
                  .reason = std::move(reason),
                  .bytes = std::move(bytes)});
}

void collector::control(const ums::ns& table, int64_t ts_us, ums::protocol kind,
                        std::optional<int64_t> swept_before) {
  close_row();
  auto schema = std::make_shared<ums::schema>();
  schema->name = table;
  schema->fields = {system_field(ums::id_name, ums::type::long_),
                    system_field(ums::ts_name, ums::type::datetime)};
  if (swept_before)
    schema->fields.push_back(system_field(ums::before_name, ums::type::long_));
  auto& b = batches_.emplace_back(std::move(schema), kind);
  pass_used(kind);
  b.columns[0].append_int(next_id_++);
  b.columns[1].append_int(ts_us);
  if (swept_before)
    b.columns[2].append_int(*swept_before);
  text_of_.push_back(0);
  bytes_ += overhead_bytes;
  // Rows of the table that come later belong behind the mark.
  tables_[table_index(table)].last = none;
}

void collector::truncate(const ums::ns& table, int64_t ts_us) {
  control(table, ts_us, ums::protocol::increment_truncate);
}

void collector::sweep(const ums::ns& table, int64_t ts_us, int64_t before) {
  control(table, ts_us, ums::protocol::increment_sweep, before);
}

void collector::terminate(const ums::ns& table, int64_t ts_us) {
  control(table, ts_us, ums::protocol::increment_termination);
}

void collector::chunk(handle table, ums::batch&& chunk, const std::vector<bool>& keep,
                      int64_t ts_us) {
  close_row();
  auto rows = chunk.columns.back().size();
  auto kept = keep.empty() ? rows : size_t(std::count(keep.begin(), keep.end(), true));
  if (kept == 0)
    return;
  auto& b = batches_.emplace_back(versions_[table].schema, ums::protocol::initial_data);
  for (size_t i = ums::system_columns; i < b.columns.size(); ++i)
    if (kept == rows)
      b.columns[i] = std::move(chunk.columns[i]);
    else
      append_kept(b.columns[i], chunk.columns[i], keep);
  for (size_t i = 0; i < ums::system_columns; ++i)
    b.columns[i].reserve(kept);
  pass_used(ums::protocol::initial_data);
  for (size_t i = 0; i < kept; ++i) {
    b.columns[0].append_int(next_id_++);
    b.columns[1].append_int(ts_us);
    b.columns[2].append_text("i");
  }
  text_of_.push_back(text_bytes(table, b));
  bytes_ += kept * versions_[table].fixed_bytes + text_of_.back();
  rows_ += kept;
  previous_ = {};
  // Rows of the table that come later belong behind the chunk.
  tables_[versions_[table].table].last = none;
}

void collector::commit_and_settle(std::string position) {
  commit(std::move(position));
  settle_ = true;
}

void collector::commit(std::string position) {
  close_row();
  position_ = std::move(position);
  position_next_id_ = next_id_;
}

collector::taken collector::take() {
  close_row();
  for (auto& state : tables_) {
    if (state.last != none)
      versions_[state.last_handle].rows_before =
          std::min(batches_[state.last].rows(), reserve_rows_max);
    state.last = none;
  }
  // A batch is empty when its only rows were spoiled.
  std::erase_if(batches_, [](const ums::batch& b) { return b.rows() == 0; });
  taken out{.begun = std::exchange(begun_, {}),
            .batches = std::exchange(batches_, {}),
            .bad = std::exchange(bad_, {}),
            .position = std::exchange(position_, {}),
            .next_id = position_next_id_,
            .rows = std::exchange(rows_, 0),
            .settle = std::exchange(settle_, false)};
  text_of_.clear();
  bytes_ = 0;
  previous_ = {};
  return out;
}

} // namespace rtdp::extract
