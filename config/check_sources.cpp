#include "config/check_sources.hpp"

#include <algorithm>
#include <charconv>

namespace rtdp::config {

namespace {

/// What stands at a path such as "tables.0.match", or as much of the way as there is.
const tree& at(const tree& root, std::string_view path) {
  const auto* node = &root;
  while (!path.empty()) {
    auto name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    size_t index = 0;
    std::from_chars(name.data(), name.data() + name.size(), index);
    const tree* next = node->find(name);
    if (node->is == tree::shape::list)
      next = index < node->items.size() ? &node->items[index] : nullptr;
    if (next == nullptr)
      return *node;
    node = next;
  }
  return *node;
}

} // namespace

std::vector<problem> check_sources(const catalogue& kinds, const std::vector<component>& sources,
                                   const tree& written, const std::vector<problem>& known) {
  std::vector<problem> out;
  for (const auto& source : sources) {
    auto path = join("sources", source.name);
    auto is_here = [&](const problem& p) { return (p.path + ".").starts_with(path + "."); };
    if (!kinds.check_source || source.kind.empty() ||
        std::any_of(known.begin(), known.end(), is_here))
      continue;
    const auto* node = written.find(source.name);
    for (auto& p : kinds.check_source(source.kind, source.settings)) {
      if (node != nullptr && has_reference(at(*node, p.path)))
        p.text = "is wrong, but its text came by reference and is not shown";
      out.push_back({p.line, join(path, p.path), std::move(p.text)});
    }
  }
  return out;
}

} // namespace rtdp::config
