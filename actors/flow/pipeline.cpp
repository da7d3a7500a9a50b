#include "actors/flow/pipeline.hpp"

#include "actors/flow/step_chain.hpp"

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
                         const std::vector<int64_t>& unfit) {
  std::vector<size_t> rows;
  std::unordered_set<int64_t> kept;
  if (has_op(in, 'u')) {
    auto ids = out.ids();
    kept.insert(ids.begin(), ids.end());
    // A row that could not be computed is a dead letter, not a delete.
    kept.insert(unfit.begin(), unfit.end());
  }
  for (size_t row = 0; row < in.rows(); ++row)
    if (auto op = in.op(row); op == 'd' || (op == 'u' && !kept.count(in.ids()[row])))
      rows.push_back(row);
  return rows;
}

/// Deletes of the keys of some rows.
result<ums::batch_ptr> deletes_of(const ums::batch& rows, const std::vector<size_t>& which,
                                  const std::vector<std::string>& keys) {
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

} // namespace

pipeline::pipeline(pipeline_settings settings, std::vector<std::unique_ptr<step>> steps,
                   std::shared_ptr<step_state> state)
    : settings_(std::move(settings)), steps_(std::move(steps)), state_(std::move(state)) {
  std::string layout;
  for (size_t i = 0; i < steps_.size(); ++i) {
    auto* remembers = steps_[i]->with_state();
    if (remembers)
      layout += std::to_string(i + 1) + ": " + remembers->layout() + "; ";
    if (!remembers && !stages_.empty() && !stages_.back().with_state)
      ++stages_.back().end;
    else
      stages_.push_back({i, i + 1, remembers});
  }
  for (size_t i = stages_.size(); i-- > 1;)
    stages_[i - 1].is_counted = stages_[i].is_counted || counts_rows(stages_[i]);
  if (state_)
    state_->set_layout(std::move(layout));
}

bool pipeline::counts_rows(const stage& s) { return s.with_state && s.with_state->counts_rows(); }

result<bool> pipeline::restore_state(std::chrono::milliseconds limit) {
  if (!state_)
    return true;
  // A rewound flow knows no ids either.
  if (progress_.state == state::state_point{} && !progress_.ids.empty())
    return rejected("the flow has applied rows without the steps that remember them; `rtdp flow "
                    "NAME rewind` lets these see all rows");
  auto there = state_->restore(progress_.state, limit);
  if (there && *there)
    for (const auto& s : stages_)
      if (s.with_state)
        s.with_state->attach(state_->place(uint8_t(s.first)));
  return there;
}

result<bool> pipeline::catch_up(std::chrono::milliseconds limit) {
  return state_ ? state_->catch_up(limit) : result<bool>{true};
}

void pipeline::leave_behind(shelf& on) {
  if (state_)
    step_state::leave_behind(std::move(state_), on);
}

error pipeline::committed(const state::progress& stored) {
  return state_ ? state_->committed(stored.state) : error{};
}

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
  // A step that counts rows knows of each which table it is from.
  bool is_counted = std::any_of(stages_.begin(), stages_.end(), counts_rows);
  bool is_for_target = is_counted || (settings_.deletes_follow && !others);
  if (!is_for_target || !d.data->find(ums::before_name) || id <= done_before(d))
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
  const auto before = progress_;
  auto out = apply(d);
  if (!out) {
    progress_ = before;
    if (state_)
      state_->rollback();
    return out;
  }
  if (state_ && !out->empty()) {
    // In front of the first row of the batch: what a target holds of it has a record here.
    out->front().changelog = state_->commit();
    bool changed = out->front().changelog != nullptr;
    if (changed)
      progress_.state = state_->point();
    for (auto& order : *out)
      order.whole = changed;
  }
  for (auto& order : *out)
    order.before = order.after = before;
  if (!out->empty())
    out->back().after = progress_;
  return out;
}

result<pipeline::orders> pipeline::apply(const runtime::delivery& d) {
  orders out;
  auto rows = d.data;
  // Never back: what was read ahead of a hand-over may lie before what the other node applied.
  if (!d.partition.empty()) {
    auto& offset = progress_.offsets[d.partition];
    offset = std::max(offset, d.next_offset);
  }
  const auto name = d.data->schema->name.text();
  if (d.data->kind == ums::protocol::increment_truncate) {
    if (take_truncate(d))
      if (auto failed = transform(d.data, out))
        return failed;
  } else if (d.data->kind == ums::protocol::increment_sweep) {
    if (take_sweep(d))
      if (auto failed = transform(d.data, out))
        return failed;
  } else if (d.data->carries_rows() && d.data->rows() > 0) {
    if (!has_system_columns(*d.data->schema))
      return rejected("namespace " + name +
                      ": the first three columns must be ums_id_, ums_ts_ "
                      "and ums_op_; without them rows cannot be told apart");
    rows = wanted_rows(d.data, done_before(d));
    if (rows->rows() == 0)
      return out;
    // A replayed dead letter is behind what its partition has brought since.
    if (!d.partition.empty())
      progress_.apply(name, d.partition, rows->ids().back());
    if (auto failed = transform(rows, out))
      return failed;
  }
  // Rows that a step made of a truncate have that for their origin.
  for (auto& order : out)
    if (order.data ? order.data->carries_rows() : d.data->carries_rows()) {
      order.origin = d;
      order.origin.data = rows;
    }
  return out;
}

