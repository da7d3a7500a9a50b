#include "runtime/ums/batch.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>

namespace rtdp::ums {

namespace {

/// The same column as a vector: what all operations are compared with.
using model = std::vector<std::optional<std::string>>;

void append(column& c, const std::optional<std::string>& value) {
  if (!value)
    return c.append_null();
  switch (storage_of(c.type())) {
  case storage::ints:
    return c.append_int(int64_t(value->size()));
  case storage::reals:
    return c.append_real(double(value->size()) / 2);
  case storage::texts:
    return c.append_text(*value);
  }
}

void check_equal(const column& c, const model& m) {
  REQUIRE(c.size() == m.size());
  bool nulls = false;
  for (size_t i = 0; i < m.size(); ++i) {
    REQUIRE(c.is_null(i) == !m[i]);
    nulls |= !m[i];
    auto value = m[i].value_or("");
    switch (storage_of(c.type())) {
    case storage::ints:
      REQUIRE(c.ints()[i] == int64_t(value.size()));
      break;
    case storage::reals:
      REQUIRE(c.reals()[i] == double(value.size()) / 2);
      break;
    case storage::texts:
      REQUIRE(c.text(i) == value);
      break;
    }
  }
  if (nulls)
    CHECK(c.has_nulls());
}

constexpr type one_of_each_storage[] = {type::long_, type::double_, type::string};

} // namespace

TEST_CASE("nulls are kept wherever they stand, also beside the borders of the validity words") {
  for (auto t : one_of_each_storage)
    for (size_t first_null : {0, 1, 62, 63, 64, 65, 127, 128, 129}) {
      column c(t);
      model m;
      for (size_t i = 0; i < 200; ++i) {
        m.push_back(i == first_null || i == first_null + 64 ? std::nullopt
                                                            : std::optional<std::string>("x"));
        append(c, m.back());
        CHECK(c.has_nulls() == (i >= first_null));
      }
      check_equal(c, m);
    }
}

TEST_CASE("a truncated column goes on as if the rows had never been") {
  for (auto t : one_of_each_storage)
    for (size_t keep : {0, 1, 63, 64, 65, 128, 129})
      for (size_t null : {0, 63, 64, 100, 129}) {
        column c(t);
        model m;
        for (size_t i = 0; i < 130; ++i) {
          m.push_back(i == null ? std::nullopt : std::optional<std::string>("ab"));
          append(c, m.back());
        }
        c.truncate(keep);
        m.resize(keep);
        check_equal(c, m);
        CHECK(c.has_nulls() == (null < keep));
        for (size_t i = 0; i < 70; ++i) {
          m.push_back(i == 3 ? std::nullopt : std::optional<std::string>("c"));
          append(c, m.back());
        }
        check_equal(c, m);
      }
}

TEST_CASE("random appends, slices and truncations equal those on a plain vector") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  for (int round = 0; round < 300; ++round) {
    auto t = one_of_each_storage[below(3)];
    column c(t);
    model m;
    auto null_share = below(3) * 10;
    auto value = [&] {
      return below(100) < null_share ? std::nullopt
                                     : std::optional<std::string>(std::string(below(20), 'v'));
    };
    for (int step = 0; step < 10; ++step) {
      if (below(3) == 0) {
        auto keep = below(m.size() + 3);
        c.truncate(keep);
        m.resize(std::min(m.size(), keep));
      } else if (below(2) == 0) {
        for (auto n = below(100); n > 0; --n) {
          m.push_back(value());
          append(c, m.back());
        }
      } else {
        column from(t);
        model source;
        for (auto n = below(150); n > 0; --n) {
          source.push_back(value());
          append(from, source.back());
        }
        auto first = below(source.size() + 1);
        auto count = below(source.size() - first + 1);
        c.append(from, first, count);
        m.insert(m.end(), source.begin() + ptrdiff_t(first),
                 source.begin() + ptrdiff_t(first + count));
      }
      check_equal(c, m);
    }
  }
}

TEST_CASE("names of types and protocols are those of the wire") {
  for (size_t i = 0; i < 12; ++i)
    CHECK(type_from(to_string(type(i))) == type(i));
  for (size_t i = 0; i <= size_t(protocol::increment_sweep); ++i)
    CHECK(protocol_from(to_string(protocol(i))) == protocol(i));
  CHECK_FALSE(type_from("varchar"));
  CHECK_FALSE(protocol_from("feedback_flow_stats"));
}

TEST_CASE("a batch has a column per field and finds it by its exact name") {
  schema s;
  s.fields = {
      {"id", type::long_, false, true}, {"ID", type::string}, {"tenant", type::int_, false, true}};
  batch b(std::make_shared<const schema>(s));
  CHECK(b.columns.size() == 3);
  CHECK(b.find("ID") == &b.columns[1]);
  CHECK(b.find("Id") == nullptr);
  CHECK(b.rows() == 0);
  CHECK(b.schema->keys() == std::vector<std::string>{"id", "tenant"});
}

} // namespace rtdp::ums
