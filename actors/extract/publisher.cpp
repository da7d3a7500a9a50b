#include "actors/extract/publisher.hpp"

#include "runtime/ums/codec.hpp"

namespace rtdp::extract {

error publisher::publish(const ums::batch& b) {
  auto key = ums::message_key(b.kind, b.schema->name);
  for (size_t first = 0; first < b.rows();) {
    auto count = ums::rows_that_fit(b, first, message_bytes_);
    text_.clear();
    if (auto failed = ums::write(ums::slice{&b, first, count}, text_))
      return failed;
    if (auto failed = producer_->send(to_, key, text_))
      return failed;
    unflushed_bytes_ += text_.size();
    bytes_total_ += text_.size();
    first += count;
  }
  return {};
}

error publisher::flush(std::chrono::milliseconds timeout) {
  if (unflushed_bytes_ == 0)
    return {};
  if (auto failed = producer_->flush(timeout))
    return failed;
  unflushed_bytes_ = 0;
  return {};
}

} // namespace rtdp::extract
