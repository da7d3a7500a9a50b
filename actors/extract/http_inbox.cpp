#include "actors/extract/http_inbox.hpp"

#include <simdjson.h>

#include <algorithm>
#include <utility>

namespace rtdp::extract::web {

namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == text.npos; }

result<std::vector<piece>> split_array(std::string_view body) {
  std::vector<piece> out;
  simdjson::padded_string padded(body);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document doc;
  simdjson::ondemand::array items;
  auto failed = parser.iterate(padded).get(doc);
  if (!failed)
    failed = doc.get_array().get(items);
  if (failed)
    return rejected(std::string("the body is no JSON array: ") + simdjson::error_message(failed));
  for (auto item : items) {
    auto number = out.size() + 1;
    simdjson::ondemand::object object;
    std::string_view raw;
    failed = item.get_object().get(object);
    if (!failed)
      failed = object.raw_json().get(raw);
    if (failed)
      return rejected("element " + std::to_string(number) + ": expected an object; " +
                      simdjson::error_message(failed));
    // The padded copy ends here; the body stays.
    out.push_back({body.substr(size_t(raw.data() - padded.data()), raw.size()), number});
  }
  auto end = out.empty() ? body.find('[') + 1
                         : size_t(out.back().text.data() - body.data()) + out.back().text.size();
  auto rest = body.substr(end);
  auto close = rest.find_first_not_of(" \t\r\n");
  if (close == rest.npos || rest[close] != ']' ||
      rest.find_first_not_of(" \t\r\n", close + 1) != rest.npos)
    return rejected("the body goes on behind the end of the array");
  return out;
}

} // namespace

result<std::vector<piece>> split_body(std::string_view body, bool may_be_array) {
  auto first = body.find_first_not_of(" \t\r\n");
  if (may_be_array && first != body.npos && body[first] == '[')
    return split_array(body);
  std::vector<piece> out;
  size_t number = 0;
  while (!body.empty()) {
    auto end = std::min(body.find('\n'), body.size());
    auto line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    ++number;
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (!is_blank(line))
      out.push_back({line, number});
  }
  return out;
}

inbox::answer inbox::offer(delivery_ptr d, std::chrono::milliseconds timeout) {
  auto mine = std::make_shared<entry>();
  mine->what = std::move(d);
  std::unique_lock lock(guard_);
  if (closed_)
    return {outcome::not_taken, "the source is not reading"};
  if (entries_.size() >= waiting_max_)
    return {outcome::not_taken, "too many requests wait"};
  entries_.push_back(mine);
  came_.notify_one();
  decided_.wait_for(lock, timeout, [&] { return mine->at == step::decided; });
  std::erase(entries_, mine);
  if (mine->at == step::decided)
    return mine->decided;
  return mine->at == step::taken ? answer{outcome::unknown, "it did not become durable in time"}
                                 : answer{outcome::not_taken, "the source did not read in time"};
}

delivery_ptr inbox::take(std::chrono::milliseconds wait) {
  std::unique_lock lock(guard_);
  std::shared_ptr<entry> next;
  came_.wait_for(lock, wait, [&] {
    auto at = std::find_if(entries_.begin(), entries_.end(),
                           [](const auto& e) { return e->at == step::queued; });
    next = at == entries_.end() ? nullptr : *at;
    return next != nullptr;
  });
  if (!next)
    return nullptr;
  next->at = step::taken;
  return next->what;
}

void inbox::decide(const delivery_ptr& d, outcome what, std::string reason) {
  std::lock_guard lock(guard_);
  auto at =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e->what == d; });
  // Its client has been answered already: it took too long.
  if (at == entries_.end())
    return;
  (*at)->at = step::decided;
  (*at)->decided = {what, std::move(reason)};
  decided_.notify_all();
}

void inbox::close() {
  std::lock_guard lock(guard_);
  closed_ = true;
  for (auto& e : entries_)
    if (e->at != step::decided) {
      bool taken = std::exchange(e->at, step::decided) == step::taken;
      e->decided = {taken ? outcome::unknown : outcome::not_taken, "the source stops reading"};
    }
  decided_.notify_all();
}

bool inbox::empty() const {
  std::lock_guard lock(guard_);
  return std::none_of(entries_.begin(), entries_.end(),
                      [](const auto& e) { return e->at != step::decided; });
}

} // namespace rtdp::extract::web
