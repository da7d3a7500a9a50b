#include "runtime/state/progress.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::state {
namespace {

using json = nlohmann::json;
using numbers = std::map<std::string, int64_t>;

error read(const json& object, const char* name, numbers& into) {
  auto found = object.find(name);
  if (found == object.end() || !found->is_object())
    return rejected(std::string("progress: `") + name + "` must be an object of numbers");
  for (const auto& [key, value] : found->items()) {
    bool fits = value.is_number_integer() &&
                (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX});
    if (!fits)
      return rejected(std::string("progress: ") + name + " of " + key +
                      " must be a 64-bit integer, found " + value.dump());
    into.emplace(key, value.get<int64_t>());
  }
  return {};
}

} // namespace

int64_t progress::applied(const std::string& ns, const std::string& partition) const {
  auto found = ids.find(ns + ' ' + partition);
  if (found == ids.end())
    found = ids.find(ns);
  return found == ids.end() ? 0 : found->second;
}

void progress::apply(const std::string& ns, const std::string& partition, int64_t id) {
  ids[ns + ' ' + partition] = std::max(id, applied(ns, partition));
}

std::string progress::text() const {
  json object{{"offsets", offsets}, {"ids", ids}};
  if (!truncated.empty())
    object["truncated"] = truncated;
  if (state != state_point{})
    object["state"] = {{"incarnation", state.incarnation}, {"version", state.version}};
  // A name that is not UTF-8 is written with the replacement character instead of an exception.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<progress> progress::parse(std::string_view text) {
  progress read_back;
  if (text.empty())
    return read_back;
  auto object = json::parse(text, nullptr, false);
  bool has_truncated = object.is_object() && object.contains("truncated");
  bool has_state = object.is_object() && object.contains("state");
  if (!object.is_object() || object.size() != size_t(2 + has_truncated + has_state))
    return rejected("progress must be a JSON object with `offsets`, `ids` and perhaps `truncated` "
                    "and `state`, found: " +
                    std::string(text.substr(0, 80)));
  if (auto failed = read(object, "offsets", read_back.offsets))
    return failed;
  if (auto failed = read(object, "ids", read_back.ids))
    return failed;
  if (has_truncated)
    if (auto failed = read(object, "truncated", read_back.truncated))
      return failed;
  if (has_state) {
    numbers point;
    if (auto failed = read(object, "state", point))
      return failed;
    read_back.state = {point["incarnation"], point["version"]};
  }
  return read_back;
}

} // namespace rtdp::state
