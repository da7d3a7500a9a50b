/// Rows per second of the steps with state, on one core and with a million keys: batches as a flow
/// has them under load, keys at random, each batch's changes made ready for the changelog and the
/// file written as far as a running flow writes it. CPU is that of all threads.
#include "actors/flow/stateful_step.hpp"

#include <yaml-cpp/yaml.h>

#include <benchmark/benchmark.h>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

namespace {

using namespace rtdp;

constexpr int64_t keys = 1'000'000, batch_rows = 16'384, groups = 50'000;

std::unique_ptr<flow::step> made(const std::string& kind, const std::string& yaml) {
  for (const auto& k : flow::kinds())
    if (k.spec.name == kind) {
      config::section settings;
      k.spec.parse(YAML::Load(yaml), kind, settings);
      return k.make(settings);
    }
  return nullptr;
}

/// Orders: a primary key, a customer, a price.
class orders {
public:
  orders() {
    using ums::type;
    ums::schema s{{"postgres", "shop", "public", "orders"},
                  0,
                  {{.name = "ums_id_", .type = type::long_, .nullable = false},
                   {.name = "ums_ts_", .type = type::datetime, .nullable = false},
                   {.name = "ums_op_", .type = type::string, .nullable = false},
                   {.name = "id", .type = type::long_, .nullable = false, .key = true},
                   {.name = "customer_id", .type = type::long_},
                   {.name = "price", .type = type::decimal, .native = "numeric(12,2)"}}};
    schema_ = std::make_shared<const ums::schema>(std::move(s));
  }

  ums::batch_ptr next(char op, bool at_random) {
    auto b = std::make_shared<ums::batch>(schema_);
    for (int64_t i = 0; i < batch_rows; ++i) {
      auto id = at_random ? int64_t(random_() % keys) : next_++;
      b->columns[0].append_int(++ums_id_);
      b->columns[1].append_int(ums_id_);
      b->columns[2].append_text({&op, 1});
      b->columns[3].append_int(id);
      b->columns[4].append_int(int64_t(random_() % groups));
      b->columns[5].append_text(std::to_string(random_() % 100'000) + ".50");
    }
    return b;
  }

private:
  ums::schema_ptr schema_;
  std::mt19937_64 random_{7};
  int64_t ums_id_ = 0, next_ = 0;
};

/// Updates of rows at random after all of them were inserted, or inserts of keys never seen.
void rows(benchmark::State& state, const char* kind, const char* yaml, char op, bool at_random) {
  auto file = std::filesystem::temp_directory_path() / "rtdp-state-bench";
  std::filesystem::remove_all(file);
  {
    auto data = state::keyed_state::open({.path = file / "f.db"});
    (*data)->begin(1, 0);
    auto step = made(kind, yaml);
    int64_t id = 0;
    step->with_state()->attach({data->get(), 0, [&id] { return ++id; }});
    orders from;
    auto one = [&](const ums::batch_ptr& b) {
      flow::batches out;
      std::vector<flow::refused_row> refused;
      if (step->with_state()->take({b}, out, refused) || !refused.empty())
        state.SkipWithError("the step failed");
      benchmark::DoNotOptimize((*data)->commit());
      if ((*data)->committed((*data)->point().version))
        state.SkipWithError("the state failed");
    };
    for (int64_t i = 0; i < keys; i += batch_rows)
      one(from.next('i', false));
    for (auto _ : state) {
      state.PauseTiming();
      auto b = from.next(op, at_random);
      state.ResumeTiming();
      one(b);
    }
  }
  state.SetItemsProcessed(state.iterations() * batch_rows);
  std::filesystem::remove_all(file);
}

/// By the CPU time of all threads: the file is written by one of its own.
void measured(benchmark::internal::Benchmark* b) { b->Iterations(60)->MeasureProcessCPUTime(); }

constexpr const char* sums = "{by: [customer_id], count: n, sum: [price]}";
constexpr const char* edges =
    "{by: [customer_id], count: n, sum: [price], min: [price], max: [price]}";

BENCHMARK_CAPTURE(rows, aggregate_updates, "aggregate", sums, 'u', true)->Apply(measured);
BENCHMARK_CAPTURE(rows, aggregate_inserts, "aggregate", sums, 'i', false)->Apply(measured);
BENCHMARK_CAPTURE(rows, aggregate_updates_min_max, "aggregate", edges, 'u', true)->Apply(measured);
BENCHMARK_CAPTURE(rows, dedupe_new, "dedupe", "{keys: [id], within: 30d}", 'i', false)->Apply(measured);
BENCHMARK_CAPTURE(rows, dedupe_seen, "dedupe", "{keys: [id], within: 30d}", 'i', true)->Apply(measured);

} // namespace

BENCHMARK_MAIN();
