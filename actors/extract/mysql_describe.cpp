#include "actors/extract/mysql_describe.hpp"

#include "actors/extract/driver.hpp"
#include "actors/extract/mysql_settings.hpp"

#include <algorithm>

namespace rtdp::extract::my {

result<std::vector<ums::schema>> describe_source(const std::string& name,
                                                 const config::section& given) {
  auto until = std::chrono::steady_clock::now() + describe_time;
  auto set = read_settings(name, given);
  if (set.wrong)
    return set.wrong;
  set.connect.timeout = std::min(set.connect.timeout, describe_time);
  auto c = connection::open(set.connect);
  if (!c)
    return c.error();
  auto tables = find_tables(*c, set.tables);
  if (!tables)
    return tables.error();
  std::vector<ums::schema> out;
  for (const auto& t : *tables) {
    if (std::chrono::steady_clock::now() >= until)
      return unavailable("describing its " + std::to_string(tables->size()) +
                         " tables takes more than " + std::to_string(describe_time.count()) + " ms");
    table_state state{.name = t.name};
    if (auto failed = read_columns(*c, state))
      return failed;
    std::vector<ums::field> fields;
    for (const auto& column : state.columns) {
      auto planned = plan_column(column, set.zeros);
      if (!planned)
        return planned.error().in("table " + quoted(t.name));
      fields.push_back(planned->field);
    }
    out.push_back(schema_of({"mysql", name, t.name.database, t.name.table}, fields));
  }
  return out;
}

} // namespace rtdp::extract::my
