#include "actors/heartbeat/curl.hpp"

#include <mutex>
#include <new>

namespace rtdp::heartbeat {

namespace {

constexpr long connect_seconds_max = 5;
constexpr long seconds_max = 20;
/// Nobody needs what a server answers to a notice.
size_t forget(char*, size_t size, size_t count, void*) { return size * count; }

/// Frees the list's old head only when there is a new one.
template<class List>
void append(List& list, const std::string& text) {
  auto* longer = curl_slist_append(list.get(), text.c_str());
  if (!longer)
    throw std::bad_alloc();
  (void)list.release();
  list.reset(longer);
}

/// What another try, or another setting on the server's side, cannot help.
bool is_final(CURLcode code) {
  switch (code) {
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_SSL_CACERT_BADFILE:
    return true;
  default:
    return false;
  }
}

} // namespace

curl_call::curl_call(const std::string& url, const char* protocols, const std::string& ca_file) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  handle_.reset(curl_easy_init());
  if (!handle_)
    throw std::bad_alloc();
  set(CURLOPT_ERRORBUFFER, reason_);
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, protocols);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  // Without it a time-out is a signal, which threads must not get.
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, connect_seconds_max);
  set(CURLOPT_TIMEOUT, seconds_max);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_WRITEFUNCTION, forget);
  if (!ca_file.empty())
    set(CURLOPT_CAINFO, ca_file.c_str());
}

void curl_call::add_header(const std::string& line) { append(headers_, line); }
void curl_call::add_recipient(const std::string& address) { append(recipients_, address); }

error curl_call::run() {
  if (headers_)
    set(CURLOPT_HTTPHEADER, headers_.get());
  if (recipients_)
    set(CURLOPT_MAIL_RCPT, recipients_.get());
  auto code = curl_easy_perform(handle_.get());
  if (code == CURLE_OK)
    return {};
  auto text = std::string(reason_[0] ? reason_ : curl_easy_strerror(code));
  return is_final(code) ? rejected(text) : unavailable(text);
}

long curl_call::status() const {
  long status = 0;
  curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

} // namespace rtdp::heartbeat
