#include "runtime/ops/openapi.hpp"

#include "runtime/ops/component.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

/// "POST /api/v1/flows/{name}/start" → "post_api_v1_flows_name_start"
std::string operation_id(const route& r) {
  std::string id;
  for (unsigned char c : r.method + r.path)
    if (std::isalnum(c))
      id += char(std::tolower(c));
    else if (c != '}' && !id.empty() && id.back() != '_')
      id += '_';
  return id;
}

json parameters(const route& r) {
  auto out = json::array();
  for (auto at = r.path.find('{'); at != r.path.npos; at = r.path.find('{', at + 1))
    out.push_back({{"name", r.path.substr(at + 1, r.path.find('}', at) - at - 1)},
                   {"in", "path"},
                   {"required", true},
                   {"schema", {{"type", "string"}}}});
  for (const auto& q : r.query)
    out.push_back({{"name", q.name},
                   {"in", "query"},
                   {"description", q.doc},
                   {"schema", {{"type", q.type}}}});
  return out;
}

json request_body(const route& r) {
  auto properties = json::object();
  for (const auto& b : r.body)
    properties[b.name] = {{"type", b.type}, {"description", b.doc}};
  json schema = {{"type", "object"}, {"properties", properties}};
  if (r.takes != json_type)
    return {{"required", true}, {"content", {{r.takes, {{"schema", {{"type", "string"}}}}}}}};
  return {{"required", false}, {"content", {{r.takes, {{"schema", schema}}}}}};
}

json operation(const route& r) {
  json problem = {{"$ref", "#/components/schemas/problem"}};
  auto type = r.produces.substr(0, r.produces.find(';'));
  json out = {{"operationId", operation_id(r)}, {"summary", r.summary}};
  if (auto list = parameters(r); !list.empty())
    out["parameters"] = std::move(list);
  if (!r.body.empty() || r.takes != json_type)
    out["requestBody"] = request_body(r);
  out["responses"] = {{"200", {{"description", "done"}, {"content", {{type, json::object()}}}}},
                      {"default",
                       {{"description", "the request was refused or failed"},
                        {"content", {{"application/problem+json", {{"schema", problem}}}}}}}};
  return out;
}

} // namespace

std::string openapi(const std::vector<route>& routes, const std::string& version) {
  auto paths = json::object();
  for (const auto& r : routes) {
    auto method = r.method;
    std::transform(method.begin(), method.end(), method.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    paths[r.path][method] = operation(r);
  }
  auto text = [](const char* type) { return json{{"type", type}}; };
  json problem = {{"description", "RFC 9457: what went wrong and what to do"},
                  {"type", "object"},
                  {"properties",
                   {{"type", text("string")},
                    {"title", text("string")},
                    {"status", text("integer")},
                    {"detail", text("string")},
                    {"instance", text("string")}}}};
  return dump({{"openapi", "3.1.0"},
               {"info", {{"title", "RTDP"}, {"version", version}}},
               {"paths", paths},
               {"components", {{"schemas", {{"problem", problem}}}}}});
}

} // namespace rtdp::ops
