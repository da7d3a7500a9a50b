/// What can go wrong, as a value. Every function that can fail returns `error`
/// or `result<T>`; exceptions of libraries are caught in the file that calls
/// the library and never cross a function of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace rtdp {

/// Says what the caller can do about it, not which part broke.
enum class ec : uint8_t {
  ok = 0,
  /// The peer or the disk cannot be reached now; the same call may succeed later.
  unavailable,
  /// The data or the request is wrong; the same call will fail again.
  rejected,
  /// Somebody with a newer epoch owns this; stop writing for good.
  fenced,
};

const char* to_string(ec code);

/// A code and a sentence: what was expected, what was found, where, what to do.
/// Never holds a secret.
class [[nodiscard]] error {
public:
  error() = default;
  error(ec code, std::string text) : code_(code), text_(std::move(text)) {}

  /// True when something went wrong.
  explicit operator bool() const { return code_ != ec::ok; }
  ec code() const { return code_; }
  const std::string& text() const { return text_; }
  bool operator==(ec code) const { return code_ == code; }

  /// The same error with the place in front: "table public.orders: …".
  error in(std::string_view place) const;

private:
  ec code_ = ec::ok;
  std::string text_;
};

inline error unavailable(std::string text) { return {ec::unavailable, std::move(text)}; }
inline error rejected(std::string text) { return {ec::rejected, std::move(text)}; }
inline error fenced(std::string text) { return {ec::fenced, std::move(text)}; }

/// A value or the error that stands in its place.
/// `if (auto r = f(); !r) return r.error(); else use(*r);`
template<class T>
class [[nodiscard]] result {
public:
  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(rtdp::error e) : held_(std::in_place_index<1>, std::move(e)) {}

  explicit operator bool() const { return held_.index() == 0; }
  T& operator*() { return std::get<0>(held_); }
  const T& operator*() const { return std::get<0>(held_); }
  T* operator->() { return &std::get<0>(held_); }
  const T* operator->() const { return &std::get<0>(held_); }

  /// REQUIRES: holds an error.
  const rtdp::error& error() const { return std::get<1>(held_); }

private:
  std::variant<T, rtdp::error> held_;
};

} // namespace rtdp
