#include "actors/extract/history_stage.hpp"

#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"
#include "runtime/ums/schema_change.hpp"

#include <algorithm>
#include <charconv>

namespace rtdp::extract {

namespace {

using state::version_decision;

int64_t number_of(const ums::ns& name) {
  int64_t number = 0;
  const auto& text = name[ums::ns::version];
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<ums::field> business(const ums::schema& s) {
  return {s.fields.begin() + long(std::min(s.fields.size(), ums::system_columns)), s.fields.end()};
}

/// Whether `convert` can make values of one type those of the other, all of them.
bool converts(ums::type from, ums::type to) {
  if (from == to)
    return true;
  if (to == ums::type::string)
    return from != ums::type::binary;
  // A date has no time of day to write.
  return to != ums::type::datetime && ums::fits(from, to);
}

/// By way of the text on the wire, which is exact for what `converts`.
ums::column convert(const ums::column& from, ums::type to) {
  ums::column out(to);
  out.reserve(from.size());
  std::string text;
  for (size_t row = 0; row < from.size(); ++row) {
    text.clear();
    if (!from.is_null(row))
      ums::append_cell(from, row, text);
    if (from.is_null(row) || !ums::append_parsed(out, text))
      out.append_null();
  }
  return out;
}

bool changes_key(const std::vector<ums::schema_change>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const ums::schema_change& c) {
    return c.what == ums::schema_change::kind::key;
  });
}

/// A key column of the old version that new rows cannot fill.
bool loses_key(const std::vector<ums::field>& base, const std::vector<ums::field>& now) {
  return std::any_of(base.begin(), base.end(), [&](const ums::field& f) {
    return f.key && std::none_of(now.begin(), now.end(), [&](const ums::field& n) {
             return n.name == f.name && converts(n.type, f.type);
           });
  });
}

} // namespace

std::string history_stage::line_of(const ums::ns& name) const {
  const auto& shard = name[ums::ns::table_partition];
  return shard == "0" ? source_ : source_ + "/" + shard;
}

result<state::table_version> history_stage::meet(const ums::schema& s, const std::string& place) {
  return history_.meet({.table = state::schema_history::table_of(s.name),
                        .line = line_of(s.name),
                        .number = number_of(s.name),
                        .merged = s.name[ums::ns::table_partition] != "0",
                        .fields = business(s),
                        .place = place,
                        .at_us = now_us()});
}

error history_stage::begin(std::vector<ums::schema_ptr>& versions, const std::string& place) {
  for (auto& s : versions) {
    auto v = meet(*s, place);
    if (!v)
      return v.error();
    if (v->decision != version_decision::published)
      if (auto failed = decide(*s, *v))
        return failed;
    auto to = make_route(s->name, *v);
    if (!to)
      return to.error();
    auto name = s->name;
    auto& kept = routes_[name] = std::move(*to);
    auto out = *s;
    out.name = kept.name;
    if (!kept.columns.empty())
      out = schema_of(kept.name, kept.columns);
    s = std::make_shared<const ums::schema>(std::move(out));
  }
  return {};
}

error history_stage::decide(const ums::schema& s, state::table_version& v) {
  auto table = state::schema_history::table_of(s.name);
  auto settle = [&](version_decision d, int64_t as) {
    v.decision = d;
    v.published_as = as;
    return history_.decide(table, v.version, d, as);
  };
  if (v.previous < 0)
    return settle(version_decision::published, v.version);
  auto previous = history_.find(table, v.previous);
  if (!previous)
    return previous.error();
  auto base = *previous ? history_.find(table, (*previous)->published_as) : previous;
  if (!base)
    return base.error();
  if (!*base)
    return settle(version_decision::published, v.version);
  auto changes = ums::changes_between((*base)->fields, v.fields);
  const auto* o = options_of_published(tables_, s.name);
  auto policy = o ? o->settings.text("on_schema_change") : std::string("evolve");
  if (ums::compatible(changes) || policy == "evolve")
    return settle(version_decision::published, v.version);
  bool keyed = !changes_key(changes) && !loses_key((*base)->fields, v.fields);
  if (policy == "ignore" && keyed)
    return settle(version_decision::ignored, (*base)->version);
  if (auto failed = settle(version_decision::refused, v.version))
    return failed;
  return refuse(s, v, ums::text_of(changes),
                policy == "ignore"
                    ? "on_schema_change: ignore cannot go on with the old key; set evolve"
                    : "on_schema_change is fail; set evolve to take the new columns, or ignore to "
                      "go on with the old ones");
}

