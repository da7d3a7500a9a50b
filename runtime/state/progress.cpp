#include "runtime/state/progress.hpp"

#include <nlohmann/json.hpp>

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

std::string progress::text() const {
  // A name that is not UTF-8 is written with the replacement character instead of an exception.
  return json{{"offsets", offsets}, {"ids", ids}}.dump(-1, ' ', false,
                                                       json::error_handler_t::replace);
}

result<progress> progress::parse(std::string_view text) {
  progress read_back;
  if (text.empty())
    return read_back;
  auto object = json::parse(text, nullptr, false);
  if (!object.is_object() || object.size() != 2)
    return rejected("progress must be a JSON object with `offsets` and `ids`, found: " +
                    std::string(text.substr(0, 80)));
  if (auto failed = read(object, "offsets", read_back.offsets))
    return failed;
  if (auto failed = read(object, "ids", read_back.ids))
    return failed;
  return read_back;
}

} // namespace rtdp::state
