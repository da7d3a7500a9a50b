/// Any text as a namespace and as a message key: what parses prints, and parses back as the same.
#include "runtime/ums/codec.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace rtdp::ums;

void require(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void check(const ns& name) {
  auto back = ns::parse(name.text());
  require(bool(back) && *back == name, "a printed name parses as itself");
  require(back->text() == name.text(), "and prints as itself");
  require(name.matches(name), "a name matches itself");
  ns any = *ns::parse("*");
  require(any.matches(name), "* matches all");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto name = ns::parse(text))
    check(*name);
  if (auto r = parse_key(text)) {
    check(r->name);
    auto again = parse_key(message_key(r->kind, r->name));
    require(bool(again) && again->kind == r->kind && again->name == r->name,
            "a key is read as written");
  }
  return 0;
}
