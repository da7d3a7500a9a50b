#include "actors/extract/postgres_driver.hpp"

namespace rtdp::extract::pg {

error postgres_driver::open_beat(bool slot_exists) {
  beat_.reset();
  if (!set_.heartbeat_table)
    return {};
  beat_.emplace(name_, *set_.heartbeat_table, set_.connect);
  if (auto failed = beat_->prepare(*catalog_, set_.create, tables_))
    return failed;
  std::vector<captured_table> table{{.name = beat_->table()}};
  return ensure_publication(*catalog_, set_.publication, set_.create, table, slot_exists);
}

error postgres_driver::beat(int64_t now_us) {
  return beat_ && phase_ != phase::closed ? beat_->write(now_us) : error{};
}

} // namespace rtdp::extract::pg
