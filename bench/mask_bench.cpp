/// Values per second of each kind of mask on one core: a column of e-mail addresses.
#include "actors/extract/mask.hpp"

#include <yaml-cpp/yaml.h>

#include <benchmark/benchmark.h>
#include <string>

namespace {

using namespace rtdp;

constexpr int rows = 100'000;

extract::mask_settings settings(const std::string& yaml, bool keyed) {
  config::spec spec("mask", "");
  spec.fields = extract::mask_fields();
  config::section given;
  spec.parse(YAML::Load("{column: c, " + yaml + "}"), "mask", given);
  if (keyed)
    given.values["salt"] = config::secret("salt and pepper");
  return *extract::read_mask(given);
}

void masks(benchmark::State& state, const std::string& yaml, bool keyed) {
  ums::column from(ums::type::string);
  for (int i = 0; i < rows; ++i)
    from.append_text("customer" + std::to_string(i) + "@example.org");
  auto how = extract::make_mask(settings(yaml, keyed));
  for (auto _ : state) {
    ums::column to(ums::type::string);
    std::vector<extract::mask_failure> failures;
    (*how)->apply(from, to, failures);
    benchmark::DoNotOptimize(to.arena().data());
  }
  state.SetItemsProcessed(int64_t(state.iterations()) * rows);
}

BENCHMARK_CAPTURE(masks, sha256, "with: sha256", true);
BENCHMARK_CAPTURE(masks, hmac, "with: hmac", true);
BENCHMARK_CAPTURE(masks, digits, "with: digits", true);
BENCHMARK_CAPTURE(masks, partial, "with: partial, first: 2", false);
BENCHMARK_CAPTURE(masks, regex, "with: regex, pattern: '^[^@]+', replacement: x", false);

} // namespace

BENCHMARK_MAIN();
