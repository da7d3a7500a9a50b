#include "runtime/ums/schema.hpp"

#include <algorithm>

namespace rtdp::ums {

std::optional<size_t> schema::find(std::string_view field_name) const {
  for (size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == field_name)
      return i;
  return {};
}

std::vector<std::string> schema::keys() const {
  std::vector<std::string> names;
  for (const auto& f : fields)
    if (f.key)
      names.push_back(f.name);
  return names;
}

namespace {
constexpr std::string_view type_names[] = {"string",  "int",     "long",      "float",
                                           "double",  "boolean", "date",      "datetime",
                                           "decimal", "binary",  "jsonarray", "jsonobject"};
} // namespace

std::string_view to_string(type t) { return type_names[size_t(t)]; }

std::optional<type> type_from(std::string_view name) {
  auto at = std::find(std::begin(type_names), std::end(type_names), name);
  if (at == std::end(type_names))
    return {};
  return type(at - std::begin(type_names));
}

} // namespace rtdp::ums
