#include "actors/heartbeat/channel.hpp"
#include "actors/heartbeat/curl.hpp"
#include "runtime/ops/component.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace rtdp::heartbeat {

namespace {

/// "hooks.example.com:8080" of "https://user:secret@hooks.example.com:8080/secret".
std::string host_of(const std::string& url) {
  auto begin = url.find("://");
  begin = begin == url.npos ? 0 : begin + 3;
  auto host = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  return host.substr(host.rfind('@') == host.npos ? 0 : host.rfind('@') + 1);
}

class webhook final : public channel {
public:
  webhook(config::webhook_settings settings, std::string node)
      : settings_(std::move(settings)), node_(std::move(node)) {}

  std::string name() const override { return "webhook " + host_of(settings_.url.reveal()); }
  size_t notices_max() const override { return 1; }

  error send(const std::vector<notice>& notices) override {
    for (const auto& n : notices)
      if (auto failed = post(webhook_body(n, node_)))
        return failed;
    return {};
  }

private:
  error post(const std::string& body) {
    curl_call call{settings_.url.reveal(), "http,https", settings_.ca_file};
    call.add_header("Content-Type: application/json");
    call.add_header("User-Agent: rtdp");
    // Else curl asks first whether it may send more than 1 MB, which few servers answer.
    call.add_header("Expect:");
    if (!settings_.token.empty())
      call.add_header("Authorization: Bearer " + settings_.token.reveal());
    call.set(CURLOPT_POSTFIELDSIZE, long(body.size()));
    call.set(CURLOPT_POSTFIELDS, body.c_str());
    if (auto failed = call.run())
      return failed;
    auto status = call.status();
    if (status >= 200 && status < 300)
      return {};
    auto text = "expected an answer 2xx; found " + std::to_string(status);
    // 408 and 429 say "later", and an error of the server's own is not ours.
    return status >= 500 || status == 408 || status == 429 ? unavailable(text) : rejected(text);
  }

  config::webhook_settings settings_;
  std::string node_;
};

} // namespace

std::string webhook_body(const notice& n, const std::string& node) {
  using json = nlohmann::ordered_json;
  const auto& a = n.what;
  auto since = ops::rfc3339(a.since_us);
  return ops::dump(
      {{"id", node + "/" + a.condition + "/" + a.component + "." + a.name + "/" + since + "/" + n.event},
       {"event", n.event},
       {"node", node},
       {"condition", a.condition},
       {"component", a.component},
       {"name", a.name},
       {"text", a.text},
       {"since", since},
       {"ended", a.ended_us == 0 ? json() : json(ops::rfc3339(a.ended_us))}});
}

std::unique_ptr<channel> make_webhook(config::webhook_settings settings, std::string node) {
  return std::make_unique<webhook>(std::move(settings), std::move(node));
}

} // namespace rtdp::heartbeat
