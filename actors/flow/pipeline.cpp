#include "actors/flow/pipeline.hpp"

#include <algorithm>

namespace rtdp::flow {

namespace {

/// Rows above `applied` without before-images; the batch itself when that is all of them.
ums::batch_ptr wanted_rows(const ums::batch_ptr& b, int64_t applied) {
  auto ids = b->ids();
  auto ops = b->columns[2].arena();
  bool old = std::any_of(ids.begin(), ids.end(), [applied](int64_t id) { return id <= applied; });
  if (!old && ops.find('b') == std::string_view::npos)
    return b;
  ums::batch kept{b->schema, b->kind};
  for (size_t first = 0; first < b->rows();) {
    auto take = [&](size_t row) { return ids[row] > applied && b->op(row) != 'b'; };
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

bool has_system_columns(const ums::schema& s) {
  return s.fields.size() >= ums::system_columns && s.fields[0].name == ums::id_name
         && s.fields[1].name == ums::ts_name && s.fields[2].name == ums::op_name;
}

} // namespace

size_t row_of_origin(const ums::batch& origin, const ums::batch& b, size_t index) {
  const auto* ids = b.find(ums::id_name);
  const auto* origin_ids = origin.find(ums::id_name);
  if (!ids || !origin_ids || index >= ids->size())
    return index;
  auto all = origin_ids->ints();
  auto at = std::find(all.begin(), all.end(), ids->ints()[index]);
  return at == all.end() ? std::min(index, origin.rows() - 1) : size_t(at - all.begin());
}

result<std::optional<runtime::write_order>> pipeline::process(const runtime::delivery& d) {
  runtime::write_order order;
  order.before = progress_;
  if (!d.partition.empty())
    progress_.offsets[d.partition] = d.next_offset;
  const auto name = d.data->schema->name.text();
  if (d.data->kind == ums::protocol::increment_truncate) {
    // A truncate that was applied must not be applied again: it would empty what came after it.
    auto id = d.data->rows() ? d.data->ids()[0] : 0;
    if (!d.partition.empty() && id <= progress_.ids[name])
      return std::optional<runtime::write_order>{};
    progress_.ids[name] = id;
    order.data = d.data;
  } else if (!d.data->carries_rows() || d.data->rows() == 0) {
    return std::optional<runtime::write_order>{};
  } else {
    if (!has_system_columns(*d.data->schema))
      return rejected("namespace " + name + ": the first three columns must be ums_id_, ums_ts_, "
                      "ums_op_; other writers' rows need them to be told apart");
    auto& applied = progress_.ids[name];
    auto rows = wanted_rows(d.data, d.partition.empty() ? INT64_MIN : applied);
    if (rows->rows() == 0)
      return std::optional<runtime::write_order>{};
    applied = std::max(applied, rows->ids().back());
    order.origin = d;
    order.origin.data = rows;
    auto out = run_steps(rows, order.unfit);
    if (!out)
      return out.error();
    order.data = *out;
  }
  order.after = progress_;
  return std::optional<runtime::write_order>{std::move(order)};
}

result<ums::batch_ptr> pipeline::run_steps(const ums::batch_ptr& rows,
                                           std::vector<runtime::unfit_row>& unfit) {
  auto current = rows;
  for (size_t i = 0; i < steps_.size() && current->rows() > 0; ++i) {
    bad_rows bad;
    auto next = steps_[i]->apply(current, bad);
    if (!next)
      return next.error().in("step " + std::to_string(i + 1));
    for (auto& row : bad.rows)
      unfit.push_back({row_of_origin(*rows, *current, row.index),
                       "step " + std::to_string(i + 1) + ": " + row.reason});
    current = std::move(*next);
  }
  return current;
}

} // namespace rtdp::flow
