/// libcurl with an owner, and the limits that every call of ours has. One thread at a time. Private
/// to the channels.
#pragma once

#include "runtime/core/error.hpp"

#include <curl/curl.h>

#include <memory>
#include <string>

namespace rtdp::heartbeat {

class curl_call {
public:
  /// `protocols`: what the address may use, as "http,https".
  curl_call(const std::string& url, const char* protocols, const std::string& ca_file);

  template<class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(handle_.get(), option, value);
  }
  void add_header(const std::string& line);
  void add_recipient(const std::string& address);

  /// Carries it out. The error tells what curl says of it, never the address.
  error run();
  /// The server's last status; 0 when there was none.
  long status() const;

private:
  struct closer {
    void operator()(CURL* c) const { curl_easy_cleanup(c); }
    void operator()(curl_slist* l) const { curl_slist_free_all(l); }
  };
  std::unique_ptr<CURL, closer> handle_;
  std::unique_ptr<curl_slist, closer> headers_, recipients_;
  char reason_[CURL_ERROR_SIZE] = {};
};

} // namespace rtdp::heartbeat
