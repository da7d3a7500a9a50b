#include "runtime/ums/schema_change.hpp"

#include "runtime/ums/native_type.hpp"

#include <algorithm>
#include <array>

namespace rtdp::ums {

namespace {

constexpr std::array<std::string_view, 8> kind_names = {
    "added", "widened", "nullability", "dropped", "renamed", "narrowed", "retyped", "key"};

const field* find(std::span<const field> in, std::string_view name) {
  auto at = std::find_if(in.begin(), in.end(), [&](const field& f) { return f.name == name; });
  return at == in.end() ? nullptr : &*at;
}

std::vector<const field*> business(std::span<const field> all) {
  std::vector<const field*> out;
  for (const auto& f : all)
    if (!is_system(f.name))
      out.push_back(&f);
  return out;
}

std::string type_text(const field& f) {
  return f.native.empty() ? std::string(to_string(f.type)) : f.native;
}

std::string key_text(std::span<const field> fields) {
  std::string out;
  for (const auto& f : fields)
    if (f.key)
      out += (out.empty() ? "(" : ", ") + f.name;
  return out.empty() ? "none" : out + ")";
}

/// The column that took the place of `at`, when nothing but its name differs.
const field* successor(const std::vector<const field*>& from, const std::vector<const field*>& to,
                       size_t at) {
  if (at >= to.size())
    return nullptr;
  const auto& candidate = *to[at];
  bool is_new = std::none_of(from.begin(), from.end(),
                             [&](const field* f) { return f->name == candidate.name; });
  return is_new && change_of(*from[at], candidate) == type_change::same ? &candidate : nullptr;
}

void compare(const field& before, const field& after, std::vector<schema_change>& out) {
  using kind = schema_change::kind;
  auto became = before.name + ": " + type_text(before) + " became " + type_text(after);
  switch (change_of(before, after)) {
  case type_change::same:
    break;
  case type_change::widened:
    out.push_back({kind::widened, before.name, became});
    break;
  case type_change::narrowed:
    out.push_back({kind::narrowed, before.name, became});
    break;
  case type_change::retyped:
    out.push_back({kind::retyped, before.name, became});
    break;
  }
  if (before.nullable != after.nullable)
    out.push_back({kind::nullability, before.name,
                   before.name + (after.nullable ? ": may be null now" : ": is never null now")});
}

} // namespace

std::string_view to_string(schema_change::kind k) { return kind_names[size_t(k)]; }

bool fits(type from, type to) {
  if (from == to)
    return true;
  switch (to) {
  case type::long_:
    return from == type::int_;
  case type::double_:
    return from == type::float_ || from == type::int_;
  case type::decimal:
    return from == type::int_ || from == type::long_;
  case type::datetime:
    return from == type::date;
  default:
    return false;
  }
}

type_change change_of(const field& from, const field& to) {
  if (from.type == to.type && from.native == to.native)
    return type_change::same;
  if (auto known = native_change(from.native, to.native))
    return *known;
  if (from.type == to.type)
    return from.native.empty() || to.native.empty() ? type_change::same : type_change::retyped;
  if (fits(from.type, to.type))
    return type_change::widened;
  return fits(to.type, from.type) ? type_change::narrowed : type_change::retyped;
}

std::vector<schema_change> changes_between(std::span<const field> from, std::span<const field> to) {
  using kind = schema_change::kind;
  std::vector<schema_change> out;
  auto before = business(from), after = business(to);
  std::vector<std::string_view> new_names;
  for (size_t i = 0; i < before.size(); ++i) {
    const auto& f = *before[i];
    if (const auto* same = find(to, f.name)) {
      compare(f, *same, out);
    } else if (const auto* other = successor(before, after, i)) {
      out.push_back({kind::renamed, f.name, f.name + " was renamed " + other->name});
      new_names.push_back(other->name);
    } else {
      out.push_back({kind::dropped, f.name, "dropped " + f.name});
    }
  }
  for (const auto* f : after)
    if (!find(from, f->name) &&
        std::find(new_names.begin(), new_names.end(), f->name) == new_names.end())
      out.push_back({kind::added, f->name, "added " + f->name + " " + type_text(*f)});
  if (auto old_key = key_text(from), new_key = key_text(to); old_key != new_key)
    out.push_back({kind::key, "", "key: " + old_key + " became " + new_key});
  return out;
}

bool compatible(std::span<const schema_change> changes) {
  return std::all_of(changes.begin(), changes.end(),
                     [](const schema_change& c) { return c.compatible(); });
}

std::string text_of(std::span<const schema_change> changes) {
  std::string out;
  for (const auto& c : changes)
    out += (out.empty() ? "" : "; ") + c.text;
  return out;
}

} // namespace rtdp::ums
