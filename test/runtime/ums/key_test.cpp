#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>

namespace rtdp::ums {

namespace {

ns routed_name(std::string_view key, protocol kind) {
  auto r = parse_key(key);
  REQUIRE_MESSAGE(bool(r), (r ? "" : r.error().text()));
  CHECK(r->kind == kind);
  return r->name;
}

} // namespace

TEST_CASE("a key carries protocol and namespace, whatever the table is called") {
  for (std::string table : {"orders", "a.b", "q\"uote", "*", "sp ace", "pipe|bar", "é"}) {
    ns name("postgres", "shop", "public", table, "3");
    for (auto kind :
         {protocol::increment_data, protocol::initial_data, protocol::increment_truncate})
      CHECK(routed_name(message_key(kind, name), kind) == name);
  }
  CHECK(message_key(protocol::increment_data, ns("postgres", "shop", "public", "orders")) ==
        "data_increment_data.postgres.shop.public.orders.0.0.0");
}

TEST_CASE("keys of DBus and Wormhole are read up to the namespace") {
  ns name("mysql", "db1", "s", "t", "5");
  CHECK(routed_name("data_increment_data.mysql.db1.s.t.5.0.0.1514772804213|db1.wh_placeholder",
                    protocol::increment_data) == name);
  CHECK(routed_name("data_increment_heartbeat.mysql.db1.s.t.5.0.0.1514772804213|1514772804000|ok|"
                    "db1.wh_placeholder",
                    protocol::increment_heartbeat) == name);
  CHECK(routed_name("data_increment_data.mysql.db1.s.t.5.0.0", protocol::increment_data) == name);
  CHECK(routed_name("data_increment_data.mysql.db1.s.t.5.0.0...abc", protocol::increment_data) ==
        name);
  CHECK(routed_name("data_initial_data.mysql.ds!alias.s.t.5.0.0.6f1c-uuid",
                    protocol::initial_data) == ns("mysql", "ds!alias", "s", "t", "5"));
  CHECK(routed_name("data_increment_data.kafka.kafka01.topic.user.*.*.*", protocol::increment_data)
            .is_pattern());
}

TEST_CASE("a key that is none is refused with an example of one") {
  for (std::string_view key :
       {"", "x", "data_increment_data", "feedback_flow_stats.a.b.c.d.0.0.0", "42.a.b.c"}) {
    auto r = parse_key(key);
    REQUIRE_FALSE(bool(r));
    CHECK(r.error().text().find("expected <protocol>.<namespace>") != std::string::npos);
  }
  CHECK(parse_key("data_increment_data.a..c").error().text() ==
        "message key: namespace a..c, character 3: the instance is empty");
}

} // namespace rtdp::ums
