/// Rows per second of the UMS codec on one core: messages of 1,000 rows with 8 columns (three
/// system columns, two longs, an int, a decimal, a text of 20 characters).
#include "runtime/ums/codec.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace rtdp::ums;

batch orders(size_t rows) {
  schema s;
  s.name = ns("postgres", "shop", "public", "orders");
  s.fields = {{"ums_id_", type::long_, false},  {"ums_ts_", type::datetime, false},
              {"ums_op_", type::string, false}, {"id", type::long_, false, true},
              {"customer_id", type::long_},     {"qty", type::int_},
              {"price", type::decimal},         {"note", type::string}};
  batch b(std::make_shared<const schema>(s));
  for (size_t i = 0; i < rows; ++i) {
    auto n = int64_t(i);
    b.columns[0].append_int(50'000'012'354 + n);
    b.columns[1].append_int(1'795'342'404'213'456 + n * 1'000'003);
    b.columns[2].append_text("i");
    b.columns[3].append_int(n * 7 + 1'000'000);
    b.columns[4].append_int(n * 7919 % 100'000);
    b.columns[5].append_int(n % 13);
    b.columns[6].append_text(std::to_string(n % 1000) + ".95");
    b.columns[7].append_text("note number " + std::to_string(10'000'000 + n));
  }
  return b;
}

void encode(benchmark::State& state) {
  auto b = orders(1000);
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (auto e = write(b, out))
      state.SkipWithError(e.text().c_str());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
  state.SetBytesProcessed(state.iterations() * int64_t(out.size()));
}
BENCHMARK(encode);

void decode(benchmark::State& state) {
  auto b = orders(1000);
  std::string message;
  if (auto e = write(b, message))
    state.SkipWithError(e.text().c_str());
  reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  for (auto _ : state) {
    into.clear();
    if (auto e = from.read(message, into, bad); e || into[0].rows() != 1000)
      state.SkipWithError("not read");
  }
  state.SetItemsProcessed(state.iterations() * 1000);
  state.SetBytesProcessed(state.iterations() * int64_t(message.size()));
}
BENCHMARK(decode);

void fit(benchmark::State& state) {
  auto b = orders(1000);
  for (auto _ : state)
    benchmark::DoNotOptimize(rows_that_fit(b, 0, 1 << 20));
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(fit);

} // namespace

BENCHMARK_MAIN();
