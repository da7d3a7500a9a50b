/// A socket that speaks plain HTTP/1.1 to a server of the test, so that tests can also send what no
/// client would. Every wait ends after 10 s.
#pragma once

#include <arpa/inet.h>
#include <map>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace rtdp::ops::test {

struct reply {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
};

/// What came back until the server closed.
inline std::string converse(int port, std::string_view bytes) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  timeval limit{10, 0};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(uint16_t(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string got;
  if (connect(s, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
    while (!bytes.empty()) {
      auto n = ::send(s, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0)
        break;
      bytes.remove_prefix(size_t(n));
    }
    char buffer[65536];
    for (ssize_t n; (n = recv(s, buffer, sizeof buffer, 0)) > 0;)
      got.append(buffer, size_t(n));
  }
  close(s);
  return got;
}

inline reply parse_reply(const std::string& text) {
  reply out;
  auto end = text.find("\r\n\r\n");
  if (text.rfind("HTTP/1.1 ", 0) != 0 || end == text.npos)
    return out;
  out.status = std::stoi(text.substr(9, 3));
  out.body = text.substr(end + 4);
  for (auto at = text.find("\r\n"); at < end;) {
    auto next = text.find("\r\n", at + 2);
    auto line = text.substr(at + 2, next - at - 2);
    auto colon = line.find(": ");
    out.headers[line.substr(0, colon)] = colon == line.npos ? "" : line.substr(colon + 2);
    at = next;
  }
  return out;
}

inline reply ask(int port, const std::string& method, const std::string& target,
                 const std::string& body = "", const std::string& headers = "") {
  auto length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return parse_reply(converse(port, method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" +
                                        headers + length + "\r\n" + body));
}

} // namespace rtdp::ops::test
