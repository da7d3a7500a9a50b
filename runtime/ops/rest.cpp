#include "runtime/ops/rest.hpp"

#include "runtime/ops/openapi.hpp"
#include "runtime/ops/status_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

constexpr auto metrics_type = "text/plain; version=0.0.4; charset=utf-8";
/// A page of dead letters; who wants more replays or drops first.
constexpr int64_t letters_max = 10'000;
constexpr int64_t letters_default = 1'000;

response ok(const json& body) { return {200, "application/json", dump(body)}; }

/// A JSON object, empty for an empty body; nothing for anything else.
std::optional<json> object_of(const std::string& body) {
  if (body.empty())
    return json::object();
  auto parsed = json::parse(body, nullptr, false);
  return parsed.is_object() ? std::optional(parsed) : std::nullopt;
}

std::optional<int64_t> integer(const std::string& text) {
  int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

// -- health -------------------------------------------------------------------

json about(control& node) {
  auto info = node.node();
  auto ready = node.ready();
  return {{"node", info.name},
          {"version", info.version},
          {"started", rfc3339(info.started_us)},
          {"ready", ready.ready()},
          {"reasons", ready.reasons}};
}

response readyz(control& node, const request& r) {
  auto body = about(node);
  auto status = body["ready"] == true ? 200 : 503;
  if (r.header("accept").find("text/plain") == std::string_view::npos)
    return {status, "application/json", dump(body)};
  std::string text = status == 200 ? "ready" : "not ready";
  for (const auto& why : body["reasons"])
    text += "\n" + why.get<std::string>();
  return {status, "text/plain; charset=utf-8", text + "\n"};
}

response status(control& node, const request& r) {
  auto body = about(node);
  auto all = node.components();
  if (!all)
    return problem(all.error(), r.path);
  for (auto c : all_classes)
    body[plural(c)] = json::array();
  for (const auto& item : *all)
    body[plural(item.class_)].push_back(to_json(item));
  auto cluster = node.cluster();
  if (!cluster)
    return problem(cluster.error(), r.path);
  body["cluster"] = to_json(*cluster);
  auto alarms = node.alarms();
  if (!alarms)
    return problem(alarms.error(), r.path);
  body["alarms"] = open_alarms(*alarms);
  return ok(body);
}

// -- lists and flows ----------------------------------------------------------

response list(control& node, component_class c, const request& r) {
  auto found = node.list(c);
  if (!found)
    return problem(found.error(), r.path);
  return {200, "application/json", items_json(to_json(*found))};
}

response one(control& node, component_class c, const request& r) {
  auto found = node.list(c);
  if (!found)
    return problem(found.error(), r.path);
  const auto& name = r.parts.at("name");
  for (const auto& item : *found)
    if (item.name == name)
      return ok(to_json(item));
  return problem(404,
                 fmt::format("there is no {} \"{}\"; GET /api/v1/{} lists them", to_string(c), name,
                             plural(c)),
                 r.path);
}

/// Does something to a flow that exists and answers with how the flow is now.
template<class F>
response change(control& node, component_class c, const request& r, F how) {
  if (auto missing = one(node, c, r); missing.status != 200)
    return missing;
  if (auto e = how(r.parts.at("name")))
    return problem(e, r.path);
  return one(node, c, r);
}

response rewind(control& node, const request& r) {
  auto body = object_of(r.body);
  auto to = body ? body->value("to", json("")) : json();
  if (to.is_number_integer())
    to = to.dump();
  if (!to.is_string())
    return problem(400, R"(expected a body like {"to": "beginning"}, an offset or a time)", r.path);
  return change(node, component_class::flow, r, [&](const std::string& name) {
    return node.rewind_flow(name, to.get<std::string>());
  });
}

// -- dead letters -------------------------------------------------------------

json to_json(const letter& l) {
  return {{"id", l.id},         {"component", l.component}, {"namespace", l.ns},
          {"topic", l.topic},   {"partition", l.partition}, {"offset", l.offset},
          {"reason", l.reason}, {"at", rfc3339(l.at_us)}};
}

/// Text where the bytes are text, else hex: a damaged message must be seen as it is.
void add_bytes(json& to, const std::string& bytes) {
  try {
    (void)json(bytes).dump();
    to["encoding"] = "utf-8";
    to["message"] = bytes;
  } catch (const json::exception&) {
    to["encoding"] = "hex";
    to["message"] = fmt::format(
        "{:02x}", fmt::join(std::basic_string_view<unsigned char>(
                                reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()),
                            ""));
  }
}

response letters(control& node, const request& r) {
  auto asked = r.query.find("limit");
  auto limit = asked == r.query.end() ? letters_default : integer(asked->second);
  if (!limit || *limit < 1 || *limit > letters_max)
    return problem(400, fmt::format("limit must be a number from 1 to {}", letters_max), r.path);
  auto component = r.query.find("component");
  auto found = node.dead_letters(component == r.query.end() ? "" : component->second, *limit);
  if (!found)
    return problem(found.error(), r.path);
  auto items = json::array();
  for (const auto& l : *found)
    items.push_back(to_json(l));
  return {200, "application/json", items_json(std::move(items))};
}

/// Finds the letter that the path names and hands it to `use`.
template<class F>
response with_letter(control& node, const request& r, F use) {
  auto id = integer(r.parts.at("id"));
  auto found = id ? node.dead_letter(*id) : result<std::optional<letter>>(std::nullopt);
  if (!found)
    return problem(found.error(), r.path);
  if (!*found)
    return problem(404,
                   fmt::format("there is no dead letter {}; it may have been replayed or dropped",
                               r.parts.at("id")),
                   r.path);
  return use(**found);
}

response show_letter(control& node, const request& r) {
  return with_letter(node, r, [](const letter& l) {
    auto body = to_json(l);
    add_bytes(body, l.bytes);
    return ok(body);
  });
}

response drop_letter(control& node, const request& r) {
  return with_letter(node, r, [&](const letter& l) {
    auto e = node.drop_dead_letter(l.id);
    return e ? problem(e, r.path) : ok({{"dropped", 1}});
  });
}

response replay_letter(control& node, const request& r) {
  return with_letter(node, r, [&](const letter& l) {
    auto e = node.replay_dead_letter(l.id);
    return e ? problem(e, r.path) : ok({{"replayed", 1}});
  });
}

response replay_letters(control& node, const request& r) {
  auto component = r.query.find("component");
  auto done = node.replay_dead_letters(component == r.query.end() ? "" : component->second);
  return done ? ok({{"replayed", *done}}) : problem(done.error(), r.path);
}

// -- the table ----------------------------------------------------------------

void add_pages(std::vector<route>& to) {
  auto page = [&](const char* path, const char* summary, const char* type, std::string_view text) {
    auto handler = [type, text](const request&) { return response{200, type, std::string(text)}; };
    to.push_back({"GET", path, summary, handler, {}, {}, type});
  };
  page("/", "The status page", "text/html; charset=utf-8", status_html);
  page("/status.css", "Its style", "text/css; charset=utf-8", status_css);
  page("/status.js", "Its script", "text/javascript; charset=utf-8", status_js);
}

void add_health(std::vector<route>& to, control& node, const metrics& counted) {
  to.push_back({"GET", "/healthz", "The process answers", [](const request&) {
                  return ok({{"status", "ok"}});
                }});
  to.push_back({"GET", "/readyz", "200 when every component can do its job, else 503 with reasons",
                [&node](const request& r) { return readyz(node, r); }});
  to.push_back({"GET",
                "/metrics",
                "All metrics in the Prometheus text format",
                [&counted](const request&) {
                  return response{200, metrics_type, counted.text()};
                },
                {},
                {},
                metrics_type});
  to.push_back({"GET", "/api/v1/status", "The node, its readiness, the cluster and all lists",
                [&node](const request& r) { return status(node, r); }});
}

void add_lists(std::vector<route>& to, control& node) {
  for (auto c : all_classes) {
    auto path = fmt::format("/api/v1/{}", plural(c));
    to.push_back({"GET", path, fmt::format("All {}", plural(c)),
                  [&node, c](const request& r) { return list(node, c, r); }});
    to.push_back({"GET", path + "/{name}", fmt::format("One {}", to_string(c)),
                  [&node, c](const request& r) { return one(node, c, r); }});
  }
}

void add_start_and_stop(std::vector<route>& to, control& node, component_class c) {
  auto path = fmt::format("/api/v1/{}/{{name}}/", plural(c));
  to.push_back({"POST", path + "start",
                fmt::format("Starts a {} that is stopped or failed", to_string(c)),
                [&node, c](const request& r) {
                  return change(node, c, r, [&](const std::string& n) { return node.start(c, n); });
                }});
  to.push_back({"POST", path + "stop",
                fmt::format("Stops a {} when what is in flight is done", to_string(c)),
                [&node, c](const request& r) {
                  return change(node, c, r, [&](const std::string& n) { return node.stop(c, n); });
                }});
}

void add_changes(std::vector<route>& to, control& node) {
  add_start_and_stop(to, node, component_class::source);
  add_start_and_stop(to, node, component_class::flow);
  to.push_back({"POST",
                "/api/v1/flows/{name}/rewind",
                "Lets a flow read again from an earlier position",
                [&node](const request& r) { return rewind(node, r); },
                {},
                {{"to", "string", "beginning (the default), an offset, or an RFC 3339 time"}}});
}

void add_dead_letters(std::vector<route>& to, control& node) {
  parameter component{"component", "string", "only of this component, such as flow.orders"};
  parameter limit{"limit", "integer", fmt::format("at most so many, 1 to {}", letters_max)};
  to.push_back({"GET",
                "/api/v1/dead-letters",
                "Rows that could not be applied, oldest first",
                [&node](const request& r) { return letters(node, r); },
                {component, limit}});
  to.push_back({"POST",
                "/api/v1/dead-letters/replay",
                "Tries all dead letters again",
                [&node](const request& r) { return replay_letters(node, r); },
                {component}});
  to.push_back({"GET", "/api/v1/dead-letters/{id}", "One dead letter with its message",
                [&node](const request& r) { return show_letter(node, r); }});
  to.push_back({"DELETE", "/api/v1/dead-letters/{id}", "Drops a dead letter for good",
                [&node](const request& r) { return drop_letter(node, r); }});
  to.push_back({"POST", "/api/v1/dead-letters/{id}/replay", "Tries a dead letter again",
                [&node](const request& r) { return replay_letter(node, r); }});
}

} // namespace

std::vector<route> rest_routes(control& node, const metrics& counted) {
  std::vector<route> all;
  add_pages(all);
  add_health(all, node, counted);
  add_lists(all, node);
  add_table_routes(all, node);
  add_snapshot_route(all, node);
  add_alarm_routes(all, node);
  add_cluster_routes(all, node);
  add_changes(all, node);
  add_dead_letters(all, node);
  route itself{"GET", "/api/v1/openapi.json", "This document (OpenAPI 3.1)", {}};
  all.push_back(itself);
  auto document = openapi(all, node.node().version);
  all.back().handler = [document](const request&) {
    return response{200, "application/json", document};
  };
  return all;
}

} // namespace rtdp::ops
