#include "runtime/ops/guard.hpp"
#include "runtime/ops/router.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <stdexcept>

using namespace rtdp;
using namespace rtdp::ops;

namespace {

response name_of(const request& r) { return {200, "text/plain", r.parts.at("name")}; }

router three_routes() {
  return router({{"GET", "/api/v1/flows/{name}", "One flow", name_of},
                 {"POST", "/api/v1/flows/{name}/start", "Start", name_of},
                 {"GET", "/throws", "",
                  [](const request&) -> response { throw std::runtime_error("broken"); }}});
}

response ask(const std::string& method, const std::string& path) {
  request r;
  r.method = method;
  r.path = path;
  return three_routes().handle(r);
}

request post(std::map<std::string, std::string> headers, std::string body = "") {
  request r;
  r.method = "POST";
  r.path = "/x";
  r.headers = std::move(headers);
  r.body = std::move(body);
  return r;
}

} // namespace

TEST_CASE("a route gets the decoded parts of the path") {
  CHECK(ask("GET", "/api/v1/flows/orders").body == "orders");
  CHECK(ask("GET", "/api/v1/flows/a%2Fb%20%C3%A9").body == "a/b é");
  CHECK(ask("HEAD", "/api/v1/flows/orders").status == 200);
  CHECK(ask("POST", "/api/v1/flows/orders/start").status == 200);
}

TEST_CASE("an unknown path is a 404 problem that says where the list is") {
  for (auto path : {"/", "/api/v1/flows", "/api/v1/flows/", "/api/v1/flows/a/b", "/api/v1/flows/%",
                    "/api/v1/flows/%zz", "/api/v1/flows/a%00b", "/api/../api/v1/flows/a"}) {
    auto got = ask("GET", path);
    CHECK_MESSAGE(got.status == 404, path);
    CHECK(got.type == "application/problem+json");
    auto body = nlohmann::json::parse(got.body);
    CHECK(body["type"] == "about:blank");
    CHECK(body["title"] == "Not Found");
    CHECK(body["status"] == 404);
    CHECK(body["instance"] == path);
    CHECK(body["detail"].get<std::string>().find("openapi.json") != std::string::npos);
  }
}

TEST_CASE("a wrong verb is a 405 problem with Allow") {
  auto got = ask("DELETE", "/api/v1/flows/orders");
  CHECK(got.status == 405);
  CHECK(got.headers["Allow"] == "GET, HEAD");
  CHECK(ask("GET", "/api/v1/flows/orders/start").headers["Allow"] == "POST");
}

TEST_CASE("a handler that throws answers 500") {
  auto got = ask("GET", "/throws");
  CHECK(got.status == 500);
  CHECK(got.body.find("broken") != std::string::npos);
}

TEST_CASE("an error becomes a problem whose status says whether to try again") {
  auto later = problem(unavailable("no connection"), "/x");
  CHECK(later.status == 503);
  CHECK(later.headers["Retry-After"] == "1");
  CHECK(problem(rejected("stopped already")).status == 409);
}

TEST_CASE("a query is cut and decoded") {
  auto q = parse_query("component=flow.a%26b&limit=5&x=a+b&flag&=1&&");
  REQUIRE(q);
  CHECK(*q == std::map<std::string, std::string>{
                  {"component", "flow.a&b"}, {"limit", "5"}, {"x", "a b"}, {"flag", ""}});
  CHECK_FALSE(parse_query("a=%"));
}

TEST_CASE("what is percent-encoded is decoded to the same bytes") {
  std::string all;
  for (int c = 1; c < 256; ++c)
    all += char(c);
  CHECK(percent_decode(percent_encode(all)) == all);
  CHECK(percent_encode("a/b-1") == "a%2Fb-1");
}

TEST_CASE("an address is host and port") {
  CHECK(parse_address("127.0.0.1:8080")->port == 8080);
  CHECK(parse_address("[::1]:80")->host == "::1");
  CHECK(parse_address("[::1]")->port == -1);
  CHECK(parse_address("example.org")->port == -1);
  for (auto wrong : {"", ":80", "a:", "a:x", "a:70000", "a:-1", "::1", "[::1:80"})
    CHECK_MESSAGE(!parse_address(wrong), wrong);
}

TEST_CASE("a request that changes something needs a host that cannot be rebound") {
  for (auto host : {"localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "10.1.2.3",
                    "db1.example:8080"})
    CHECK_MESSAGE(!refuse(post({{"host", host}}), {"db1.example"}), host);
  for (auto host : {"evil.example", "evil.example:8080", "", "127.0.0.1.evil.example"})
    CHECK_MESSAGE(refuse(post({{"host", host}}), {"db1.example"})->status == 403, host);
}

TEST_CASE("a page from elsewhere may not change anything") {
  auto from = [](const char* origin) {
    return refuse(post({{"host", "localhost:8080"}, {"origin", origin}}), {});
  };
  CHECK_FALSE(from("http://localhost:8080"));
  CHECK(from("http://localhost:9090")->status == 403);
  CHECK(from("http://evil.example")->status == 403);
  CHECK(from("null")->status == 403);
}

TEST_CASE("a body must be JSON; no body needs no type") {
  auto typed = [](const char* type, const char* body) {
    return refuse(post({{"host", "localhost"}, {"content-type", type}}, body), {});
  };
  CHECK_FALSE(typed("application/json", "{}"));
  CHECK_FALSE(typed("Application/JSON ; charset=utf-8", "{}"));
  CHECK_FALSE(typed("text/plain", ""));
  CHECK(typed("text/plain", "{}")->status == 415);
  CHECK(typed("application/x-www-form-urlencoded", "a=1")->status == 415);
}

TEST_CASE("reading is not guarded") {
  request r;
  r.method = "GET";
  r.headers = {{"host", "any.example"}, {"origin", "http://other.example"}};
  CHECK_FALSE(refuse(r, {}));
}
