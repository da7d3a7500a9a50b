/// A schema of its own in the PostgreSQL that test/services/with started; dropped at the end.
#pragma once

#include "actors/sink/pg_connection.hpp"
#include "test/actors/sink/contract.hpp"

#include <cstdlib>

namespace rtdp::sink::test {

inline std::string test_url() {
  const char* url = std::getenv("RTDP_TEST_PG_URL");
  REQUIRE_MESSAGE(url, "run this test as: test/services/with postgres -- TEST");
  return url;
}

class postgres_store final : public store {
public:
  postgres_store() : admin_(open(test_url())), schema_("s" + std::to_string(++count())) {
    run("CREATE SCHEMA " + schema_);
    run("SET search_path = " + schema_);
  }
  ~postgres_store() override { run("DROP SCHEMA " + schema_ + " CASCADE"); }

  std::string url() const { return test_url() + "?options=-csearch_path%3D" + schema_; }
  static pg_connection open(const std::string& url) {
    pg_options o;
    o.url = url;
    auto c = pg_connection::open(o);
    REQUIRE_MESSAGE(c, c.error().text());
    return std::move(*c);
  }

  static std::unique_ptr<driver> make_at(const std::string& url, const target& to) {
    for (const auto& k : kinds())
      if (k.spec.name == "postgres") {
        auto settings = k.spec.defaults();
        settings.values["url"] = config::secret(url);
        settings.values["connect_timeout"] = std::chrono::milliseconds(2'000);
        return k.make(settings, to);
      }
    return nullptr;
  }
  std::unique_ptr<driver> make(const target& to) override { return make_at(url(), to); }

  void run(const std::string& sql) override {
    auto r = admin_.run(sql);
    REQUIRE_MESSAGE(r, r.error().text());
  }
  lines query(const std::string& sql) override {
    auto r = admin_.run(sql);
    REQUIRE_MESSAGE(r, r.error().text());
    lines all;
    for (const auto& row : r->rows) {
      auto& line = all.emplace_back();
      for (size_t i = 0; i < row.size(); ++i) {
        line += i ? "|" : "";
        line += row[i].value_or("NULL");
      }
    }
    return all;
  }

private:
  static int& count() {
    static int n = 0;
    return n;
  }
  pg_connection admin_;
  std::string schema_;
};

} // namespace rtdp::sink::test
