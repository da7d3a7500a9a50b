#include "config/substitute.hpp"

#include <doctest/doctest.h>

using namespace rtdp::config;

TEST_CASE("a scalar falls into text and references") {
  auto shown = [](std::string_view raw) {
    std::string out;
    for (const auto& p : pieces_of(raw))
      out += std::string(1, "tvf!"[static_cast<int>(p.is)]) + "(" + p.text + ")";
    return out;
  };
  CHECK(shown("") == "");
  CHECK(shown("plain $1 $$ {x}") == "t(plain $1 $$ {x})");
  CHECK(shown("${env:A}") == "v(A)");
  CHECK(shown("a${env:A_1}b${file:/x y}c") == "t(a)v(A_1)t(b)f(/x y)t(c)");
  CHECK(shown("$${env:A}") == "t(${env:A})");
  CHECK(shown("a$${b") == "t(a${b)");
  CHECK(shown("$$${env:A}") == "t($${env:A})");
  CHECK(shown("${env:}") == "!()t(env:})");
  CHECK(shown("${env:1A}") == "!()t(env:1A})");
  CHECK(shown("${file:}") == "!()t(file:})");
  CHECK(shown("${A}") == "!()t(A})");
  CHECK(shown("${env:A") == "!()t(env:A)");
  CHECK(shown("${") == "!()");
}

TEST_CASE("a secret may stand in the file only by reference") {
  CHECK_FALSE(shows_secret(""));
  CHECK_FALSE(shows_secret("${env:A}"));
  CHECK_FALSE(shows_secret("${file:/a}${env:B}"));
  CHECK_FALSE(shows_secret("prefix-${env:A}"));
  CHECK(shows_secret("hunter2"));
  CHECK(shows_secret("$${env:A}"));
  CHECK(shows_secret("${A}"));
}

TEST_CASE("an address may stand in the file when it holds no password") {
  for (const auto* fine :
       {"postgres://db/shop", "postgres://app@db:5432/shop", "postgres://app:@db/shop",
        "postgres://app:${env:PW}@db/shop", "host=db dbname=shop user=app",
        "host=db password=${env:PW}", "host=db password='${env:PW}' dbname=shop",
        "postgres://db/shop?sslmode=require&passfile=/x", "host=db password=''",
        "postgres://db/shop?password=${file:/pw}&sslmode=require"}) {
    CAPTURE(fine);
    CHECK_FALSE(shows_secret(fine));
    CHECK_FALSE(is_address_with_password(fine));
  }
  for (const auto* shown :
       {"postgres://app:pw@db/shop", "postgres://app:p/w@db/shop", "postgres://app:p@w@db/shop",
        "postgres://app:a${env:PW}@db/shop", "postgres://app:pw@${env:HOST}/shop",
        "host=db password=pw", "host=db PASSWORD = 'pw'", "password=pw",
        "dbname=shop sslpassword=pw", "postgres://db/shop?user=app&password=pw",
        "https://x/?api_token=1", "host=db password='a b'"}) {
    CAPTURE(shown);
    CHECK(shows_secret(shown));
    CHECK(is_address_with_password(shown));
  }
}
