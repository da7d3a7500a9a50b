#include "actors/extract/table_options.hpp"

#include "actors/extract/driver.hpp"

#include <algorithm>
#include <iterator>

namespace rtdp::extract {

std::vector<config::field> with_table_options(std::vector<config::field> own) { return own; }

result<ums::ns> pattern_of(const std::string& datastore, const std::string& source,
                           const std::string& database, const std::string& table, bool any_table) {
  auto text = ums::ns(datastore, source, database, any_table ? "all" : table).text();
  // Version and partitions, and the table when any will do.
  for (int parts = any_table ? 4 : 3; parts > 0; --parts)
    text.resize(text.rfind('.'));
  return ums::ns::parse(text);
}

result<std::vector<table_options>> read_table_options(const kind& k, const std::string& source,
                                                      const config::section& settings) {
  std::vector<table_options> all;
  if (!k.pattern)
    return all;
  for (const auto& item : settings.get<config::sections>("tables")) {
    auto pattern = k.pattern(source, item.text("name"));
    if (!pattern)
      return pattern.error();
    all.push_back({std::move(*pattern), item});
  }
  return all;
}

const table_options* options_of(const std::vector<table_options>& all, const ums::ns& table) {
  auto at = std::find_if(all.begin(), all.end(),
                         [&](const table_options& o) { return o.pattern.matches(table); });
  return at == all.end() ? nullptr : &*at;
}

} // namespace rtdp::extract
