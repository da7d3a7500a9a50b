#include "actors/extract/syslog_message.hpp"

#include "runtime/ums/codec.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace rtdp::extract::syslog {

namespace {

constexpr std::array<std::string_view, 24> facilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> severities = {"emerg",   "alert",  "crit", "err",
                                                        "warning", "notice", "info", "debug"};
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr int user_notice = 13;

/// Up to the next blank, which goes, too.
std::string_view word(std::string_view& rest) {
  auto end = std::min(rest.find(' '), rest.size());
  auto out = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return out;
}

std::string_view unless_nil(std::string_view text) {
  return text == "-" ? std::string_view{} : text;
}

/// `[id name="value" …]…`; false when it is none. Takes it and a blank behind it.
bool take_data(std::string_view& rest, std::string& out) {
  auto in = rest;
  auto all = nlohmann::json::object();
  while (in.starts_with('[')) {
    in.remove_prefix(1);
    auto end = in.find_first_of(" ]");
    if (end == in.npos || end == 0)
      return false;
    auto& element = all[std::string(in.substr(0, end))] = nlohmann::json::object();
    in.remove_prefix(end);
    while (in.starts_with(' ')) {
      in.remove_prefix(1);
      auto equals = in.find("=\"");
      if (equals == in.npos)
        return false;
      std::string value;
      auto at = equals + 2;
      for (; at < in.size() && in[at] != '"'; ++at) {
        bool escaped = in[at] == '\\' && at + 1 < in.size() &&
                       (in[at + 1] == '"' || in[at + 1] == '\\' || in[at + 1] == ']');
        at += escaped;
        value += in[at];
      }
      if (at >= in.size())
        return false;
      element[std::string(in.substr(0, equals))] = std::move(value);
      in.remove_prefix(at + 1);
    }
    if (!in.starts_with(']'))
      return false;
    in.remove_prefix(1);
  }
  if (!in.empty() && in.front() != ' ')
    return false;
  in.remove_prefix(in.empty() ? 0 : 1);
  // Bytes that are no UTF-8 are told of when the event is taken.
  out = all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  rest = in;
  return true;
}

/// Behind the priority and the version.
bool parse_new(std::string_view rest, message& out) {
  auto m = out;
  auto time = word(rest);
  if (time != "-") {
    m.time_us = ums::parse_datetime(time);
    if (!m.time_us)
      return false;
  }
  m.host = unless_nil(word(rest));
  m.app = unless_nil(word(rest));
  m.procid = unless_nil(word(rest));
  m.msgid = unless_nil(word(rest));
  if (rest.starts_with("[")) {
    if (!take_data(rest, m.data))
      return false;
  } else if (word(rest) != "-") {
    return false;
  }
  if (rest.starts_with("\xef\xbb\xbf"))
    rest.remove_prefix(3);
  m.text = rest;
  out = std::move(m);
  return true;
}

/// "Oct 11 22:14:15"
std::optional<int64_t> old_time(std::string_view text, int64_t now_us) {
  auto month = months.find(text.substr(0, 3));
  if (text.size() != 15 || month == months.npos || month % 3 != 0)
    return {};
  std::string now;
  ums::append_datetime(now_us, now);
  int year = std::atoi(now.substr(0, 4).c_str());
  std::optional<int64_t> best;
  for (int y = year - 1; y <= year + 1; ++y) {
    char whole[32];
    auto day = text[4] == ' ' ? '0' : text[4];
    std::snprintf(whole, sizeof whole, "%04d-%02d-%c%c %.8s", y, int(month / 3 + 1), day, text[5],
                  std::string(text.substr(7)).c_str());
    auto at = ums::parse_datetime(whole);
    if (at && (!best || std::abs(*at - now_us) < std::abs(*best - now_us)))
      best = at;
  }
  return best;
}

/// Behind the priority: `Oct 11 22:14:15 host app[123]: text`.
void parse_old(std::string_view rest, message& out, int64_t now_us) {
  out.text = rest;
  auto time = old_time(rest.substr(0, 15), now_us);
  if (!time || rest.size() < 17 || rest[15] != ' ')
    return;
  out.time_us = time;
  rest.remove_prefix(16);
  out.host = word(rest);
  out.text = rest;
  auto end = rest.find_first_of(": [");
  if (end == rest.npos || end == 0 || rest[end] == ' ')
    return;
  auto app = rest.substr(0, end);
  rest.remove_prefix(end);
  if (rest.starts_with('[')) {
    auto close = rest.find("]:");
    if (close == rest.npos)
      return;
    out.procid = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
  }
  out.app = app;
  rest.remove_prefix(1);
  if (rest.starts_with(' '))
    rest.remove_prefix(1);
  out.text = rest;
}

/// Takes `<34>`.
int take_priority(std::string_view& rest) {
  auto close = rest.substr(0, 5).find('>');
  int priority = -1;
  if (!rest.starts_with('<') || close == rest.npos)
    return user_notice;
  auto [end, code] = std::from_chars(rest.data() + 1, rest.data() + close, priority);
  if (code != std::errc{} || end != rest.data() + close || priority < 0 || priority > 191)
    return user_notice;
  rest.remove_prefix(close + 1);
  return priority;
}

} // namespace

