#include "actors/flow/pipeline.hpp"

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace rtdp::flow {

namespace {

template<class Take>
ums::batch_ptr filtered(const ums::batch_ptr& b, const Take& take) {
  ums::batch kept{b->schema, b->kind};
  for (size_t first = 0; first < b->rows();) {
    if (!take(first)) {
      ++first;
      continue;
    }
    auto end = first;
    while (end < b->rows() && take(end))
      ++end;
    for (size_t c = 0; c < kept.columns.size(); ++c)
      kept.columns[c].append(b->columns[c], first, end - first);
    first = end;
  }
  return std::make_shared<const ums::batch>(std::move(kept));
}

bool has_op(const ums::batch& b, char op) {
  return b.columns[2].arena().find(op) != std::string_view::npos;
}

/// Rows above `applied` without before-images; the batch itself when that is all of them. The ids
/// must rise within the batch too: after a crash SOURCE publishes again what it did not know to be
/// durable, and both copies can come in one batch.
ums::batch_ptr wanted_rows(const ums::batch_ptr& b, int64_t applied) {
  auto ids = b->ids();
  bool repeats = std::adjacent_find(ids.begin(), ids.end(), std::greater_equal{}) != ids.end();
  if (!repeats && (ids.empty() || ids.front() > applied) && !has_op(*b, 'b'))
    return b;
  std::vector<bool> wanted(b->rows());
  for (size_t row = 0; row < b->rows(); ++row)
    if (ids[row] > applied && b->op(row) != 'b') {
      wanted[row] = true;
      applied = ids[row];
    }
  return filtered(b, [&](size_t row) { return wanted[row]; });
}

/// A truncate empties a table whatever the version of its rows.
std::string any_version(ums::ns name) {
  name.set(ums::ns::version, "0");
  return name.text();
}

bool has_system_columns(const ums::schema& s) {
  return s.fields.size() >= ums::system_columns && s.fields[0].name == ums::id_name &&
         s.fields[1].name == ums::ts_name && s.fields[2].name == ums::op_name;
}

/// Rows that are to go from the target: deletes, and updates that did not come out.
std::vector<size_t> gone(const ums::batch& in, const ums::batch& out,
                         const std::vector<runtime::unfit_row>& unfit) {
  std::vector<size_t> rows;
  std::unordered_set<int64_t> kept;
  if (has_op(in, 'u')) {
    auto ids = out.ids();
    kept.insert(ids.begin(), ids.end());
    // A row that could not be computed is a dead letter, not a delete.
    for (const auto& row : unfit)
      kept.insert(in.ids()[row.index]);
  }
  for (size_t row = 0; row < in.rows(); ++row)
    if (auto op = in.op(row); op == 'd' || (op == 'u' && !kept.count(in.ids()[row])))
      rows.push_back(row);
  return rows;
}

} // namespace

bool pipeline::take_truncate(const runtime::delivery& d) {
  const auto name = d.data->schema->name.text();
  auto id = d.data->rows() ? d.data->ids()[0] : 0;
  // Applied again it would empty what came after it; the copies of other partitions are such.
  if (id <= done_before(d))
    return false;
  progress_.truncated[any_version(d.data->schema->name)] = id;
  if (!d.partition.empty())
    progress_.apply(name, d.partition, id);
  return true;
}

bool pipeline::take_sweep(const runtime::delivery& d) {
  const auto& name = d.data->schema->name;
  auto id = d.data->rows() ? d.data->ids()[0] : 0;
  bool others = std::any_of(progress_.ids.begin(), progress_.ids.end(), [&](const auto& applied) {
    auto of = ums::ns::parse(applied.first.substr(0, applied.first.find(' ')));
    return of && any_version(*of) != any_version(name);
  });
  if (!settings_.deletes_follow || others || !d.data->find(ums::before_name) ||
      id <= done_before(d))
    return false;
  if (!d.partition.empty())
    progress_.apply(name.text(), d.partition, id);
  // A copy comes through every partition. The first one would take rows of the others that the
  // snapshot has met, and which are still to come: the last one counts.
  return brought_everywhere(d, id);
}

bool pipeline::brought_everywhere(const runtime::delivery& d, int64_t id) const {
  auto topic = d.partition.substr(0, d.partition.rfind('/'));
  auto known = settings_.partitions.find(topic);
  auto name = d.data->schema->name.text();
  for (int32_t i = 0; known != settings_.partitions.end() && i < known->second; ++i)
    if (progress_.applied(name, topic + "/" + std::to_string(i)) < id)
      return false;
  return true;
}

int64_t pipeline::done_before(const runtime::delivery& d) const {
  const auto& name = d.data->schema->name;
  auto done = d.partition.empty() ? INT64_MIN : progress_.applied(name.text(), d.partition);
  if (!progress_.truncated.empty())
    if (auto at = progress_.truncated.find(any_version(name)); at != progress_.truncated.end())
      done = std::max(done, at->second);
  return done;
}

result<std::vector<runtime::write_order>> pipeline::process(const runtime::delivery& d) {
  orders out;
  const auto before = progress_;
  if (!d.partition.empty())
    progress_.offsets[d.partition] = d.next_offset;
  const auto name = d.data->schema->name.text();
  if (d.data->kind == ums::protocol::increment_truncate) {
    if (!take_truncate(d))
      return out;
    out.emplace_back().data = d.data;
  } else if (d.data->kind == ums::protocol::increment_sweep) {
    if (!take_sweep(d))
      return out;
    out.emplace_back().data = d.data;
  } else if (d.data->carries_rows() && d.data->rows() > 0) {
    if (!has_system_columns(*d.data->schema))
      return rejected("namespace " + name +
                      ": the first three columns must be ums_id_, ums_ts_ "
                      "and ums_op_; without them rows cannot be told apart");
    auto rows = wanted_rows(d.data, done_before(d));
    if (rows->rows() == 0)
      return out;
    // A replayed dead letter is behind what its partition has brought since.
    if (!d.partition.empty())
      progress_.apply(name, d.partition, rows->ids().back());
    if (auto failed = transform(rows, out)) {
      progress_ = before;
      return failed;
    }
    for (auto& order : out) {
      order.origin = d;
      order.origin.data = rows;
    }
  }
  for (auto& order : out)
    order.before = order.after = before;
  if (!out.empty())
    out.back().after = progress_;
  return out;
}

bool pipeline::deletes_pass_by() {
  return settings_.deletes_follow &&
         std::all_of(steps_.begin(), steps_.end(), [](auto& s) { return s->row_wise(); });
}

error pipeline::transform(const ums::batch_ptr& rows, orders& out) {
  if (steps_.empty()) {
    out.emplace_back().data = rows;
    return {};
  }
  if (!deletes_pass_by()) {
    auto& order = out.emplace_back();
    auto computed = run_steps(rows, order.unfit);
    if (!computed)
      return computed.error();
    order.data = *computed;
    return {};
  }
  runtime::write_order changes;
  auto changed =
      has_op(*rows, 'd') ? filtered(rows, [&](size_t row) { return rows->op(row) != 'd'; }) : rows;
  changes.data = changed;
  if (changed->rows() > 0) {
    auto computed = run_steps(changed, changes.unfit);
    if (!computed)
      return computed.error();
    changes.data = *computed;
    for (auto& row : changes.unfit)
      row.index = ums::row_of_id(*rows, changed->ids()[row.index]).value_or(0);
  }
  // A sink takes the two in any order: what counts is the higher ums_id_ of a key.
  if (auto which = gone(*rows, *changes.data, changes.unfit); !which.empty()) {
    auto deletes = deletes_of(*rows, which);
    if (!deletes)
      return deletes.error();
    out.emplace_back().data = *deletes;
  }
  if (changes.data->rows() > 0 || !changes.unfit.empty() || out.empty())
    out.push_back(std::move(changes));
  return {};
}

result<ums::batch_ptr> pipeline::deletes_of(const ums::batch& rows,
                                            const std::vector<size_t>& which) const {
  auto keys = settings_.keys.empty() ? rows.schema->keys() : settings_.keys;
  auto schema = std::make_shared<ums::schema>();
  schema->name = rows.schema->name;
  schema->batch_id = rows.schema->batch_id;
  std::vector<size_t> columns = {0, 1, 2};
  for (const auto& key : keys) {
    auto at = rows.schema->find(key);
    if (!at)
      return rejected("key column " + key + " is not a column of " + schema->name.text() +
                      ": a delete could not be applied. Keep the source's key under its own name "
                      "in the step, or use mutation: i");
    columns.push_back(*at);
  }
  for (auto c : columns)
    schema->fields.push_back(rows.schema->fields[c]);
  ums::batch b{schema, rows.kind};
  for (auto row : which)
    for (size_t c = 0; c < columns.size(); ++c)
      if (c == 2)
        b.columns[c].append_text("d");
      else
        b.columns[c].append(rows.columns[columns[c]], row, 1);
  return ums::batch_ptr{std::make_shared<const ums::batch>(std::move(b))};
}

bool pipeline::may_lack_columns(const ums::batch& rows) {
  auto& whole = whole_[rows.schema->name.text()];
  // An insert carries every column; an update or a delete may not.
  if (has_op(rows, 'i'))
    whole = std::max(whole, rows.schema->fields.size());
  return whole == 0 || rows.schema->fields.size() < whole;
}

result<ums::batch_ptr> pipeline::run_steps(const ums::batch_ptr& rows,
                                           std::vector<runtime::unfit_row>& unfit) {
  bool partial = may_lack_columns(*rows);
  auto current = rows;
  for (size_t i = 0; i < steps_.size() && current->rows() > 0; ++i) {
    auto place = "step " + std::to_string(i + 1);
    bad_rows bad;
    auto next = steps_[i]->apply(current, bad);
    if (!next && next.error() == ec::rejected && partial) {
      // The step needs a value that the source's log left out: these rows wait for a person.
      for (auto id : current->ids())
        unfit.push_back({ums::row_of_id(*rows, id).value_or(0),
                         place +
                             ": the log did not carry every column (an unchanged TOAST "
                             "value; REPLICA IDENTITY FULL sends it): " +
                             next.error().text()});
      return ums::batch_ptr{std::make_shared<const ums::batch>(rows->schema, rows->kind)};
    }
    if (!next)
      return next.error().in(place);
    for (auto& row : bad.rows) {
      // An id of the step's own making belongs to no row: the first one stands for it.
      auto at = ums::row_of_id(*rows, current->ids()[row.index]).value_or(0);
      unfit.push_back({at, place + ": " + row.reason});
    }
    current = std::move(*next);
  }
  return current;
}

} // namespace rtdp::flow
