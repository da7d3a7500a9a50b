#include "actors/flow/aggregate_plan.hpp"

#include "runtime/state/changes.hpp"

#include <algorithm>
#include <set>

namespace rtdp::flow {
namespace {

using named = aggregate_settings::named;
using ums::type;

std::vector<named> named_of(const config::section& s, const std::string& word) {
  std::vector<named> out;
  for (const auto& item : s.get<config::sections>(word)) {
    auto as = item.text("as");
    out.push_back({item.text("of"), as.empty() ? word + '_' + item.text("of") : as});
  }
  return out;
}

std::string columns_of(const ums::schema& s) {
  std::string out;
  for (const auto& f : s.fields)
    if (!ums::is_system(f.name))
      out += (out.empty() ? "" : ", ") + f.name;
  return out;
}

std::string text_of(const char* word, const std::vector<named>& all) {
  std::string out;
  for (const auto& n : all)
    out += std::string(" ") + word + '(' + n.of + ") " + n.as;
  return out;
}

/// Looks the settings' columns up in one schema.
class planner {
public:
  planner(const aggregate_settings& s, const ums::schema& input, bool may_lack)
      : settings_(s), input_(input), may_lack_(may_lack) {}

  result<aggregate_plan> run() {
    for (size_t i = 0; i < ums::system_columns && i < input_.fields.size(); ++i)
      plan_.out.push_back(input_.fields[i]);
    for (const auto& key : input_.keys())
      plan_.keys.push_back(place_of(key));
    for (const auto& name : settings_.by)
      add_group(name);
    if (!settings_.count.empty())
      plan_.out.push_back({.name = settings_.count, .type = type::long_, .nullable = false});
    for (const auto& n : settings_.sums)
      add_sum(n);
    for (const auto& n : settings_.minima)
      add_extreme(n, "min", false);
    for (const auto& n : settings_.maxima)
      add_extreme(n, "max", true);
    if (failed_)
      return failed_;
    return std::move(plan_);
  }

private:
  int place_of(const std::string& name) {
    if (auto at = input_.find(name))
      return int(*at);
    plan_.is_whole = false;
    if (!may_lack_)
      fail("no column is named " + name + "; there are: " + columns_of(input_));
    return -1;
  }

  void fail(std::string text) {
    if (!failed_)
      failed_ = rejected(std::move(text));
  }

  void add_group(const std::string& name) {
    auto at = place_of(name);
    plan_.by.push_back(at);
    ums::field f{.name = name};
    if (at >= 0)
      f = input_.fields[size_t(at)];
    f.key = true;
    f.nullable = false;
    plan_.out.push_back(std::move(f));
  }

  void add_sum(const named& n) {
    auto at = place_of(n.of);
    plan_.sums.push_back(at);
    auto t = at < 0 ? type::long_ : input_.fields[size_t(at)].type;
    if (t == type::float_ || t == type::double_)
      fail("sum: " + n.of + " is a " + std::string(ums::to_string(t)) +
           ", whose sums depend on their order; cast it to a decimal in a sql step before: " +
           n.of + "::decimal(18,4) as " + n.of);
    else if (t != type::int_ && t != type::long_ && t != type::decimal)
      fail("sum: " + n.of + " is a " + std::string(ums::to_string(t)) +
           "; only int, long and decimal can be added");
    ums::field f{.name = n.as, .type = t == type::decimal ? t : type::long_};
    // Digits behind the point as the column has them; the name of the type says how many.
    if (t == type::decimal)
      f.native = input_.fields[size_t(at)].native;
    plan_.out.push_back(std::move(f));
  }

  void add_extreme(const named& n, const char* word, bool is_max) {
    auto at = place_of(n.of);
    ums::field f{.name = n.as};
    if (at >= 0) {
      const auto& from = input_.fields[size_t(at)];
      if (from.type == type::binary || from.type == type::jsonarray ||
          from.type == type::jsonobject)
        fail(std::string(word) + ": " + n.of + " is a " + std::string(ums::to_string(from.type)) +
             ", which has no order");
      f.type = from.type;
      f.encoded = from.encoded;
      f.native = from.native;
    }
    auto known = std::find(value_names_.begin(), value_names_.end(), n.of);
    auto value = size_t(known - value_names_.begin());
    if (known == value_names_.end()) {
      value_names_.push_back(n.of);
      plan_.values.push_back(at);
    }
    plan_.extremes.push_back({value, is_max});
    plan_.out.push_back(std::move(f));
  }

  const aggregate_settings& settings_;
  const ums::schema& input_;
  const bool may_lack_;
  aggregate_plan plan_;
  std::vector<std::string> value_names_;
  error failed_;
};

} // namespace

aggregate_settings aggregate_settings::of(const config::section& s) {
  aggregate_settings out;
  out.by = s.get<config::texts>("by");
  out.count = s.text("count");
  out.sums = named_of(s, "sum");
  out.minima = named_of(s, "min");
  out.maxima = named_of(s, "max");
  return out;
}

error aggregate_settings::check() const {
  if (count.empty() && sums.empty() && minima.empty() && maxima.empty())
    return rejected("needs something to compute: count, sum, min or max");
  std::set<std::string> names;
  auto once = [&](const std::string& name) {
    if (ums::is_system(name))
      return rejected(name + " is a name of rtdp's own; choose another with `as:`");
    return names.insert(name).second
               ? error{}
               : rejected("two columns of the result are named " + name + "; name one with `as:`");
  };
  for (const auto& name : by)
    if (auto failed = once(name))
      return failed;
  if (auto failed = count.empty() ? error{} : once(count))
    return failed;
  for (const auto* all : {&sums, &minima, &maxima})
    for (const auto& n : *all)
      if (auto failed = once(n.as))
        return failed;
  return {};
}

std::string aggregate_settings::text() const {
  std::string out = "aggregate by";
  for (const auto& name : by)
    out += ' ' + name;
  out += count.empty() ? "" : " count " + count;
  return out + text_of("sum", sums) + text_of("min", minima) + text_of("max", maxima);
}

result<aggregate_plan> aggregate_plan::make(const aggregate_settings& s, const ums::schema& input,
                                            bool may_lack) {
  return planner(s, input, may_lack).run();
}

std::string fields_text(const std::vector<ums::field>& fields) {
  std::string out;
  for (const auto& f : fields) {
    state::append_text(f.name, out);
    state::append_text(ums::to_string(f.type), out);
    state::append_text(f.native, out);
    out += char('0' + (f.nullable ? 1 : 0) + (f.key ? 2 : 0) + (f.encoded ? 4 : 0));
  }
  return out;
}

std::vector<ums::field> fields_of(std::string_view text) {
  std::vector<ums::field> out;
  std::string_view name, type_name, native;
  while (state::take_text(text, name) && state::take_text(text, type_name) &&
         state::take_text(text, native) && !text.empty()) {
    auto flags = text.front() - '0';
    text.remove_prefix(1);
    out.push_back({.name = std::string(name),
                   .type = ums::type_from(type_name).value_or(type::string),
                   .nullable = (flags & 1) != 0,
                   .key = (flags & 2) != 0,
                   .encoded = (flags & 4) != 0,
                   .native = std::string(native)});
  }
  return out;
}

} // namespace rtdp::flow
