#include "actors/flow/aggregate_row.hpp"

#include "actors/flow/cells.hpp"

namespace rtdp::flow {
namespace {

bool read_group(const row_to_read& r, contribution& fresh, std::string& why) {
  std::string_view before = r.old ? std::string_view(r.old->group) : std::string_view();
  for (size_t i = 0; i < r.plan.by.size(); ++i) {
    auto cell = before.substr(0, key_size(before));
    before.remove_prefix(cell.size());
    if (r.plan.by[i] < 0) {
      fresh.group += cell;
      continue;
    }
    const auto& c = r.batch.columns[size_t(r.plan.by[i])];
    if (c.is_null(r.row))
      why = r.settings.by[i] + " is null, and a null cannot be a key of the target; coalesce it in "
                               "a sql step before";
    else if (!append_key(c, r.row, fresh.group))
      why = r.settings.by[i] + " is no plain number";
    if (!why.empty())
      return false;
  }
  return true;
}

bool read_sums(const row_to_read& r, contribution& fresh, std::string& why) {
  for (size_t i = 0; i < r.plan.sums.size(); ++i) {
    auto& into = fresh.sums.emplace_back();
    if (r.plan.sums[i] < 0) {
      into = r.old->sums[i];
      continue;
    }
    const auto& c = r.batch.columns[size_t(r.plan.sums[i])];
    if (c.is_null(r.row))
      continue;
    if (ums::storage_of(c.type()) == ums::storage::ints)
      into = exact{c.ints()[r.row], 0};
    else
      into = exact_of(c.text(r.row));
    if (!into) {
      why = r.settings.sums[i].of + " cannot be added: it is no plain number of at most 38 digits";
      return false;
    }
  }
  return true;
}

bool read_values(const row_to_read& r, contribution& fresh, std::string& why) {
  for (size_t i = 0; i < r.plan.values.size(); ++i) {
    auto& into = fresh.values.emplace_back();
    if (r.plan.values[i] < 0) {
      into = r.old->values[i];
      continue;
    }
    const auto& c = r.batch.columns[size_t(r.plan.values[i])];
    if (!c.is_null(r.row) && !append_key(c, r.row, into)) {
      why = "a value that min or max looks at is no plain number";
      return false;
    }
  }
  return true;
}

} // namespace

bool read_row(const row_to_read& r, contribution& fresh, std::string& why) {
  if (!r.plan.is_whole && !r.old) {
    why = "the log did not carry every column (an unchanged TOAST value; REPLICA IDENTITY FULL "
          "sends it), and the row was not seen before";
    return false;
  }
  return read_group(r, fresh, why) && read_sums(r, fresh, why) && read_values(r, fresh, why);
}

} // namespace rtdp::flow
