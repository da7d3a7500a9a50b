/// Orders for SINK as a flow gives them: rows with the given ids, read from topic "t".
#pragma once

#include "runtime/protocol.hpp"
#include "test/actors/sink/contract.hpp"

#include <memory>
#include <vector>

namespace rtdp::sink::test {

inline ums::batch_ptr rows_with(const std::vector<int64_t>& ids) {
  std::vector<row> rows;
  for (auto id : ids)
    rows.push_back({'i', id, {std::to_string(id), "n", "1"}});
  return std::make_shared<const ums::batch>(batch_of(orders(), rows));
}

inline state::progress progress_of(int64_t offset, int64_t id) {
  state::progress p;
  p.offsets["t/0"] = offset;
  p.apply(orders()->name.text(), "t/0", id);
  return p;
}

/// One message at `offset` with these ids; everything in front of it is applied.
inline runtime::write_order order_of(int64_t offset, const std::vector<int64_t>& ids) {
  runtime::write_order o;
  o.data = rows_with(ids);
  o.before = progress_of(offset, ids.front() - 1);
  o.after = progress_of(offset + 1, ids.back());
  o.origin = {o.data, "t/0", offset, offset + 1, 0};
  return o;
}

} // namespace rtdp::sink::test
