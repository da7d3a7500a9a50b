#include "actors/heartbeat/channel.hpp"
#include "actors/heartbeat/curl.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/component.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace rtdp::heartbeat {

namespace {

/// A line of a mail is at most 998 bytes (RFC 5322); text is cut at some words' distance from it.
constexpr size_t line_bytes_max = 900;

/// Text of components comes from databases: no line breaks, so that it makes no headers.
std::string one_line(const std::string& text) {
  auto line = ops::printable(text);
  if (line.size() <= line_bytes_max)
    return line;
  auto end = line_bytes_max;
  // Not in the middle of a character.
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80)
    --end;
  return line.substr(0, end) + "…";
}

std::string headline(const notice& n) {
  const auto& a = n.what;
  const auto* word = n.event == "began" ? "" : n.event == "lasts" ? "still " : "over: ";
  return one_line(fmt::format("{}{} of {} {}", word, a.condition, a.component, a.name));
}

/// Encoded as RFC 2047 asks for when it is not plain ASCII.
std::string header_text(const std::string& text) {
  auto plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 128; });
  if (plain)
    return text;
  constexpr const char* begin = "=?utf-8?Q?";
  std::string out = begin;
  size_t word = 0;
  for (unsigned char c : text) {
    // An encoded word is at most 75 bytes and holds whole characters, of which none takes more
    // than 12.
    if (out.size() - word > 60 && (c & 0xC0) != 0x80) {
      out += "?=\r\n ";
      word = out.size();
      out += begin;
    }
    bool plain_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += plain_letter ? std::string(1, char(c)) : fmt::format("={:02X}", c);
  }
  return out + "?=";
}

struct reading {
  const std::string* text;
  size_t at = 0;
};

size_t read(char* to, size_t size, size_t count, void* from) {
  auto& r = *static_cast<reading*>(from);
  auto n = std::min(size * count, r.text->size() - r.at);
  std::memcpy(to, r.text->data() + r.at, n);
  r.at += n;
  return n;
}

class mail final : public channel {
public:
  mail(config::mail_settings settings, std::string node)
      : settings_(std::move(settings)), node_(std::move(node)) {}

  std::string name() const override { return "mail " + settings_.server; }
  size_t notices_max() const override { return 100; }

  error send(const std::vector<notice>& notices) override {
    auto text = mail_text(notices, settings_, node_, now_us());
    reading from{&text};
    curl_call call{settings_.server, "smtp,smtps", settings_.ca_file};
    call.set(CURLOPT_USE_SSL, settings_.tls ? long(CURLUSESSL_ALL) : long(CURLUSESSL_NONE));
    if (!settings_.user.empty()) {
      call.set(CURLOPT_USERNAME, settings_.user.reveal().c_str());
      call.set(CURLOPT_PASSWORD, settings_.password.reveal().c_str());
    }
    call.set(CURLOPT_MAIL_FROM, settings_.from.c_str());
    for (const auto& address : settings_.to)
      call.add_recipient(address);
    call.set(CURLOPT_UPLOAD, 1L);
    call.set(CURLOPT_READFUNCTION, read);
    call.set(CURLOPT_READDATA, &from);
    auto failed = call.run();
    // 5xx after the connection stands: the server will say the same again.
    if (failed && call.status() >= 500 && call.status() < 600)
      return rejected(failed.text());
    return failed;
  }

private:
  config::mail_settings settings_;
  std::string node_;
};

} // namespace

std::string mail_text(const std::vector<notice>& notices, const config::mail_settings& settings,
                      const std::string& node, int64_t now_us) {
  auto more = notices.size() > 1 ? fmt::format(" and {} more", notices.size() - 1) : "";
  auto subject = fmt::format("[rtdp {}] {}{}", node, headline(notices.front()), more);
  std::string out;
  out += fmt::format("Date: {:%a, %d %b %Y %H:%M:%S +0000}\r\n",
                     fmt::gmtime(std::time_t(now_us / 1'000'000)));
  out += fmt::format("From: RTDP <{}>\r\nTo: {}\r\n", settings.from, fmt::join(settings.to, ", "));
  out += fmt::format("Message-ID: <{}.{}.rtdp@{}>\r\n", now_us, notices.front().what.since_us,
                     settings.from.substr(settings.from.find('@') + 1));
  out += fmt::format("Subject: {}\r\n", header_text(subject));
  out += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\nAuto-Submitted: auto-generated\r\n\r\n";
  for (const auto& n : notices) {
    const auto& a = n.what;
    out += fmt::format("{}\r\n  {}\r\n  since {}", headline(n), one_line(a.text),
                       ops::rfc3339(a.since_us));
    if (a.ended_us > 0)
      out += fmt::format(", over at {} after {}", ops::rfc3339(a.ended_us),
                         ops::human_seconds(double(a.ended_us - a.since_us) / 1e6));
    out += "\r\n\r\n";
  }
  return out + fmt::format("Node {}. `rtdp alarms` lists what is open.\r\n", node);
}

std::unique_ptr<channel> make_mail(config::mail_settings settings, std::string node) {
  return std::make_unique<mail>(std::move(settings), std::move(node));
}

} // namespace rtdp::heartbeat
