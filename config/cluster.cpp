#include "config/cluster.hpp"

#include "config/pipeline.hpp"
#include "config/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace rtdp::config {

namespace {

using std::chrono::milliseconds;
using shape = tree::shape;

bool holds(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class cluster_checker {
public:
  cluster_checker(const tree& root, const catalogue& kinds, pipeline& out)
      : root_(root), kinds_(kinds), out_(out), cluster_(out.cluster) {}

  std::vector<problem> run() {
    if (const auto* nodes = root_.find("nodes"))
      read_nodes(*nodes);
    read_cluster();
    if (cluster_.on())
      check_bus();
    for (const auto& s : out_.sources)
      check_pin("sources." + s.name + ".node", s.line, s.pin);
    for (const auto& f : out_.flows)
      check_flow(f);
    return std::move(problems_);
  }

private:
  void report(int line, std::string path, std::string text) {
    problems_.push_back({line, std::move(path), std::move(text)});
  }
  void add(std::vector<problem> more) {
    problems_.insert(problems_.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
  }

  void read_nodes(const tree& nodes) {
    if (root_.find("node") != nullptr)
      report(nodes.line, "nodes",
             "stands beside node:; a file describes one node alone, or a cluster by nodes:");
    if (nodes.is != shape::mapping || nodes.items.empty())
      return report(nodes.line, "nodes",
                    "expects a mapping from names of nodes to their settings; found " +
                        found(nodes));
    for (const auto& item : nodes.items)
      read_node(item, join("nodes", item.key));
  }

  void read_node(const tree& item, const std::string& path) {
    section s;
    add(member_spec().parse(item, path, s));
    member_settings m{item.key,         s.text("data_dir"),       s.text("http"),
                      s.text("listen"), s.get<texts>("labels"), item.line};
    if (!is_plain_word(m.name))
      report(item.line, path, "a name consists of letters, digits, _ and -, at most 63");
    check_address(item, path, "listen", m.listen);
    if (m.http != "off")
      check_address(item, path, "http", m.http);
    once("data_dir", m.data_dir, path, item.line);
    cluster_.nodes.push_back(std::move(m));
  }

  void check_address(const tree& item, const std::string& path, const char* name,
                     const std::string& address) {
    const auto* node = item.find(name);
    if (node == nullptr)
      return;
    if (!is_host_and_port(address))
      report(node->line, join(path, name),
             "expects host:port, such as 10.0.0.1:7001; found " + found(*node));
    else
      once("address", address, join(path, name), node->line);
  }

  /// Two nodes of one machine must not take each other's place.
  void once(const std::string& what, const std::string& text, const std::string& path, int line) {
    auto [first, is_new] = taken_.emplace(what + " " + text, path);
    if (!is_new && !text.empty())
      report(line, path, fmt::format("is the same {} as that of {}", what, first->second));
  }

  void read_cluster() {
    static const tree none;
    const auto* node = root_.find("cluster");
    section s;
    add(cluster_spec().parse(node != nullptr ? *node : none, "cluster", s));
    const auto& mode = s.text("auto");
    cluster_.placement = mode == "off"      ? placement_mode::off
                         : mode == "advise" ? placement_mode::advise
                                            : placement_mode::on;
    cluster_.failure_timeout = s.duration("failure_timeout");
    cluster_.tls = {s.text("tls_certificate"), s.text("tls_key"), s.text("tls_ca")};
    const auto& tls = cluster_.tls;
    auto given = int(!tls.certificate.empty()) + int(!tls.key.empty()) + int(!tls.ca.empty());
    if (given != 0 && given != 3)
      report(node->line, "cluster",
             "tls_certificate, tls_key and tls_ca go together: with fewer, nodes would not know "
             "whom they talk to");
    if (node != nullptr && !cluster_.on())
      report(node->line, "cluster", "needs nodes:, which make a cluster");
  }

  void check_bus() {
    if (!out_.bus.kind.empty() && !holds(kinds_.shared_buses, out_.bus.kind))
      report(out_.bus.line, "bus",
             fmt::format("a cluster needs a bus that all nodes reach: {}; found {}",
                         fmt::join(kinds_.shared_buses, ", "), out_.bus.kind));
  }

  void check_pin(const std::string& path, int line, const std::string& pin) {
    if (pin.empty())
      return;
    if (!cluster_.on())
      return report(line, path, "ties it to a node, but the file has no nodes:");
    if (!cluster_.fitting(pin).empty())
      return;
    std::vector<std::string> known;
    for (const auto& n : cluster_.nodes) {
      known.push_back(n.name);
      known.insert(known.end(), n.labels.begin(), n.labels.end());
    }
    report(line, path,
           fmt::format("no node has this name or label: {}{} known: {}", excerpt(pin),
                       did_you_mean(pin, known).empty() ? ";" : did_you_mean(pin, known),
                       fmt::join(known, ", ")));
  }

  int line_of(const flow_settings& f, const char* name) {
    auto at = f.settings.lines.find(name);
    return at == f.settings.lines.end() ? f.line : at->second;
  }

  void check_flow(const flow_settings& f) {
    auto path = join("flows", f.name);
    check_pin(join(path, "node"), line_of(f, "node"), f.pin);
    if (!f.not_with.empty() && !cluster_.on())
      report(line_of(f, "not_with"), join(path, "not_with"),
             "keeps it apart from other flows, but the file has no nodes:");
    for (const auto& other : f.not_with) {
      auto at = std::find_if(out_.flows.begin(), out_.flows.end(),
                             [&](const flow_settings& x) { return x.name == other; });
      if (at == out_.flows.end() || other == f.name)
        report(line_of(f, "not_with"), join(path, "not_with"),
               other == f.name ? "names the flow itself" : "no flow is named " + excerpt(other));
      else if (cluster_.on())
        check_apart(f, *at, path);
    }
  }

  /// A pair that can never be satisfied: both are tied to the same single node.
  void check_apart(const flow_settings& f, const flow_settings& other, const std::string& path) {
    auto mine = cluster_.fitting(f.pin), theirs = cluster_.fitting(other.pin);
    if (mine.size() == 1 && mine == theirs)
      report(line_of(f, "not_with"), join(path, "not_with"),
             fmt::format("cannot be: {} and {} may both run on {} only", f.name, other.name,
                         mine.front()));
  }

  const tree& root_;
  const catalogue& kinds_;
  pipeline& out_;
  cluster_settings& cluster_;
  std::vector<problem> problems_;
  /// Addresses and folders so far, and whose they are.
  std::map<std::string, std::string> taken_;
};

} // namespace

bool is_host_and_port(std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == text.npos || colon == 0)
    return false;
  auto port = text.substr(colon + 1);
  uint16_t n = 0;
  auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), n);
  auto host = text.substr(0, colon);
  auto is_ipv6 = host.front() == '[' && host.back() == ']';
  return ec == std::errc{} && end == port.data() + port.size() &&
         (is_ipv6 || host.find(':') == host.npos);
}

