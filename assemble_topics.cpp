#include "assemble_topics.hpp"

#include "actors/extract/driver.hpp"

#include <algorithm>
#include <set>

namespace rtdp {

result<extract::routing> routing_of(const config::component& source) {
  auto kinds = extract::kinds();
  auto at = std::find_if(kinds.begin(), kinds.end(),
                         [&](const extract::kind& k) { return k.spec.name == source.kind; });
  return extract::routing::read(*at, source.name, source.settings);
}

std::map<std::string, bus::topic_options> options_of_topics(const config::pipeline& p) {
  std::map<std::string, bus::topic_options> all;
  for (const auto& s : p.sources)
    if (auto to = routing_of(s))
      for (const auto& topic : to->topics())
        all[topic] = to->options();
  return all;
}

std::vector<std::string> topics_of(const config::pipeline& p, const std::string& pattern) {
  std::vector<std::string> topics;
  auto wanted = ums::ns::parse(pattern);
  for (const auto& s : p.sources)
    // What else is on these topics is passed over by its key.
    if (auto to = routing_of(s))
      for (const auto& topic : to->topics_for(*wanted))
        topics.push_back(topic);
  return topics;
}

void check_topics(const config::pipeline& p, std::vector<config::problem>& problems) {
  std::map<std::string, std::string> owners;
  for (const auto& s : p.sources) {
    auto at = s.settings.lines.find("topic");
    auto report = [&](const std::string& text) {
      problems.push_back({at == s.settings.lines.end() ? s.line : at->second,
                          "sources." + s.name + ".topic", text});
    };
    auto to = routing_of(s);
    if (!to)
      report(to.error().text());
    for (const auto& topic : to ? to->topics() : std::set<std::string>{})
      if (auto [owner, is_new] = owners.try_emplace(topic, s.name); !is_new)
        report("source " + owner->second + " writes to topic " + topic +
               " too: ids are counted by source, and after a restart neither could tell which "
               "rows of it are its own; give one of them another topic");
  }
}

} // namespace rtdp
