/// One syslog message taken apart, as RFC 5424 and RFC 3164 have it, and the framing of a TCP
/// stream of them, as RFC 6587 has it. Plain values and a plain class; no socket; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::extract::syslog {

/// Views point into the message; empty where it says nothing.
struct message {
  /// "kern", "local7"; "err", "debug".
  std::string_view facility, severity;
  std::string_view host, app, procid, msgid;
  /// What is left: the text.
  std::string_view text;
  /// {"id":{"name":"value"}} of the structured data; empty without any.
  std::string data;
  /// When it was made, in microseconds UTC. RFC 3164 knows neither year nor zone: the year is the
  /// one that comes nearest to `now_us`, the zone is taken as UTC.
  std::optional<int64_t> time_us;
};

/// Takes anything. What has no priority is user.notice, and what follows no RFC is text as a whole,
/// which is what RFC 3164 asks of a receiver.
message parse(std::string_view bytes, int64_t now_us);

/// Cuts a stream into messages: `57 <34>1 …` when it begins with a digit, lines else.
class framer {
public:
  explicit framer(size_t bytes_max) : bytes_max_(bytes_max) {}

  struct cut {
    std::string_view text;
    /// Longer than `bytes_max`: the beginning only, the rest is passed over.
    bool too_long = false;
  };
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// The next whole message; valid until the next `feed`. `at_end`: nothing comes any more.
  std::optional<cut> next(bool at_end);

private:
  std::optional<cut> counted();
  std::optional<cut> line(bool at_end);
  void compact();

  size_t bytes_max_, used_ = 0;
  /// Bytes of a message that is too long still to be passed over.
  size_t skip_ = 0;
  bool skip_line_ = false;
  std::string buffer_;
};

} // namespace rtdp::extract::syslog
