/// Any bytes as a settings file with overrides: loading and checking never throw or crash, and no
/// problem shows a secret, whether it came by reference or stands in a `secret` setting.
#include "test/config/toy.hpp"

#include <cstdio>
#include <cstdlib>

using namespace rtdp::config;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto kinds = toy::kinds();
  static const auto world = toy::here();
  std::string text(reinterpret_cast<const char*>(data), size);
  // What the file shows itself, outside of a `secret` setting, is not hidden.
  if (text.find(toy::password) != text.npos)
    return 0;
  // Behind a byte that no file may hold: one override.
  std::vector<std::string> overrides;
  if (auto at = text.find('\x1F'); at != text.npos) {
    overrides.push_back(text.substr(at + 1));
    text.resize(at);
  }
  overrides.push_back(std::string("sinks.planted.url=postgres://app:") + toy::password +
                      "@db/shop");
  overrides.push_back("sinks.planted.kind=postgres");

  auto checked = check(load_text(text, overrides, world), kinds);
  if (checked.problems.empty()) {
    std::fprintf(stderr, "a secret that stands in the file was accepted\n");
    std::abort();
  }
  for (const auto& p : checked.problems) {
    auto shown = to_string(p, "fuzz.yaml");
    if (shown.find(toy::password) != shown.npos || p.line < 0) {
      std::fprintf(stderr, "%s\n", shown.c_str());
      std::abort();
    }
  }
  return 0;
}
