#include "runtime/cluster/table_snapshot.hpp"

#include "runtime/ums/namespace.hpp"

#include <algorithm>

namespace rtdp::cluster {

namespace {

using ums::ns;

/// "orders" is a table, "public.orders" a database and a table, all else a namespace.
std::optional<ns> pattern_in(const std::string& text) {
  auto parsed = ns::parse(text);
  if (!parsed)
    return {};
  auto any = [&](ns::part p) { return (*parsed)[p] == "*"; };
  if (!any(ns::database))
    return *parsed;
  auto out = *ns::parse("*");
  if (any(ns::instance)) {
    out.set(ns::table, (*parsed)[ns::datastore]);
  } else {
    out.set(ns::database, (*parsed)[ns::datastore]);
    out.set(ns::table, (*parsed)[ns::instance]);
  }
  return out;
}

/// As `tables:` takes any name.
std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (char c : name)
    out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

} // namespace

result<std::pair<runtime::snapshot_order, std::string>>
find_order(const std::vector<runtime::report>& all, const ops::snapshot_order& asked) {
  auto pattern = pattern_in(asked.table);
  if (!pattern)
    return rejected("\"" + asked.table + "\" is no name of a table");
  std::vector<ns> found;
  std::string names;
  for (const auto& r : all) {
    if (r.component != "table" || r.state == "stopped")
      continue;
    auto name = ns::parse(r.name);
    if (!name || !pattern->matches(*name) ||
        (!asked.source.empty() && (*name)[ns::instance] != asked.source))
      continue;
    found.push_back(*name);
    names += (names.empty() ? "" : ", ") + r.name;
  }
  if (found.empty())
    return rejected("no source reads a table " + asked.table +
                    (asked.source.empty() ? "" : " of source " + asked.source) +
                    "; `rtdp tables` lists them");
  if (found.size() > 1)
    return rejected(asked.table + " is the name of several tables; give one of them: " + names);
  const auto& t = found.front();
  return std::pair(
      runtime::snapshot_order{.source = t[ns::instance],
                              .table = quoted(t[ns::database]) + "." + quoted(t[ns::table]),
                              .verb = asked.verb,
                              .where = asked.where,
                              .sweep = asked.sweep},
      t.text());
}

} // namespace rtdp::cluster
