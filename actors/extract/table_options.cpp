#include "actors/extract/table_options.hpp"

#include "actors/extract/driver.hpp"
#include "actors/extract/mask.hpp"
#include "actors/extract/routing.hpp"

#include <algorithm>
#include <iterator>

namespace rtdp::extract {

std::vector<config::field> with_table_options(std::vector<config::field> own) {
  using config::field;
  own.push_back(
      field("on_schema_change", std::string("evolve"),
            "When columns are dropped, renamed, narrowed or of another type, or the key changes. "
            "evolve: the new columns go on as a new version; ignore: the old columns go on, what "
            "no longer fits them is left out; fail: the source stops and says what changed. "
            "Added columns and wider types always go on.")
          .one_of({"evolve", "ignore", "fail"}));
  own.push_back(field("into", std::string(),
                      "Merges all tables of this item into one: its name on the bus, `orders`, "
                      "`database.orders` or `instance.database.orders`; what is left out stays as "
                      "it is. The physical name goes to the seventh part of the namespace.")
                    .sample("orders"));
  own.push_back(field("shard_column", std::string(),
                      "With `into`: a column of this name holds the physical name and belongs to "
                      "the key, for tables whose keys may collide. A TRUNCATE of one of them "
                      "needs it too.")
                    .sample("shard"));
  own.push_back(field("mask", config::sections{},
                      "Columns whose values are replaced before they leave for the bus; a row whose "
                      "mask cannot be computed goes to the dead letters without the value.")
                    .of(mask_fields())
                    .sample("[{column: email, with: sha256, salt: \"${env:SALT}\"}]"));
  for (auto& f : route_fields())
    own.push_back(std::move(f));
  return own;
}

result<ums::ns> pattern_of(const std::string& datastore, const std::string& source,
                           const std::string& database, const std::string& table, bool any_table) {
  auto text = ums::ns(datastore, source, database, any_table ? "all" : table).text();
  // Version and partitions, and the table when any will do.
  for (int parts = any_table ? 4 : 3; parts > 0; --parts)
    text.resize(text.rfind('.'));
  return ums::ns::parse(text);
}

result<ums::ns> glob_of(const std::string& datastore, const std::string& source,
                        const std::string& database, const std::string& table) {
  std::string text;
  for (const auto& part : {datastore, source, database, table}) {
    // A part with a star stands as it is, any other one as a name.
    auto name = part.find('*') == part.npos ? ums::ns(part, "0", "0", "0").text() : part;
    if (name != part)
      name.resize(name.size() - std::string_view(".0.0.0.0.0.0").size());
    text += (text.empty() ? "" : ".") + name;
  }
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
    auto merge = read_merge(item.text("into"), item.text("shard_column"));
    if (!merge)
      return merge.error().in("tables: " + item.text("name"));
    all.push_back({std::move(*pattern), item, std::move(*merge)});
  }
  return all;
}

const table_options* options_of(const std::vector<table_options>& all, const ums::ns& table) {
  auto at = std::find_if(all.begin(), all.end(),
                         [&](const table_options& o) { return o.pattern.matches(table); });
  return at == all.end() ? nullptr : &*at;
}

const table_options* options_of_published(const std::vector<table_options>& all,
                                          const ums::ns& table) {
  auto at = std::find_if(all.begin(), all.end(), [&](const table_options& o) {
    return o.merge ? o.merge->stands_for(o.pattern, table) : o.pattern.matches(table);
  });
  return at == all.end() ? nullptr : &*at;
}

} // namespace rtdp::extract
