#include "runtime/bus/kafka_endpoints.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;

namespace {

/// Kafka undoes a transaction that is older, and readers wait behind its first message until then.
constexpr milliseconds transaction_timeout{10'000};
constexpr milliseconds take_timeout{10'000};
/// Undoing is a courtesy to readers: Kafka does it anyway, later.
constexpr milliseconds abort_timeout{1'000};

struct error_destroyer {
  void operator()(rd_kafka_error_t* e) const { rd_kafka_error_destroy(e); }
};
/// Null: it went well.
using refusal = std::unique_ptr<rd_kafka_error_t, error_destroyer>;

bool is_fence(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

int count(milliseconds d) { return int(std::max<int64_t>(d.count(), 1)); }

/// Calls until it goes well, cannot go well, or the time is over. librdkafka waits itself; what it
/// says may be tried again is tried at once.
template<class F>
refusal repeat(milliseconds timeout, F call) {
  auto until = steady_clock::now() + timeout;
  for (;;) {
    auto left = ceil<milliseconds>(until - steady_clock::now());
    refusal refused(call(count(left)));
    if (!refused || !rd_kafka_error_is_retriable(refused.get()) || steady_clock::now() >= until)
      return refused;
  }
}

} // namespace

result<std::unique_ptr<producer>> kafka_fenced_producer::make(
    const kafka_settings& settings, const std::string& id, std::shared_ptr<kafka_client> asking) {
  auto own = options(settings);
  own["transactional.id"] = id;
  own["transaction.timeout.ms"] = std::to_string(transaction_timeout.count());
  // A message that does not arrive undoes its transaction as a whole: no gap can come of it.
  own["message.timeout.ms"] = std::to_string(transaction_timeout.count());
  own["retry.backoff.ms"] = "10";
  auto client = kafka_client::make(settings, RD_KAFKA_PRODUCER, id, own);
  if (!client)
    return client.error();
  std::unique_ptr<kafka_fenced_producer> made(
      new kafka_fenced_producer(std::move(*client), std::move(asking)));
  made->id_ = id;
  if (auto failed = made->take_id(take_timeout))
    return failed;
  return std::unique_ptr<producer>(std::move(made));
}

kafka_fenced_producer::~kafka_fenced_producer() { abort(); }

error kafka_fenced_producer::take_id(milliseconds timeout) {
  auto refused = repeat(
      timeout, [&](int ms) { return rd_kafka_init_transactions(client_->handle(), ms); });
  return refused ? client_->failed(rd_kafka_error_code(refused.get()), "taking the id " + id_)
                 : error{};
}

error kafka_fenced_producer::begin() {
  if (begun_)
    return {};
  refusal refused(rd_kafka_begin_transaction(client_->handle()));
  if (refused)
    return give_up(client_->failed(rd_kafka_error_code(refused.get()),
                                   "beginning a transaction of " + id_));
  begun_ = true;
  return {};
}

error kafka_fenced_producer::send(const partition& to, std::string_view key,
                                  std::string_view value) {
  if (dead_)
    return dead_;
  if (auto failed = begin())
    return failed;
  auto failed = kafka_producer::send(to, key, value);
  return failed && dead_ ? give_up(failed) : failed;
}

error kafka_fenced_producer::flush(milliseconds timeout) {
  if (dead_)
    return dead_;
  if (!begun_)
    return {};
  if (auto failed = commit(timeout))
    return give_up(failed);
  begun_ = false;
  return {};
}

error kafka_fenced_producer::commit(milliseconds timeout) {
  auto refused = repeat(
      timeout, [&](int ms) { return rd_kafka_commit_transaction(client_->handle(), ms); });
  auto undelivered = client_->take_delivery_error();
  if (!refused)
    return undelivered;
  return client_->failed(rd_kafka_error_code(refused.get()),
                         "committing a transaction of " + id_ + ", " +
                             rd_kafka_error_string(refused.get()));
}

void kafka_fenced_producer::abort() {
  if (!std::exchange(begun_, false))
    return;
  (void)repeat(abort_timeout,
               [&](int ms) { return rd_kafka_abort_transaction(client_->handle(), ms); });
}

/// The error to tell: only when what was begun is undone it shows whether somebody has the id.
error kafka_fenced_producer::give_up(const error& why) {
  abort();
  char text[512];
  auto code = rd_kafka_fatal_error(client_->handle(), text, sizeof text);
  if (is_fence(code))
    return dead_ = fenced("the producer id " + id_ +
                          " was taken by another owner, or its transaction was older than " +
                          std::to_string(transaction_timeout.count()) + " ms: " + text);
  auto told = code == RD_KAFKA_RESP_ERR_NO_ERROR ? why : client_->failed(code, text);
  dead_ = told.in("this producer has failed before, make a new one");
  return told;
}

} // namespace rtdp::bus
