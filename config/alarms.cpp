#include "config/alarms.hpp"

#include "config/tree.hpp"
#include "config/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rtdp::config {

namespace {

using std::chrono::milliseconds;

constexpr std::array components = {"source", "stream", "flow"};

/// The limits, as they stand both at the top and in an override.
std::vector<field> limit_fields() {
  return {
      field{"latency", milliseconds{0},
            "A table is late when what comes out of its flows is older than this; 0 is off."}
          .sample("5s"),
      field{"heartbeat", milliseconds{600'000},
            "The path of a table is dead when no mark came out of it for this long; 0 is off."},
      field{"silence", milliseconds{0},
            "A table is silent when no row came for this long (marks are no rows); 0 is off."}
          .sample("10m"),
      field{"errors", int64_t{-1},
            "More errors and dead letters of a component than this within `errors_window`; -1 is "
            "off, 0 tells each."}
          .range(-1, INT64_MAX)
          .sample("10"),
      field{"retained_log_bytes", int64_t{10} << 30,
            "The database keeps more log than this for a source; 0 is off."}
          .range(0, INT64_MAX),
      field{"failed", true, "A component has failed and waits for a person."},
      field{"quiet", texts{},
            "Hours of the day in UTC in which latency, heartbeat and silence raise no alarm."}
          .sample("[\"22:00-06:00\"]"),
  };
}

std::vector<field> override_fields() {
  std::vector<field> all = {
      field{"for", std::string{},
            "A namespace pattern of tables, or a component such as `flow.orders`."}
          .required()
          .sample("postgres.shop.public.orders")};
  for (auto& f : limit_fields()) {
    f.doc = "Instead of the one above.";
    all.push_back(std::move(f));
  }
  return all;
}

const char* ca_doc = "File with the certificates to trust, in PEM; default: those of the system.";

std::vector<field> webhook_fields() {
  return {field{"url", secret{}, "Where alarms are posted as JSON: http:// or https://."}
              .required()
              .sample("${env:WEBHOOK_URL}"),
          field{"token", secret{}, "Sent as `Authorization: Bearer …`."},
          field{"ca_file", std::string{}, ca_doc}};
}

std::vector<field> mail_fields() {
  return {field{"server", std::string{}, "smtp://host:port or smtps://host:port."}
              .required()
              .sample("smtp://mail.example.com:587"),
          field{"user", secret{}, "Name at the server; needs `password`."},
          field{"password", secret{}, "Sent over TLS only."},
          field{"from", std::string{}, "The sender's address."}.required().sample("rtdp@example.com"),
          field{"to", texts{}, "Who gets the mails."}.required().sample("[ops@example.com]"),
          field{"tls", true, "smtp:// goes over to TLS before anything is sent (STARTTLS)."},
          field{"ca_file", std::string{}, ca_doc}};
}

/// Where a setting stands, for problems that a spec cannot find.
int line_of(const section& s, const char* name) {
  auto at = s.lines.find(name);
  return at == s.lines.end() ? s.line : at->second;
}

struct reader {
  std::vector<problem>& problems;

  void report(const section& s, const std::string& path, const char* name, std::string text) {
    problems.push_back({line_of(s, name), join(path, name), std::move(text)});
  }

  /// What does not stand in `s` stays as it is in `out`; `all` takes the defaults too.
  void limits(const section& s, const std::string& path, bool all, alarm_limits& out) {
    auto given = [&](const char* name) { return all || s.lines.contains(name); };
    if (given("latency"))
      out.latency = s.duration("latency");
    if (given("heartbeat"))
      out.heartbeat = s.duration("heartbeat");
    if (given("silence"))
      out.silence = s.duration("silence");
    if (given("errors"))
      out.errors = s.integer("errors");
    if (given("retained_log_bytes"))
      out.retained_log_bytes = s.integer("retained_log_bytes");
    if (given("failed"))
      out.failed = s.flag("failed");
    if (!given("quiet"))
      return;
    out.quiet.clear();
    for (const auto& text : s.get<texts>("quiet"))
      if (quiet_hours q; read_quiet_hours(text, q))
        out.quiet.push_back(q);
      else
        report(s, path, "quiet",
               "expects hours of the day in UTC such as 22:00-06:00; found " + excerpt(text));
  }

  alarm_override exception(const section& s, const std::string& path, const alarm_limits& base,
                           const std::function<std::string(std::string_view)>& check_pattern) {
    alarm_override out{.component = {}, .name = {}, .limits = base};
    const auto& what = s.text("for");
    for (const auto* c : components)
      if (what.starts_with(std::string(c) + ".")) {
        out.component = c;
        out.name = what.substr(out.component.size() + 1);
      }
    if (out.component.empty()) {
      out.name = what;
      auto wrong = check_pattern && !what.empty() ? check_pattern(what) : std::string{};
      if (!wrong.empty())
        report(s, path, "for", wrong);
    }
    limits(s, path, false, out.limits);
    return out;
  }

  webhook_settings webhook(const section& s, const std::string& path) {
    webhook_settings out{s.get<secret>("url"), s.get<secret>("token"), s.text("ca_file")};
    const auto& url = out.url.reveal();
    // The address is not shown: with many services it is the secret.
    if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
      report(s, path, "url", "expects an address that begins with http:// or https://");
    return out;
  }

  mail_settings mail(const section& s, const std::string& path) {
    mail_settings out{s.text("server"),
                      s.get<secret>("user"),
                      s.get<secret>("password"),
                      s.text("from"),
                      s.get<texts>("to"),
                      s.flag("tls"),
                      s.text("ca_file")};
    if (!out.server.empty() && !out.server.starts_with("smtp://") &&
        !out.server.starts_with("smtps://"))
      report(s, path, "server", "expects smtp://host:port or smtps://host:port");
    if (out.server.find('@') != std::string::npos)
      report(s, path, "server", "holds no user or password: they have settings of their own");
    if (out.user.empty() != out.password.empty())
      report(s, path, out.user.empty() ? "password" : "user", "user and password go together");
    if (!out.password.empty() && !out.tls && out.server.starts_with("smtp://"))
      report(s, path, "tls", "must be true: a password is sent over TLS only");
    for (const auto& address : out.to)
      check_address(s, path, "to", address);
    check_address(s, path, "from", out.from);
    return out;
  }

  void check_address(const section& s, const std::string& path, const char* name,
                     const std::string& address) {
    auto odd = [](unsigned char c) { return c <= ' ' || c == 127 || c == '<' || c == '>'; };
    if (!address.empty() && (address.find('@') == std::string::npos ||
                             std::any_of(address.begin(), address.end(), odd)))
      report(s, path, name,
             "expects an address such as ops@example.com; found " + excerpt(address));
  }
};

/// "06:30" as minutes, "24:00" included; -1 when it is no time of day.
int read_time(std::string_view text) {
  auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 100; };
  if (text.size() != 5 || text[2] != ':')
    return -1;
  auto hours = digit(0) * 10 + digit(1), minutes = digit(3) * 10 + digit(4);
  return minutes < 60 && hours * 60 + minutes <= 24 * 60 ? hours * 60 + minutes : -1;
}

} // namespace

