/// What actors leave behind for the next one of their name on this node, which saves it work; the
/// owner of the shelf throws away what nobody fetched in time. Called from any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace rtdp {

class shelf {
public:
  using time_point = std::chrono::steady_clock::time_point;

  void put(const std::string& name, std::shared_ptr<void> thing, time_point until) {
    std::lock_guard lock{mutex_};
    things_[name] = {std::move(thing), until};
  }

  /// Null when there is none. Whoever puts and takes a name means the same type by it.
  template<class T>
  std::shared_ptr<T> take(const std::string& name) {
    std::lock_guard lock{mutex_};
    auto found = things_.extract(name);
    return found ? std::static_pointer_cast<T>(found.mapped().first) : nullptr;
  }

  void throw_away(time_point now) {
    std::lock_guard lock{mutex_};
    std::erase_if(things_, [now](const auto& t) { return t.second.second <= now; });
  }

private:
  std::mutex mutex_;
  std::map<std::string, std::pair<std::shared_ptr<void>, time_point>> things_;
};

} // namespace rtdp