message parse(std::string_view bytes, int64_t now_us) {
  while (bytes.ends_with('\n') || bytes.ends_with('\r') || bytes.ends_with('\0'))
    bytes.remove_suffix(1);
  message out;
  auto rest = bytes;
  auto priority = take_priority(rest);
  out.facility = facilities[size_t(priority / 8)];
  out.severity = severities[size_t(priority % 8)];
  bool marked = rest.size() < bytes.size();
  if (marked && rest.starts_with("1 ") && parse_new(rest.substr(2), out))
    return out;
  parse_old(rest, out, now_us);
  return out;
}

void framer::compact() {
  buffer_.erase(0, used_);
  used_ = 0;
}

std::optional<framer::cut> framer::next(bool at_end) {
  for (;;) {
    auto rest = std::string_view(buffer_).substr(used_);
    if (skip_ > 0) {
      auto now = std::min(skip_, rest.size());
      used_ += now;
      skip_ -= now;
    } else if (skip_line_) {
      auto end = rest.find('\n');
      skip_line_ = end == rest.npos;
      used_ += skip_line_ ? rest.size() : end + 1;
    } else {
      // Blank lines, and what senders put behind a counted message.
      auto begin = std::min(rest.find_first_not_of("\r\n"), rest.size());
      used_ += begin;
      if (begin == rest.size()) {
        compact();
        return {};
      }
      auto found = rest[begin] >= '1' && rest[begin] <= '9' ? counted() : line(at_end);
      if (!found)
        compact();
      return found;
    }
    if (used_ == buffer_.size()) {
      compact();
      return {};
    }
  }
}

std::optional<framer::cut> framer::counted() {
  auto rest = std::string_view(buffer_).substr(used_);
  size_t size = 0;
  auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
  auto digits = size_t(end - rest.data());
  if (digits == rest.size() && digits < 10)
    return {};
  // A line that happens to begin with a digit.
  if (code != std::errc{} || digits >= 10 || rest[digits] != ' ')
    return line(false);
  rest.remove_prefix(digits + 1);
  if (size > bytes_max_) {
    if (rest.size() < bytes_max_)
      return {};
    used_ += digits + 1 + bytes_max_;
    skip_ = size - bytes_max_;
    return cut{rest.substr(0, bytes_max_), true};
  }
  if (rest.size() < size)
    return {};
  used_ += digits + 1 + size;
  return cut{rest.substr(0, size)};
}

std::optional<framer::cut> framer::line(bool at_end) {
  auto rest = std::string_view(buffer_).substr(used_);
  auto end = rest.find('\n');
  if (end > bytes_max_ && rest.size() > bytes_max_) {
    used_ += bytes_max_;
    skip_line_ = true;
    return cut{rest.substr(0, bytes_max_), true};
  }
  if (end == rest.npos && !at_end)
    return {};
  end = std::min(end, rest.size());
  used_ += std::min(end + 1, rest.size());
  return cut{rest.substr(0, end)};
}

} // namespace rtdp::extract::syslog
