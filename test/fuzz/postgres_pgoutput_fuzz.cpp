/// Any bytes as messages of PostgreSQL's change stream: decoding reads nothing behind them, says
/// the same twice, and every text of a value is converted or refused whole.
#include "actors/extract/postgres_pgoutput.hpp"
#include "actors/extract/postgres_types.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace rtdp;
using namespace rtdp::extract::pg;

void require(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void inside(std::string_view text, std::string_view bytes) {
  require(text.empty() || (text.data() >= bytes.data() &&
                           text.data() + text.size() <= bytes.data() + bytes.size()),
          "values are part of the message");
}

void convert(std::string_view text) {
  for (auto [type, how] : {std::pair{ums::type::int_, conversion::integer},
                           {ums::type::float_, conversion::real4},
                           {ums::type::double_, conversion::real8},
                           {ums::type::boolean, conversion::boolean},
                           {ums::type::date, conversion::date},
                           {ums::type::datetime, conversion::timestamp},
                           {ums::type::binary, conversion::bytes},
                           {ums::type::string, conversion::text}})
    for (auto append : {append_text, append_binary}) {
      ums::column c(type);
      auto done = append(c, how, text);
      require(c.size() == size_t(done), "a value is one value or none");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static message used;
  message fresh;
  auto failed = decode(bytes, fresh);
  require(bool(decode(bytes, used)) == bool(failed),
          "a message that was used before reads the same");
  convert(bytes);
  if (failed)
    return 0;
  require(used.type == fresh.type, "the type is the same");
  if (fresh.type != 'I' && fresh.type != 'U' && fresh.type != 'D')
    return 0;
  require(used.new_row.size() == fresh.new_row.size(), "the new row is the same");
  require(used.old_row.size() == fresh.old_row.size(), "the old row is the same");
  for (const auto* row : {&fresh.old_row, &fresh.new_row})
    for (const auto& c : *row) {
      inside(c.value, bytes);
      convert(c.value);
    }
  return 0;
}
