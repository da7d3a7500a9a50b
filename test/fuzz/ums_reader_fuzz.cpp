/// Any bytes as a message: what is read can be written, and reads back as the same rows.
#include "test/runtime/ums/messages.hpp"

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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static reader from;
  std::vector<batch> into;
  std::vector<bad_row> bad;
  if (from.read({reinterpret_cast<const char*>(data), size}, into, bad)) {
    require(into.empty() && bad.empty(), "an error takes nothing");
    return 0;
  }
  require(into.size() <= 1, "a message is one batch");
  for (const auto& b : into) {
    for (const auto& c : b.columns)
      require(c.size() == b.rows(), "all columns are of one length");
    std::string text;
    require(!write(b, text), "what was read can be written");
    auto back = read_all(text);
    require(!back.failed && back.bad.empty(), "what was written can be read");
    require(back.batches.size() == 1, "it is one batch again");
    require(*back.batches[0].schema == *b.schema, "the schema is the same");
    require(shown(back.batches[0]) == shown(b), "the rows are the same");
    if (b.rows() > 0)
      require(rows_that_fit(b, 0, text.size()) >= 1, "a row fits always");
  }
  return 0;
}
