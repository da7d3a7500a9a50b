#include "assemble_fingerprints.hpp"

#include "assemble_merges.hpp"
#include "assemble_topics.hpp"

#include <chrono>
#include <variant>

namespace rtdp {

namespace {

std::string text_of(const config::section& s);

struct as_text {
  std::string operator()(bool x) const { return x ? "yes" : "no"; }
  std::string operator()(int64_t x) const { return std::to_string(x); }
  std::string operator()(double x) const { return std::to_string(x); }
  std::string operator()(const std::string& x) const { return x; }
  std::string operator()(std::chrono::milliseconds x) const { return std::to_string(x.count()); }
  std::string operator()(const config::secret& x) const { return x.reveal(); }
  std::string operator()(const config::texts& all) const {
    std::string out;
    for (const auto& x : all)
      out += std::to_string(x.size()) + ' ' + x + '\n';
    return out;
  }
  std::string operator()(const config::sections& all) const {
    std::string out;
    for (const auto& x : all)
      out += text_of(x) + '\n';
    return out;
  }
};

/// The length in front tells where a value ends.
std::string text_of(const config::section& s) {
  std::string out;
  for (const auto& [name, value] : s.values) {
    auto text = std::visit(as_text{}, value);
    out += name + ' ' + std::to_string(text.size()) + ' ' + text + '\n';
  }
  return out;
}

} // namespace

std::string fingerprint(const config::component& c) { return c.kind + '\n' + text_of(c.settings); }

std::string fingerprint(const config::pipeline& p, const config::stream_settings& s) {
  auto out = text_of(s.settings);
  // A new source with a plain topic does not change the streams, and with them every flow.
  for (const auto& [topic, options] : options_of_topics(p))
    if (options.partitions != 1 || options.retention || options.retention_bytes || options.compact)
      out += topic + ' ' + std::to_string(options.partitions) + '\n';
  return out;
}

std::string fingerprint(const config::pipeline& p, const config::flow_settings& f,
                        const config::component& store) {
  auto out = text_of(f.settings) + fingerprint(store);
  for (const auto& s : f.steps)
    out += s.kind + '\n' + text_of(s.settings);
  auto options = options_of_topics(p);
  for (const auto& topic : topics_of(p, f.source))
    out += topic + ' ' + std::to_string(options[topic].partitions) + '\n';
  for (const auto& [instance, source] : merged_instances(p))
    out += instance + ' ' + source + '\n';
  return out;
}

} // namespace rtdp