error history_stage::refuse(const ums::schema& s, const state::table_version& v,
                            const std::string& changes, const std::string& advice) {
  return rejected("table " + state::schema_history::table_of(s.name) + ": version " +
                  std::to_string(v.previous) + " became " + std::to_string(v.version) +
                  (v.place.empty() ? "" : " at " + v.place) + ": " + changes + ". " + advice +
                  ", and start the source again; nothing is lost");
}

result<history_stage::route> history_stage::make_route(const ums::ns& name,
                                                       const state::table_version& v) const {
  route to{.name = name, .columns = {}};
  to.name.set(ums::ns::version, std::to_string(v.published_as));
  if (v.published_as == v.version)
    return to;
  auto base = history_.find(state::schema_history::table_of(name), v.published_as);
  if (!base)
    return base.error();
  if (*base)
    for (const auto& f : (*base)->fields)
      if (std::any_of(v.fields.begin(), v.fields.end(), [&](const ums::field& n) {
            return n.name == f.name && converts(n.type, f.type);
          }))
        to.columns.push_back(f);
  return to;
}

result<const history_stage::route*> history_stage::route_of(const ums::ns& name) const {
  auto known = routes_.find(name);
  if (known != routes_.end())
    return &known->second;
  // A mark, or the end of a version that began before this start.
  auto v = history_.find_met(state::schema_history::table_of(name), line_of(name), number_of(name));
  if (!v)
    return v.error();
  if (!*v)
    return static_cast<const route*>(nullptr);
  auto to = make_route(name, **v);
  if (!to)
    return to.error();
  return &(routes_[name] = std::move(*to));
}

ums::ns history_stage::published(const ums::ns& name) const {
  auto to = route_of(name);
  return to && *to ? (*to)->name : name;
}

/// Whether the version behind the one that ended goes on under the same columns: then nothing ends.
result<bool> history_stage::goes_on(const ums::ns& ended) {
  auto table = state::schema_history::table_of(ended);
  auto before = history_.find_met(table, line_of(ended), number_of(ended));
  if (!before)
    return before.error();
  auto next = history_.successor(table, line_of(ended), number_of(ended));
  if (!next)
    return next.error();
  return *before && *next && (*next)->published_as == (*before)->published_as;
}

const history_stage::plan& history_stage::plan_for(const ums::schema_ptr& from, const route& to) {
  auto [at, added] = plans_.try_emplace(from);
  auto& p = at->second;
  if (!added)
    return p;
  auto schema = std::make_shared<ums::schema>(*from);
  schema->name = to.name;
  if (!to.columns.empty()) {
    schema->fields.resize(ums::system_columns);
    for (size_t i = 0; i < ums::system_columns; ++i)
      p.from.push_back(i);
    for (const auto& f : to.columns)
      if (auto found = from->find(f.name); found && converts(from->fields[*found].type, f.type)) {
        schema->fields.push_back(f);
        p.from.push_back(*found);
      }
  }
  p.schema = std::move(schema);
  return p;
}

void history_stage::replace(ums::batch& b, const plan& p) {
  if (p.from.empty()) {
    b.schema = p.schema;
    return;
  }
  ums::batch out(p.schema, b.kind);
  for (size_t i = 0; i < p.from.size(); ++i) {
    auto& column = b.columns[p.from[i]];
    auto type = p.schema->fields[i].type;
    out.columns[i] = column.type() == type ? std::move(column) : convert(column, type);
  }
  b = std::move(out);
}

error history_stage::apply(std::vector<ums::batch>& batches, std::vector<bad_row>&,
                           const std::string&) {
  for (auto& b : batches) {
    auto to = route_of(b.schema->name);
    if (!to)
      return to.error();
    if (b.kind == ums::protocol::increment_termination) {
      auto on = goes_on(b.schema->name);
      if (!on)
        return on.error();
      if (*on)
        for (auto& c : b.columns)
          c.truncate(0);
    }
    if (!*to || ((*to)->name == b.schema->name && (*to)->columns.empty()))
      continue;
    if (b.carries_rows()) {
      replace(b, plan_for(b.schema, **to));
    } else {
      auto schema = *b.schema;
      schema.name = (*to)->name;
      b.schema = std::make_shared<const ums::schema>(std::move(schema));
    }
  }
  return {};
}

} // namespace rtdp::extract
