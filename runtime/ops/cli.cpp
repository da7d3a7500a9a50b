#include "runtime/ops/cli.hpp"

#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/cli_tables.hpp"
#include "runtime/ops/router.hpp"
#include "runtime/ops/table_history.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <ostream>
#include <unistd.h>

namespace rtdp::ops {
namespace {

using value = nlohmann::ordered_json;

/// What a node sends is an object; anything else is treated as an empty one.
value object_of(const std::string& body) {
  auto parsed = value::parse(body, nullptr, false);
  return parsed.is_object() ? parsed : value::object();
}

value items_of(const std::string& body) {
  auto object = object_of(body);
  return object.contains("items") && object["items"].is_array() ? object["items"] : value::array();
}

} // namespace

std::string default_url() {
  const auto* set = std::getenv("RTDP_URL");
  return set != nullptr && *set != '\0' ? set : "http://127.0.0.1:8080";
}

bool wants_colour(int fd) {
  const auto* no = std::getenv("NO_COLOR");
  return (no == nullptr || *no == '\0') && isatty(fd) == 1;
}

std::optional<std::string> cli::call(const std::string& method, const std::string& target,
                                     const std::string& body, const std::string& next,
                                     const char* type) const {
  // Settings are tried on the sources before they are in force, which takes 12 s at most.
  bool applies = std::string_view(type) == yaml_type;
  auto node = client::make(url, std::chrono::seconds(applies ? 20 : 10));
  auto got = node ? node->call(method, target, body, type) : result<answer>(node.error());
  if (!got) {
    err << "rtdp: " << got.error().text() << '\n';
    return std::nullopt;
  }
  if (got->status < 300)
    return got->body;
  auto why = text_of(object_of(got->body), "detail");
  err << "rtdp: " << (why.empty() ? fmt::format("{} answered {}", url, got->status) : why) << '\n';
  if (!next.empty())
    err << "next: " << next << '\n';
  return std::nullopt;
}

int cli::versions(const std::string& table) const {
  auto body = call("GET", "/api/v1/tables/" + percent_encode(table) + "/versions", "", "rtdp tables");
  if (!body)
    return 1;
  out << (json ? *body + "\n" : versions_table(object_of(*body)));
  return 0;
}

int cli::status() const {
  auto body = call("GET", "/api/v1/status", "", "rtdp status, again in a moment");
  if (!body)
    return 1;
  out << (json ? *body + "\n" : status_text(object_of(*body), colour));
  return 0;
}

int cli::list(component_class c, const std::string& name) const {
  auto path = fmt::format("/api/v1/{}", plural(c));
  if (!name.empty())
    path += "/" + percent_encode(name);
  auto body = call("GET", path, "", fmt::format("rtdp {}", name.empty() ? "status" : plural(c)));
  if (!body)
    return 1;
  if (json)
    out << *body << '\n';
  else
    out << list_table(c, name.empty() ? items_of(*body) : value::array({object_of(*body)}), colour);
  return 0;
}

int cli::change(component_class c, const std::string& name, const std::string& verb,
                const std::string& to) const {
  auto sent = verb == "rewind" && !to.empty() ? dump({{"to", to}}) : "";
  auto path = fmt::format("/api/v1/{}/{}/{}", plural(c), percent_encode(name), verb);
  auto body = call("POST", path, sent, fmt::format("rtdp {}", plural(c)));
  if (!body)
    return 1;
  auto now = object_of(*body);
  auto reason = text_of(now, "reason");
  if (json)
    out << *body << '\n';
  else
    out << fmt::format("{} {}: {}{}{}\n", to_string(c), name, text_of(now, "state"),
                       reason.empty() ? "" : ", ", reason);
  return 0;
}

int cli::dead_letters(const std::string& component, int64_t limit) const {
  auto path = fmt::format("/api/v1/dead-letters?limit={}", limit);
  if (!component.empty())
    path += "&component=" + percent_encode(component);
  auto body = call("GET", path, "", "rtdp status");
  if (!body)
    return 1;
  auto items = items_of(*body);
  if (!json)
    out << letters_table(items, colour);
  else
    for (const auto& item : items)
      out << dump(item) << '\n';
  return 0;
}

int cli::show_dead_letter(int64_t id) const {
  auto body = call("GET", fmt::format("/api/v1/dead-letters/{}", id), "", "rtdp dead-letters list");
  if (!body)
    return 1;
  if (json) {
    out << *body << '\n';
    return 0;
  }
  const auto letter = object_of(*body);
  for (const auto& [key, held] : letter.items())
    out << fmt::format("{:<10} {}\n", key,
                       printable(held.is_string() ? held.get<std::string>() : dump(held)));
  return 0;
}

int cli::replay_dead_letters(const std::vector<int64_t>& ids, const std::string& component) const {
  std::vector<std::string> targets;
  for (auto id : ids)
    targets.push_back(fmt::format("/api/v1/dead-letters/{}/replay", id));
  if (ids.empty())
    targets.push_back("/api/v1/dead-letters/replay" +
                      (component.empty() ? "" : "?component=" + percent_encode(component)));
  return each("POST", targets, "replayed");
}

int cli::drop_dead_letters(const std::vector<int64_t>& ids) const {
  std::vector<std::string> targets;
  for (auto id : ids)
    targets.push_back(fmt::format("/api/v1/dead-letters/{}", id));
  return each("DELETE", targets, "dropped");
}

int cli::each(const std::string& method, const std::vector<std::string>& targets,
              const char* done) const {
  int64_t count = 0;
  bool failed = false;
  for (const auto& target : targets) {
    auto body = call(method, target, "", "rtdp dead-letters list");
    failed = failed || !body;
    auto answered = object_of(body.value_or(""));
    if (answered.contains(done) && answered[done].is_number_integer())
      count += answered[done].get<int64_t>();
  }
  out << (json ? dump({{done, count}}) : fmt::format("{} {}", done, human_count(count))) << '\n';
  return failed ? 1 : 0;
}

} // namespace rtdp::ops