bool read_quiet_hours(std::string_view text, quiet_hours& out) {
  if (text.size() != 11 || text[5] != '-')
    return false;
  out = {read_time(text.substr(0, 5)), read_time(text.substr(6))};
  return out.from >= 0 && out.to >= 0;
}

spec alarms_spec() {
  auto all = spec{"alarms", "What is worth telling a person, and where it is told besides the log, "
                            "REST and metrics."};
  for (auto& f : limit_fields())
    all.add(std::move(f));
  return all
      .add(field{"errors_window", milliseconds{60'000}, "In which `errors` are counted."}.range(
          1000, 86'400'000))
      .add(field{"overrides", sections{}, "Other limits for some tables or for one component; the "
                                          "first that fits counts."}
               .of(override_fields())
               .sample("[{for: postgres.shop.public.orders, latency: 1s}]"))
      .add(field{"webhooks", sections{}, "Addresses that alarms are posted to."}
               .of(webhook_fields())
               .sample("[{url: \"${env:WEBHOOK_URL}\"}]"))
      .add(field{"mails", sections{}, "Whom alarms are mailed to."}
               .of(mail_fields())
               .sample("[{server: \"smtp://mail.example.com:587\", from: rtdp@example.com, to: "
                       "[ops@example.com]}]"))
      .add(field{"remind", milliseconds{0}, "An open alarm is told again so often; 0 is never."}
               .sample("6h"))
      .add(field{"hold", milliseconds{5000},
                 "So long a condition lasts before it is told, and is over before that is told."}
               .range(0, 3'600'000)
               .advanced());
}

std::vector<problem>
check_alarms(const tree* node, const std::function<std::string(std::string_view)>& check_pattern,
             alarm_settings& out) {
  static const tree none;
  section s;
  auto problems = alarms_spec().parse(node ? *node : none, "alarms", s);
  reader read{problems};
  read.limits(s, "alarms", true, out.limits);
  out.errors_window = s.duration("errors_window");
  out.hold = s.duration("hold");
  out.remind = s.duration("remind");
  auto each = [&](const char* name, auto use) {
    const auto& items = s.get<sections>(name);
    for (size_t i = 0; i < items.size(); ++i)
      use(items[i], fmt::format("alarms.{}.{}", name, i));
  };
  each("overrides", [&](const section& item, const std::string& path) {
    out.overrides.push_back(read.exception(item, path, out.limits, check_pattern));
  });
  each("webhooks", [&](const section& item, const std::string& path) {
    out.webhooks.push_back(read.webhook(item, path));
  });
  each("mails", [&](const section& item, const std::string& path) {
    out.mails.push_back(read.mail(item, path));
  });
  return problems;
}

} // namespace rtdp::config