bool pipeline::deletes_pass_by(const stage& s) {
  return (settings_.deletes_follow || s.is_counted) &&
         std::all_of(steps_.begin() + int64_t(s.first), steps_.begin() + int64_t(s.end),
                     [](auto& step) { return step->row_wise(); });
}

error pipeline::transform(const ums::batch_ptr& rows, orders& out) {
  passage p{*rows, rows->schema->keys(), {rows}};
  for (const auto& s : stages_) {
    batches next;
    if (s.with_state) {
      if (auto failed = run_stateful(s, p, next))
        return failed;
    } else {
      for (const auto& b : p.rows)
        if (auto failed = run_stateless(s, b, p, next))
          return failed;
    }
    p.rows = std::move(next);
  }
  // A sink takes them in any order: what counts is the higher ums_id_ of a key.
  for (auto& b : p.rows)
    if (b->rows() > 0)
      out.emplace_back().data = std::move(b);
  // Rows that could not be computed go with the changes, and there may be none but deletes.
  bool has_changes = !out.empty() && !(out.back().data->carries_rows() &&
                                       out.back().data->op(0) == 'd');
  if (out.empty() || (!has_changes && !p.unfit.empty()))
    out.emplace_back().data = std::make_shared<const ums::batch>(rows->schema, rows->kind);
  out.back().unfit = std::move(p.unfit);
  return {};
}

error pipeline::run_stateful(const stage& s, passage& p, batches& out) {
  auto place = "step " + std::to_string(s.first + 1);
  for (const auto& b : p.rows)
    if (counts_rows(s) && b->carries_rows() && b->schema->keys() != p.keys)
      return rejected(place + ": the steps before it must keep the key of the rows (" +
                      joined(p.keys) + ") under its own name, found: " +
                      joined(b->schema->keys()));
  std::vector<refused_row> refused;
  if (auto failed = s.with_state->take(p.rows, out, refused))
    return failed.in(place);
  for (auto& row : refused)
    p.unfit.push_back({ums::row_of_id(p.origin, row.ums_id).value_or(0), place + ": " + row.reason});
  if (counts_rows(s) && !out.empty())
    p.keys = out.front()->schema->keys();
  return {};
}

error pipeline::run_stateless(const stage& s, const ums::batch_ptr& rows, passage& p,
                              batches& out) {
  if (!rows->carries_rows()) {
    out.push_back(rows);
    return {};
  }
  if (!deletes_pass_by(s)) {
    auto computed = run_steps(s, rows, p);
    if (!computed)
      return computed.error();
    out.push_back(*computed);
    return {};
  }
  auto changed =
      has_op(*rows, 'd') ? filtered(rows, [&](size_t row) { return rows->op(row) != 'd'; }) : rows;
  p.unfit_ids.clear();
  auto changes = changed;
  if (changed->rows() > 0) {
    auto computed = run_steps(s, changed, p);
    if (!computed)
      return computed.error();
    changes = *computed;
  }
  if (auto which = gone(*rows, *changes, p.unfit_ids); !which.empty()) {
    auto deletes =
        deletes_of(*rows, which, s.is_counted || settings_.keys.empty() ? p.keys : settings_.keys);
    if (!deletes)
      return deletes.error();
    out.push_back(*deletes);
  }
  if (changes->rows() > 0)
    out.push_back(changes);
  return {};
}

bool pipeline::may_lack_columns(const ums::batch& rows) {
  auto& whole = whole_[rows.schema->name.text()];
  // An insert carries every column; an update or a delete may not.
  if (has_op(rows, 'i'))
    whole = std::max(whole, rows.schema->fields.size());
  return whole == 0 || rows.schema->fields.size() < whole;
}

result<ums::batch_ptr> pipeline::run_steps(const stage& s, const ums::batch_ptr& rows,
                                           passage& p) {
  bool partial = may_lack_columns(*rows);
  auto current = rows;
  // An id of a step's own making belongs to no row: the first one stands for it.
  auto origin_of = [&](int64_t id) {
    p.unfit_ids.push_back(id);
    return ums::row_of_id(p.origin, id).value_or(0);
  };
  for (size_t i = s.first; i < s.end && current->rows() > 0; ++i) {
    auto place = "step " + std::to_string(i + 1);
    bad_rows bad;
    auto next = steps_[i]->apply(current, bad);
    if (!next && next.error() == ec::rejected && partial) {
      // The step needs a value that the source's log left out: these rows wait for a person.
      for (auto id : current->ids())
        p.unfit.push_back({origin_of(id),
                           place +
                               ": the log did not carry every column (an unchanged TOAST "
                               "value; REPLICA IDENTITY FULL sends it): " +
                               next.error().text()});
      return ums::batch_ptr{std::make_shared<const ums::batch>(rows->schema, rows->kind)};
    }
    if (!next)
      return next.error().in(place);
    for (auto& row : bad.rows)
      p.unfit.push_back({origin_of(current->ids()[row.index]), place + ": " + row.reason});
    current = std::move(*next);
  }
  return current;
}

} // namespace rtdp::flow
