#include "runtime/ums/namespace.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace rtdp::ums {

namespace {

ns parsed(std::string_view text) {
  auto name = ns::parse(text);
  REQUIRE_MESSAGE(bool(name), (name ? "" : name.error().text()));
  return *name;
}

std::string refusal(std::string_view text) {
  auto name = ns::parse(text);
  REQUIRE_FALSE(bool(name));
  CHECK(name.error() == ec::rejected);
  return name.error().text();
}

} // namespace

TEST_CASE("a namespace has seven parts, and those that are missing are wildcards") {
  auto name = parsed("postgres.shop.public.orders.3.0.0");
  CHECK(name[ns::datastore] == "postgres");
  CHECK(name[ns::table] == "orders");
  CHECK(name[ns::table_partition] == "0");
  CHECK_FALSE(name.is_pattern());
  CHECK(name.text() == "postgres.shop.public.orders.3.0.0");
  CHECK(name == ns("postgres", "shop", "public", "orders", "3"));

  auto pattern = parsed("postgres.shop");
  CHECK(pattern.is_pattern());
  CHECK(pattern.text() == "postgres.shop.*.*.*.*.*");
  CHECK(pattern.matches(name));
  CHECK_FALSE(name.matches(pattern));
}

TEST_CASE("an odd identifier stands in double quotes, as in SQL") {
  auto name = parsed(R"(postgres.shop.public."a.b ""c"" *".0.0.0)");
  CHECK(name[ns::table] == "a.b \"c\" *");
  CHECK(name.text() == R"(postgres.shop.public."a.b ""c"" *".0.0.0)");
  CHECK(parsed(R"("postgres".shop)") == parsed("postgres.shop"));
}

TEST_CASE("a table really named * matches only itself") {
  ns star("p", "s", "d", "*");
  CHECK(star.text() == R"(p.s.d."*".0.0.0)");
  CHECK(parsed(star.text()) == star);
  CHECK_FALSE(star.is_pattern());
  CHECK_FALSE(star.matches(ns("p", "s", "d", "t")));
  CHECK(parsed("p.s.d.*").matches(star));
  CHECK_FALSE(star.matches(parsed("p.s.d.*.0.0.0")));

  auto pattern = parsed("p.s.d.*.0.0.0");
  pattern.set(ns::table, "*");
  CHECK(pattern == star);
}

TEST_CASE("a wrong name is refused with the place") {
  CHECK(refusal("") == "namespace , character 1: the datastore is empty");
  CHECK(refusal("a..c") == "namespace a..c, character 3: the instance is empty");
  CHECK(refusal("a.b.") == "namespace a.b., character 5: the database is empty");
  CHECK(refusal(R"(a."")") == R"(namespace a."", character 3: the instance is empty)");
  CHECK(refusal(R"(a."b.c)") == R"(namespace a."b.c, character 3: this quote is never closed)");
  CHECK(refusal(R"(a."b"c)") ==
        R"(namespace a."b"c, character 6: expected a dot behind the closing quote)");
  CHECK(refusal("a.b c") ==
        "namespace a.b c, character 4: a name with a blank or a quote stands in double quotes");
  CHECK(refusal("1.2.3.4.5.6.7.8") ==
        "namespace 1.2.3.4.5.6.7.8, character 15: more than seven parts; "
        "a name with a dot stands in double quotes");
  CHECK(refusal("1.2.3.4.5.6.7.") ==
        "namespace 1.2.3.4.5.6.7., character 15: the name ends with a dot");
}

TEST_CASE("any name survives print and parse, and matches as a naive matcher says") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  const std::string words[] = {"a", "b", "*", "a.b", "\"", " ", "é", "x\"\"y", "\n", "0"};
  // A part: what it is, and whether it is the wildcard.
  using parts = std::vector<std::pair<std::string, bool>>;
  auto any = [&] {
    parts p;
    for (int i = 0; i < 7; ++i)
      p.emplace_back(words[below(std::size(words))], below(3) == 0);
    return p;
  };
  auto print = [](const parts& p) {
    std::string out;
    for (const auto& [word, wild] : p) {
      std::string quoted;
      for (char c : word)
        quoted.append(c == '"' ? "\"\"" : std::string(1, c));
      out += (out.empty() ? "" : ".") + (wild ? "*" : '"' + quoted + '"');
    }
    return out;
  };
  auto naive = [](const parts& pattern, const parts& name) {
    for (size_t i = 0; i < 7; ++i)
      if (!pattern[i].second && (name[i].second || pattern[i].first != name[i].first))
        return false;
    return true;
  };
  for (int i = 0; i < 20'000; ++i) {
    auto a = any(), b = below(2) ? any() : a;
    b[below(7)] = {words[below(std::size(words))], false};
    auto x = parsed(print(a)), y = parsed(print(b));
    CHECK(parsed(x.text()) == x);
    CHECK(x.matches(y) == naive(a, b));
    CHECK(y.matches(x) == naive(b, a));
  }
}

} // namespace rtdp::ums
