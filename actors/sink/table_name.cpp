#include "actors/sink/table_name.hpp"

#include <fmt/format.h>

namespace rtdp::sink {

std::string quote(std::string_view name) {
  std::string out{'"'};
  for (char c : name) {
    if (c == '"')
      out += '"';
    out += c;
  }
  return out += '"';
}

error check_name(std::string_view name, size_t bytes_max) {
  if (name.empty())
    return rejected("a name is empty; give each table and column a name");
  if (name.find('\0') != name.npos)
    return rejected(fmt::format("the name '{}' holds a NUL byte; rename it in a sql step",
                                name.substr(0, name.find('\0'))));
  if (name.size() > bytes_max)
    return rejected(fmt::format("the name '{}' has {} bytes, the store keeps {}; rename it in a "
                                "sql step or choose another table",
                                name, name.size(), bytes_max));
  return {};
}

namespace {

/// Takes one part from the front of `text`; false when it is malformed.
bool take_part(std::string_view& text, std::string& part) {
  part.clear();
  if (text.empty() || text.front() != '"') {
    auto end = std::min(text.find('.'), text.size());
    part = text.substr(0, end);
    text.remove_prefix(end);
    return !part.empty() && part.find('"') == part.npos;
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '"') {
      part += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '"') {
      part += text[i++];
    } else {
      text.remove_prefix(i + 1);
      return !part.empty();
    }
  }
  return false;
}

} // namespace

result<table_name> table_name::parse(std::string_view text) {
  table_name name;
  auto rest = text;
  bool good = take_part(rest, name.table);
  if (good && !rest.empty()) {
    good = rest.front() == '.';
    rest.remove_prefix(1);
    name.schema = std::move(name.table);
    good = good && take_part(rest, name.table) && rest.empty();
  }
  if (!good)
    return rejected(fmt::format("expected a table as TABLE or SCHEMA.TABLE, an odd name in double "
                                "quotes; found '{}'",
                                text));
  return name;
}

std::string table_name::sql() const {
  return schema.empty() ? quote(table) : quote(schema) + '.' + quote(table);
}

std::string list(const std::vector<std::string>& quoted, std::string_view prefix) {
  return fmt::format("{}{}", quoted.empty() ? "" : prefix,
                     fmt::join(quoted, fmt::format(", {}", prefix)));
}

} // namespace rtdp::sink
