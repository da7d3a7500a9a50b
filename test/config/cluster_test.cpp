#include "config/cluster.hpp"

#include "test/config/toy.hpp"

#include <doctest/doctest.h>

namespace rtdp::config {

namespace {

using strings = std::vector<std::string>;
using toy::problems_of;

const std::string bus = "bus: {kind: kafka, brokers: b:9092}\n";
const std::string two = "nodes:\n"
                        "  n1: {data_dir: ./n1, listen: h1:7001, http: h1:8080, labels: [big]}\n"
                        "  n2: {data_dir: ./n2, listen: h2:7001}\n";

std::string flow(const std::string& name, const std::string& more) {
  return "  " + name + ": {source: generator.shop." + name + ", sink: dw." + name + more + "}\n";
}
const std::string parts = "sources: {shop: {kind: generator}}\nsinks: {dw: {kind: print}}\nflows:\n";

} // namespace

TEST_CASE("a file with nodes describes a cluster") {
  auto checked = toy::checked_text(bus + two + "cluster: {auto: on, failure_timeout: 3s}\n" + parts +
                                   flow("a", ", node: big, not_with: [b]") + flow("b", ""));
  CHECK(toy::lines(checked.problems) == strings{});
  auto& p = checked.value;
  REQUIRE(p.cluster.on());
  CHECK(p.cluster.nodes[1].listen == "h2:7001");
  CHECK(p.cluster.placement == placement_mode::on);
  CHECK(p.cluster.failure_timeout == std::chrono::seconds{3});
  CHECK(p.flows[0].pin == "big");
  CHECK(p.flows[0].not_with == strings{"b"});
  CHECK(p.cluster.fitting("big") == strings{"n1"});
  CHECK(p.cluster.fitting("n2") == strings{"n2"});
  CHECK(p.cluster.fitting("") == strings{"n1", "n2"});
  CHECK(choose_node(p, "n2").empty());
  CHECK(p.node.name == "n2");
  CHECK(p.node.data_dir == "./n2");
  CHECK(p.node.http == "off");
}

TEST_CASE("a node of a cluster is started by its name") {
  auto p = toy::checked_text(bus + two).value;
  CHECK(choose_node(p, "") == "which node is this one? Start each with --node NAME; there are: n1, "
                              "n2");
  CHECK(choose_node(p, "n3") == "no node is named n3. Start each with --node NAME; there are: n1, "
                                "n2");
  auto alone = toy::checked_text("node: {name: n1}\n").value;
  CHECK(choose_node(alone, "").empty());
  CHECK(choose_node(alone, "n1") ==
        "--node n1 needs a file with nodes:; this one describes a node alone");
}

TEST_CASE("a cluster needs a bus that all nodes reach") {
  CHECK(problems_of(two) ==
        strings{"0 bus: a cluster needs a bus that all nodes reach: kafka; found embedded"});
}

TEST_CASE("nodes that would take each other's place are problems") {
  CHECK(problems_of(bus + "node: {}\nnodes:\n  n1: {data_dir: d, listen: h:1}\n"
                          "  n2: {data_dir: d, listen: h:1}\n  n 3: {listen: here}\n") ==
        strings{"3 nodes: stands beside node:; a file describes one node alone, or a cluster by "
                "nodes:",
                "5 nodes.n2.listen: is the same address as that of nodes.n1.listen",
                "5 nodes.n2: is the same data_dir as that of nodes.n1",
                "6 nodes.n 3.data_dir: is required: Folder of the node's own state. One process uses "
                "it at a time.",
                "6 nodes.n 3: a name consists of letters, digits, _ and -, at most 63",
                "6 nodes.n 3.listen: expects host:port, such as 10.0.0.1:7001; found here"});
}

TEST_CASE("a pin that nobody can satisfy is a problem") {
  CHECK(problems_of(bus + two + parts + flow("a", ", node: huge") +
                    flow("b", ", node: n1, not_with: [c, b, x]") + flow("c", ", node: big")) ==
        strings{"8 flows.a.node: no node has this name or label: huge; known: n1, big, n2",
                "9 flows.b.not_with: cannot be: b and c may both run on n1 only",
                "9 flows.b.not_with: names the flow itself",
                "9 flows.b.not_with: no flow is named x"});
  CHECK(problems_of(parts + flow("a", ", node: n1")) ==
        strings{"4 flows.a.node: ties it to a node, but the file has no nodes:"});
}

TEST_CASE("TLS is all three files or none") {
  CHECK(problems_of(bus + two + "cluster: {tls_certificate: c.pem}\n") ==
        strings{"5 cluster: tls_certificate, tls_key and tls_ca go together: with fewer, nodes "
                "would not know whom they talk to"});
  CHECK(problems_of("cluster: {auto: on}\n") ==
        strings{"1 cluster: needs nodes:, which make a cluster"});
}

} // namespace rtdp::config
