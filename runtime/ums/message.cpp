#include "runtime/ums/message.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_set>

namespace rtdp::ums {

namespace {

bool at_string(const json::cursor& at) { return at.peek() == '"'; }

bool at_plain(const json::cursor& at) {
  constexpr std::string_view no_scalar{"{}[]:,\"\0", 8};
  return no_scalar.find(at.peek()) == no_scalar.npos;
}

error read_string(json::cursor& at, std::string_view what, std::string& out) {
  if (!at_string(at))
    return wrong_at(at, std::string(what) + " as a string");
  auto start = at;
  if (!json::unescape(at.scalar(), out))
    return wrong_at(start, "an escape that JSON knows in " + std::string(what));
  return {};
}

error read_flag(json::cursor& at, std::string_view what, bool& out) {
  auto start = at;
  auto text = at_plain(at) ? at.scalar() : std::string_view{};
  if (text != "true" && text != "false")
    return wrong_at(start, std::string(what) + " to be true or false");
  out = text == "true";
  return {};
}

/// A number, in quotes or not.
error read_integer(json::cursor& at, std::string_view what, int64_t& out) {
  auto start = at;
  auto text = at_plain(at) || at_string(at) ? at.scalar() : std::string_view{};
  auto end = text.data() + text.size();
  auto [ptr, code] = std::from_chars(text.data(), end, out);
  if (text.empty() || ptr != end || code != std::errc{})
    return wrong_at(start, std::string(what) + " as a whole number");
  return {};
}

/// Calls `read(key)` for each pair of the object at `at`; it reads the value.
template<class F>
error each_pair(json::cursor& at, std::string_view what, F read) {
  if (!at.skip('{'))
    return wrong_at(at, std::string(what) + " as an object");
  if (at.skip('}'))
    return {};
  do {
    std::string_view key;
    if (!at.key(key))
      return wrong_at(at, "a key of " + std::string(what));
    if (auto e = read(key))
      return e;
  } while (at.skip(','));
  return at.skip('}') ? error{} : wrong_at(at, "a comma or the end of " + std::string(what));
}

error skip_unknown(json::cursor& at) {
  return at.skip_value() ? error{} : wrong_at(at, "a JSON value");
}

/// `raw` is DBus's word for Oracle RAW; how its text is to be read depends on the DBus release, so
/// the text is kept as it stands.
std::optional<type> type_of(std::string& name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return name == "raw" ? type::string : type_from(name);
}

error read_field(json::cursor& at, field& out) {
  auto start = at;
  std::string type_name, native;
  // Wormhole's default when the key is absent.
  out.nullable = false;
  auto e = each_pair(at, "a field", [&](std::string_view key) -> error {
    if (key == "name")
      return read_string(at, "name", out.name);
    if (key == "type")
      return read_string(at, "type", type_name);
    if (key == "native")
      return read_string(at, "native", out.native);
    if (key == "nullable")
      return read_flag(at, "nullable", out.nullable);
    if (key == "key")
      return read_flag(at, "key", out.key);
    if (key == "encoded")
      return read_flag(at, "encoded", out.encoded);
    return skip_unknown(at);
  });
  if (e)
    return e;
  if (out.name.empty())
    return wrong_at(start, "a field with a name");
  auto known = type_of(type_name);
  if (!known)
    return wrong_at(start,
                    "a UMS type for field " + shown(out.name) + ", found " + shown(type_name));
  out.type = *known;
  return {};
}

error read_fields(json::cursor& at, std::vector<field>& out) {
  if (!at.skip('['))
    return wrong_at(at, "fields as an array");
  if (at.skip(']'))
    return {};
  do {
    if (auto e = read_field(at, out.emplace_back()))
      return e;
  } while (at.skip(','));
  return at.skip(']') ? error{} : wrong_at(at, "a comma or the end of fields");
}

error check_names(const json::cursor& at, const std::vector<field>& fields) {
  std::unordered_set<std::string_view> seen;
  for (const auto& f : fields)
    if (!seen.insert(f.name).second)
      return wrong_at(at, "each field once, found two named " + shown(f.name));
  return {};
}

error read_schema(json::cursor& at, schema& out) {
  auto start = at;
  std::string name;
  auto e = each_pair(at, "schema", [&](std::string_view key) -> error {
    if (key == "namespace")
      return read_string(at, "namespace", name);
    if (key == "batchId")
      return read_integer(at, "batchId", out.batch_id);
    if (key == "fields" && out.fields.empty())
      return read_fields(at, out.fields);
    return skip_unknown(at);
  });
  if (!e)
    e = check_names(start, out.fields);
  if (e)
    return e;
  auto parsed = ns::parse(name);
  if (!parsed)
    return parsed.error().in("message, schema");
  out.name = *parsed;
  return {};
}

/// Moves the system columns to the front, keeps the order of the others, and remembers what moved.
void order(schema& s, known_schema& out) {
  constexpr std::string_view names[] = {id_name, ts_name, op_name};
  std::vector<size_t> source;
  for (auto name : names)
    if (auto at = s.find(name))
      source.push_back(*at);
    else if (out.no_data.empty())
      out.no_data = "the schema has no " + std::string(name);
  for (size_t i = 0; i < s.fields.size(); ++i)
    if (std::find(source.begin(), source.end(), i) == source.end())
      source.push_back(i);
  std::vector<field> ordered;
  out.columns.resize(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    out.columns[source[i]] = uint32_t(i);
    ordered.push_back(std::move(s.fields[source[i]]));
  }
  s.fields = std::move(ordered);
}

error check_system_types(const json::cursor& at, schema& s) {
  for (auto& f : s.fields) {
    auto wanted = f.name == id_name   ? type::long_
                  : f.name == ts_name ? type::datetime
                  : f.name == op_name ? type::string
                                      : f.type;
    if (wanted == type::long_ && f.type == type::int_)
      f.type = type::long_;
    if (f.type != wanted)
      return wrong_at(at, f.name + " of type " + std::string(to_string(wanted)) + ", found " +
                              std::string(to_string(f.type)));
  }
  return {};
}

} // namespace

error wrong_at(const json::cursor& at, std::string_view expected) {
  return rejected("message, byte " + std::to_string(at.byte()) + ": expected " +
                  std::string(expected));
}

std::string shown(std::string_view value) {
  constexpr size_t most = 80;
  if (value.size() <= most)
    return '"' + std::string(value) + '"';
  auto cut = most;
  while (cut > 0 && (uint8_t(value[cut]) & 0xc0) == 0x80)
    --cut;
  return '"' + std::string(value.substr(0, cut)) + "\"… (" + std::to_string(value.size()) +
         " bytes)";
}

error read_protocol(json::cursor& at, protocol& kind) {
  auto start = at;
  std::string name;
  auto e = each_pair(at, "protocol", [&](std::string_view key) -> error {
    return key == "type" ? read_string(at, "protocol.type", name) : skip_unknown(at);
  });
  if (e)
    return e;
  auto known = protocol_from(name);
  if (!known)
    return wrong_at(start, "a protocol.type that carries data, found " + shown(name));
  kind = *known;
  return {};
}

error schema_cache::read(json::cursor& at, const known_schema*& out) {
  // 1,024 schemas: more than a stream has tables, and a bound for those whose batchId never rests.
  constexpr size_t most = 1024;
  if (last_ != known_.end() && at.starts_with(last_->first)) {
    at.go_to(at.token() + last_->second.tokens);
    out = &last_->second;
    return {};
  }
  auto start = at;
  if (!at.skip_value())
    return wrong_at(at, "a JSON value in schema");
  auto bytes = std::string(at.stepped_over(start.token()));
  last_ = known_.find(bytes);
  if (last_ == known_.end()) {
    auto tokens = at.token() - start.token();
    known_schema made;
    schema s;
    if (auto e = read_schema(start, s))
      return e;
    if (auto e = check_system_types(start, s))
      return e;
    order(s, made);
    made.schema = std::make_shared<const schema>(std::move(s));
    made.tokens = tokens;
    if (known_.size() == most)
      known_.clear();
    last_ = known_.emplace(std::move(bytes), std::move(made)).first;
  }
  out = &last_->second;
  return {};
}

} // namespace rtdp::ums
