#include "actors/extract/log_rules.hpp"

namespace rtdp::extract::logs {

#define RULE(name) operation name##_operation();
#include "actors/extract/log_rules.def"
#undef RULE

const std::vector<operation>& operations() {
  static const std::vector<operation> all{
#define RULE(name) name##_operation(),
#include "actors/extract/log_rules.def"
#undef RULE
  };
  return all;
}

std::vector<config::field> rule_fields() {
  std::vector<config::field> fields;
  for (const auto& o : operations())
    fields.push_back(config::field(o.name, config::sections{}, o.doc).of(o.fields));
  return fields;
}

result<const operation*> operation_of(const config::section& step) {
  const operation* found = nullptr;
  for (const auto& o : operations()) {
    if (!step.lines.contains(o.name))
      continue;
    if (found != nullptr)
      return rejected(std::string("a step has one operator; found ") + found->name + " and " +
                      o.name + ": make them two steps, each with its own dash");
    found = &o;
  }
  if (found == nullptr)
    return rejected("a step names an operator, such as `- trim: {scope: 0}`; found none");
  if (step.get<config::sections>(found->name).empty())
    return rejected(std::string(found->name) + " has no settings");
  return found;
}

config::field scope_field() {
  return config::field("scope", std::string{},
                       "Cells: `*`, `n`, `-n`, `a:b`, `a,b,c`, or names; positions count from 0.")
      .required();
}

result<scope> changeable_scope(const config::section& item) {
  auto parsed = scope::parse(item.text("scope"));
  if (parsed && parsed->names_origin())
    return rejected("cells that begin with @ tell the event's origin and cannot be changed");
  return parsed;
}

std::vector<config::field> column_fields() {
  using config::field;
  return {
      field("type", std::string("string"), "UMS type of the column.")
          .one_of({"string", "int", "long", "float", "double", "boolean", "date", "datetime",
                   "decimal", "binary", "jsonarray", "jsonobject"}),
      field("key", false, "Part of the key of the table; such a column is required."),
      field("required", false, "A row without a value goes to the dead letters; else it is null."),
      field("time_format", std::string{},
            "Of a date or datetime that is not ISO 8601: `epoch_s`, `epoch_ms`, `epoch_us`, or "
            "a pattern of strptime with `%f` for a fraction: `%d/%b/%Y:%H:%M:%S %z`. Without a "
            "zone it is UTC.")};
}

column_settings read_column(const config::section& item) {
  auto key = item.flag("key");
  auto required = key || item.flag("required");
  return {.field = {.name = item.text("name"),
                    .type = ums::type_from(item.text("type")).value_or(ums::type::string),
                    .nullable = !required,
                    .key = key},
          .from = {},
          .required = required,
          .time_format = item.text("time_format")};
}

std::vector<column_settings> save_as_columns(const config::sections& items) {
  std::vector<column_settings> out;
  for (const auto& item : items)
    out.push_back(read_column(item));
  return out;
}

} // namespace rtdp::extract::logs
