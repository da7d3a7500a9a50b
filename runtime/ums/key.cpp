/// Keys of UMS messages.
#include "runtime/ums/codec.hpp"

namespace rtdp::ums {

std::string message_key(protocol p, const ns& name) {
  return std::string(to_string(p)) + '.' + name.text();
}

result<routed> parse_key(std::string_view key) {
  auto dot = key.find('.');
  auto kind = protocol_from(key.substr(0, dot));
  if (dot == key.npos || !kind)
    return rejected("message key " + std::string(key.substr(0, 200)) +
                    ": expected <protocol>.<namespace>, for example "
                    "data_increment_data.postgres.shop.public.orders.0.0.0");
  // DBus goes on with ".<millis>|<source>.wh_placeholder", Wormhole's users with what spreads
  // partitions ("...abc"): neither routes.
  std::string_view rest;
  auto name = ns::parse_head(key.substr(dot + 1), rest);
  if (!name)
    return name.error().in("message key");
  return routed{*kind, std::move(*name)};
}

} // namespace rtdp::ums