const member_settings* cluster_settings::find(const std::string& node) const {
  auto at = std::find_if(nodes.begin(), nodes.end(),
                         [&](const member_settings& m) { return m.name == node; });
  return at == nodes.end() ? nullptr : &*at;
}

std::vector<std::string> cluster_settings::fitting(const std::string& pin) const {
  std::vector<std::string> out;
  for (const auto& m : nodes)
    if (pin.empty() || m.name == pin || holds(m.labels, pin))
      out.push_back(m.name);
  return out;
}

spec member_spec() {
  return spec{"nodes", "One node of a cluster. All nodes are started from the same file, each with "
                       "`rtdp run FILE --node NAME`."}
      .add(field{"data_dir", std::string{},
                 "Folder of the node's own state. One process uses it at a time."}
               .required()
               .sample("./n1"))
      .add(field{"http", std::string("off"),
                 "Address of REST, metrics and the status page as `host:port`, or `off`."}
               .sample("127.0.0.1:8081"))
      .add(field{"listen", std::string{}, "Where the other nodes reach it, as `host:port`."}
               .required()
               .sample("127.0.0.1:7001"))
      .add(field{"labels", texts{}, "What `node:` of a source or a flow may say instead of a name."}
               .sample("[big]"));
}

spec cluster_spec() {
  return spec{"cluster", "How the nodes of `nodes:` work together."}
      .add(field{"auto", std::string("advise"),
                 "A flow that would run better on another node: `off` leaves it, `advise` says so "
                 "in `rtdp plan`, `on` moves it, one at a time."}
               .one_of({"off", "advise", "on"}))
      .add(field{"failure_timeout", milliseconds{1500},
                 "A node that is not heard of for so long is lost; what it had runs elsewhere."}
               .range(1000, 60'000))
      .add(field{"tls_certificate", std::string{},
                 "Certificate of this node in PEM, signed by `tls_ca`. With it nodes talk by TLS "
                 "and let in only who has a certificate of the same authority."}
               .sample("/etc/rtdp/node.pem"))
      .add(field{"tls_key", std::string{}, "Its private key in PEM."}.sample("/etc/rtdp/node.key"))
      .add(field{"tls_ca", std::string{},
                 "Certificate of the cluster's own authority in PEM; one that signs nothing else."}
               .sample("/etc/rtdp/ca.pem"));
}

std::vector<problem> check_cluster(const tree& root, const catalogue& kinds, pipeline& out) {
  return cluster_checker(root, kinds, out).run();
}

std::string choose_node(pipeline& out, const std::string& name) {
  if (!out.cluster.on())
    return name.empty() ? std::string{}
                        : "--node " + name + " needs a file with nodes:; this one describes a "
                                             "node alone";
  std::vector<std::string> known;
  for (const auto& m : out.cluster.nodes)
    known.push_back(m.name);
  const auto* self = out.cluster.find(name);
  if (self == nullptr)
    return (name.empty() ? std::string("which node is this one?") : "no node is named " + name + ".") +
           fmt::format(" Start each with --node NAME; there are: {}", fmt::join(known, ", "));
  out.node = {self->name, self->data_dir, self->http};
  return {};
}

} // namespace rtdp::config
