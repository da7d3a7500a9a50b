/// The `sql` step: a SELECT over the batch as a table.
#include "actors/flow/step.hpp"
#include "runtime/sql/batch_query.hpp"

namespace rtdp::flow {

namespace {

config::spec sql_spec() {
  using config::field;
  return config::spec("sql", "A SELECT over each batch. The batch is a table, named as the table "
                             "part of its namespace and also batch; ums_id_, ums_ts_ and ums_op_ "
                             "travel along unless the SELECT names them.")
      .add(field("sql", std::string(), "One SELECT in DuckDB's dialect.")
               .required()
               .sample("select * from batch"))
      .add(field("memory_limit_mb", int64_t{256},
                 "What the query may hold at a time; a batch that needs more fails the flow.")
               .range(16, 1024)
               .advanced())
      .add(field("timeout", std::chrono::milliseconds(30'000),
                 "How long the query may work on one batch; one that needs longer fails the flow.")
               .advanced());
}

result<std::unique_ptr<sql::batch_query>> open(const config::section& settings) {
  return sql::batch_query::open(
      settings.text("sql"), {settings.integer("memory_limit_mb"), settings.duration("timeout")});
}

class query_step final : public step {
public:
  explicit query_step(config::section settings) : settings_(std::move(settings)) {}

  result<ums::schema> prepare(const ums::schema& input) override {
    if (auto e = opened())
      return e;
    return query_->prepare(input);
  }

  bool row_wise() override { return !opened() && query_->row_wise(); }

  result<ums::batch_ptr> apply(const ums::batch_ptr& input, bad_rows& bad) override {
    if (auto e = opened())
      return e;
    sql::bad_row_map failed;
    auto out = query_->run(input, failed);
    for (auto& [index, reason] : failed)
      bad.rows.push_back({index, std::move(reason)});
    return out;
  }

private:
  error opened() {
    if (query_)
      return {};
    auto made = open(settings_);
    if (!made)
      return made.error();
    query_ = std::move(*made);
    return {};
  }

  config::section settings_;
  std::unique_ptr<sql::batch_query> query_;
};

} // namespace

kind sql_step() {
  return {sql_spec(),
          [](const config::section& settings) -> std::unique_ptr<step> {
            return std::make_unique<query_step>(settings);
          },
          [](const config::section& settings) -> error {
            auto opened = open(settings);
            return opened ? error() : opened.error();
          }};
}

} // namespace rtdp::flow
