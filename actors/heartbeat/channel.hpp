/// A way out of the house for notices: a webhook, a mail server. Plain class; owned by CHANNEL,
/// which calls it from one thread, blocks in it, and owns retries. Each call takes 20 s at most.
#pragma once

#include "actors/heartbeat/alarm_rules.hpp"
#include "config/alarms.hpp"
#include "runtime/core/error.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::heartbeat {

class channel {
public:
  virtual ~channel() = default;

  /// For the log; holds no secret: "webhook hooks.example.com", "mail smtp://mail.example.com:587".
  virtual std::string name() const = 0;
  /// How many notices one call takes.
  virtual size_t notices_max() const = 0;
  /// Hands all of them over, or none: `unavailable` when that may work later, else `rejected`.
  virtual error send(const std::vector<notice>& notices) = 0;
};

/// Posts one JSON object a notice:
///   {"id":…,"event":"began","node":"n1","condition":"latency","component":"table","name":…,
///    "text":…,"since":"2026-11-22T10:13:24.213456Z","ended":null}
/// Any 2xx answer takes it. A notice may come twice when an answer was lost; its id tells.
/// Certificates are verified; redirects are not followed.
std::unique_ptr<channel> make_webhook(config::webhook_settings settings, std::string node);

/// One mail for all notices that wait.
std::unique_ptr<channel> make_mail(config::mail_settings settings, std::string node);

/// The body of a webhook and the text of a mail, headers included.
std::string webhook_body(const notice& n, const std::string& node);
std::string mail_text(const std::vector<notice>& notices, const config::mail_settings& settings,
                      const std::string& node, int64_t now_us);

} // namespace rtdp::heartbeat
