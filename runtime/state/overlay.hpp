/// Entries of a flow's state that its file does not hold yet, over those that it does. Part of
/// `keyed_state`; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace rtdp::state {

class overlay {
public:
  struct cell {
    std::string value{};
    /// The batch that wrote it last.
    int64_t version = 0;
    bool gone = false;
  };
  /// Stays where it is until it is erased.
  using entry = std::pair<const std::string, cell>;
  using ordered_map = std::map<std::string, cell, std::less<>>;

  /// Tables whose second byte has this bit can be walked in the order of their keys; the others are
  /// found faster.
  static constexpr uint8_t ordered_bit = 0x80;
  static bool is_ordered(std::string_view key) {
    return key.size() > 1 && (uint8_t(key[1]) & ordered_bit);
  }

  entry* find(std::string_view key) {
    if (is_ordered(key)) {
      auto at = ordered_.find(key);
      return at == ordered_.end() ? nullptr : &*at;
    }
    auto at = plain_.find(key);
    return at == plain_.end() ? nullptr : &*at;
  }

  /// The second is true when it is new.
  std::pair<entry*, bool> at(std::string_view key) {
    if (is_ordered(key)) {
      auto [place, is_new] = ordered_.try_emplace(std::string(key));
      return {&*place, is_new};
    }
    if (auto place = plain_.find(key); place != plain_.end())
      return {&*place, false};
    return {&*plain_.try_emplace(std::string(key)).first, true};
  }

  void erase(std::string_view key) {
    if (is_ordered(key)) {
      if (auto at = ordered_.find(key); at != ordered_.end())
        ordered_.erase(at);
    } else if (auto at = plain_.find(key); at != plain_.end()) {
      plain_.erase(at);
    }
  }

  template<class Visit>
  void each(std::string_view prefix, const Visit& visit) const {
    if (is_ordered(prefix)) {
      for (auto at = ordered_.lower_bound(prefix);
           at != ordered_.end() && at->first.starts_with(prefix); ++at)
        visit(*at);
      return;
    }
    for (const auto& e : plain_)
      if (e.first.starts_with(prefix))
        visit(e);
  }

  const ordered_map& ordered() const { return ordered_; }
  void clear() {
    plain_.clear();
    ordered_.clear();
  }

private:
  struct hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  std::unordered_map<std::string, cell, hash, std::equal_to<>> plain_;
  ordered_map ordered_;
};

} // namespace rtdp::state
