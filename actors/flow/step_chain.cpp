#include "actors/flow/step_chain.hpp"

#include "actors/flow/stateful_step.hpp"

namespace rtdp::flow {
namespace {

/// A step that counts rows needs the ones of the source, told apart as the source does.
error fits_before_count(bool row_wise, const std::vector<std::string>& keys,
                        const std::vector<std::string>& found) {
  if (!row_wise)
    return rejected("a step before it makes rows of several rows, and what becomes of them when one "
                    "of these changes cannot be told; filters and computed columns may stand there");
  if (found != keys)
    return rejected("the steps before it must keep the key under its own name (" + joined(keys) +
                    "), found: " + joined(found));
  return {};
}

} // namespace

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

step_chain prepare_chain(const std::vector<std::unique_ptr<step>>& steps,
                         const ums::schema& input) {
  step_chain out;
  out.schema = input;
  auto keys = input.keys();
  bool row_wise = true;
  for (; out.step < steps.size(); ++out.step) {
    auto& step = *steps[out.step];
    auto* remembers = step.with_state();
    bool counts = remembers && remembers->counts_rows();
    if (counts)
      if ((out.failed = fits_before_count(row_wise, keys, out.schema.keys())))
        return out;
    auto next = step.prepare(out.schema);
    if (!next) {
      out.failed = next.error();
      return out;
    }
    out.schema = std::move(*next);
    if (counts)
      keys = out.schema.keys();
    row_wise = counts || (row_wise && step.row_wise());
    out.keeps_rows = out.keeps_rows && !counts && row_wise;
  }
  return out;
}

} // namespace rtdp::flow
