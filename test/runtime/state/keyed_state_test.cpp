#include "runtime/state/keyed_state.hpp"
#include "runtime/state/changes.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <vector>

using namespace rtdp;
using namespace rtdp::state;

namespace {

/// Two tables: 'p' is found by key alone, 'o' is walked in order too.
const std::string plain{"\0\x02", 2}, ordered{"\0\x81", 2};

std::unique_ptr<keyed_state> opened(const std::string& folder, size_t memory_bytes = 16 << 20,
                                    size_t changed_keys = 1000) {
  auto s = keyed_state::open({.path = folder + "/flows/f.db",
                              .memory_bytes = memory_bytes,
                              .changed_keys = changed_keys});
  REQUIRE_MESSAGE(bool(s), s.error().text());
  return std::move(*s);
}

std::string got(keyed_state& s, const std::string& key) {
  auto held = s.get(key);
  REQUIRE(held);
  return *held ? std::string(**held) : "-";
}

std::map<std::string, std::string> all_of(keyed_state& s, const std::string& prefix) {
  std::map<std::string, std::string> out;
  REQUIRE_FALSE(s.each(prefix, [&](std::string_view key, std::string_view value) {
    out.emplace(key.substr(prefix.size()), value);
    return true;
  }));
  return out;
}

std::string walked(keyed_state& s, bool downwards, const char* between = "") {
  std::string out;
  REQUIRE_FALSE(s.walk(ordered, downwards, [&](std::string_view key, std::string_view) {
    out += key.substr(ordered.size());
    out += between;
    return true;
  }));
  return out;
}

} // namespace

TEST_CASE("what a batch wrote is there, and gone again when the batch is rolled back") {
  test::temp_folder folder;
  auto s = opened(folder.path());
  s->begin(7, 0);
  s->put(plain + "a", "1");
  s->put(plain + "b", "1");
  CHECK(s->changed());
  s->commit();
  CHECK(s->point() == state_point{7, 1});
  CHECK_FALSE(s->changed());
  s->put(plain + "a", "2");
  s->erase(plain + "b");
  s->put(plain + "c", "2");
  CHECK(got(*s, plain + "a") == "2");
  CHECK(got(*s, plain + "b") == "-");
  s->rollback();
  CHECK(got(*s, plain + "a") == "1");
  CHECK(got(*s, plain + "b") == "1");
  CHECK(got(*s, plain + "c") == "-");
  CHECK(s->point() == state_point{7, 1});
}

TEST_CASE("the file holds what the target has and nothing newer") {
  test::temp_folder folder;
  {
    auto s = opened(folder.path());
    s->begin(7, 0);
    s->put(plain + "a", "1");
    s->commit();
    s->put(plain + "a", "2");
    s->put(plain + "b", "2");
    s->commit();
    REQUIRE_FALSE(s->committed(1));
    REQUIRE_FALSE(s->flush(true));
    CHECK(s->file_point() == state_point{7, 1});
    CHECK(got(*s, plain + "a") == "2");
    CHECK(got(*s, plain + "b") == "2");
  }
  auto s = opened(folder.path());
  CHECK(s->file_point() == state_point{7, 1});
  CHECK(got(*s, plain + "a") == "1");
  CHECK(got(*s, plain + "b") == "-");
}

TEST_CASE("a walk merges memory and file, both ways") {
  test::temp_folder folder;
  auto s = opened(folder.path());
  s->begin(1, 0);
  for (const char* key : {"b", "d", "f", "h"})
    s->put(ordered + key, key);
  s->commit();
  REQUIRE_FALSE(s->committed(1));
  REQUIRE_FALSE(s->flush(true));
  for (const char* key : {"a", "d", "e", "i"})
    s->put(ordered + key, key);
  s->erase(ordered + "f");
  CHECK(walked(*s, false) == "abdehi");
  CHECK(walked(*s, true) == "ihedba");
  CHECK(all_of(*s, ordered).size() == 6);
  // A neighbour of the prefix is not in it.
  s->put(std::string("\0\x82", 2) + "x", "");
  s->put(std::string("\0\x80", 2) + "x", "");
  CHECK(walked(*s, false) == "abdehi");
}

TEST_CASE("changes carry one state over to another") {
  test::temp_folder from, to;
  auto a = opened(from.path());
  auto b = opened(to.path());
  a->begin(5, 0);
  a->put(plain + "a", "1");
  a->put(plain + "b", "");
  auto changes = a->commit();
  REQUIRE_FALSE(b->apply(*changes, a->point()));
  a->erase(plain + "a");
  a->put(plain + "c", "2");
  changes = a->commit();
  REQUIRE_FALSE(b->apply(*changes, a->point()));
  CHECK(all_of(*b, plain) == all_of(*a, plain));
  CHECK(b->reached() == state_point{5, 2});
  CHECK(b->apply("nonsense", state_point{5, 3}) == ec::rejected);
  CHECK(b->reached() == state_point{5, 2});
  REQUIRE_FALSE(b->flush(true));
  CHECK(b->file_point() == state_point{5, 2});
  REQUIRE_FALSE(b->reset());
  CHECK(b->reached() == state_point{});
  CHECK(b->file_point() == state_point{});
  CHECK(all_of(*b, plain).empty());
}

TEST_CASE("a snapshot is of one moment, and in pieces") {
  test::temp_folder from, to;
  auto a = opened(from.path());
  a->begin(5, 0);
  for (int i = 0; i < 100; ++i)
    a->put(plain + std::to_string(i), "old");
  a->commit();
  REQUIRE_FALSE(a->committed(1));
  REQUIRE_FALSE(a->flush(true));
  auto snapshot = a->take_snapshot();
  REQUIRE(snapshot);
  for (int i = 0; i < 100; ++i)
    a->put(plain + std::to_string(i), "new");
  a->commit();
  REQUIRE_FALSE(a->committed(2));
  REQUIRE_FALSE(a->flush(true));
  auto b = opened(to.path());
  int pieces = 0;
  for (;; ++pieces) {
    auto bytes = (*snapshot)->next(100);
    REQUIRE(bytes);
    if (bytes->empty())
      break;
    REQUIRE_FALSE(b->apply(*bytes, {}));
  }
  CHECK(pieces > 5);
  CHECK((*snapshot)->of == state_point{5, 1});
  auto held = all_of(*b, plain);
  CHECK(held.size() == 100);
  CHECK(held["42"] == "old");
}

TEST_CASE("a damaged file is made anew") {
  test::temp_folder folder;
  opened(folder.path()).reset();
  std::ofstream(folder.path() + "/flows/f.db", std::ios::trunc) << std::string(5000, 'x');
  auto s = opened(folder.path());
  CHECK(s->file_point() == state_point{});
}

TEST_CASE("what a node restored is in its file, and in memory when it is small enough") {
  test::temp_folder folder;
  {
    auto s = opened(folder.path());
    s->begin(3, 0);
    for (int i = 0; i < 100; ++i)
      s->put(plain + std::to_string(i), std::to_string(i));
    s->commit();
    REQUIRE_FALSE(s->committed(1));
    REQUIRE_FALSE(s->flush(true));
  }
  auto s = opened(folder.path());
  auto loaded = s->load(60);
  REQUIRE(loaded);
  CHECK_FALSE(*loaded);
  loaded = s->load(60);
  REQUIRE(loaded);
  CHECK(*loaded);
  CHECK(s->reached() == state_point{3, 1});
  s->begin(4, 1);
  // A file that is gone shows that nothing is read from it any more.
  std::filesystem::resize_file(folder.path() + "/flows/f.db", 0);
  CHECK(got(*s, plain + "42") == "42");
  CHECK(got(*s, plain + "100") == "-");
}

TEST_CASE("a state larger than its memory is read from the file") {
  test::temp_folder folder;
  auto s = opened(folder.path(), 4000);
  s->begin(3, 0);
  for (int i = 0; i < 500; ++i) {
    s->put(plain + std::to_string(i), std::to_string(i));
    s->commit();
    REQUIRE_FALSE(s->committed(i + 1));
  }
  REQUIRE_FALSE(s->flush(true));
  s->rollback();
  for (int i = 0; i < 500; ++i)
    REQUIRE(got(*s, plain + std::to_string(i)) == std::to_string(i));
  CHECK(got(*s, plain + "500") == "-");
}

TEST_CASE("values of any size are kept, and their memory is given back") {
  test::temp_folder folder;
  auto s = opened(folder.path(), 64 << 20, 10);
  s->begin(3, 0);
  for (int i = 0; i < 200; ++i) {
    s->put(plain + std::to_string(i % 20), std::string(size_t(i) * 997, char('a' + i % 20)));
    s->commit();
    REQUIRE_FALSE(s->committed(i + 1));
  }
  for (int i = 180; i < 200; ++i)
    CHECK(got(*s, plain + std::to_string(i % 20)) == std::string(size_t(i) * 997, char('a' + i % 20)));
}

TEST_CASE("what the file did not take is written with the next attempt") {
  test::temp_folder folder;
  auto s = opened(folder.path());
  s->begin(3, 0);
  s->put(plain + "a", "1");
  s->commit();
  REQUIRE_FALSE(s->committed(1));
  auto other = database::open(folder.path() + "/flows/f.db");
  REQUIRE(other);
  REQUIRE_FALSE(other->exec("ALTER TABLE kv RENAME TO away"));
  CHECK(s->flush(true));
  REQUIRE_FALSE(other->exec("ALTER TABLE away RENAME TO kv"));
  s->put(plain + "a", "2");
  s->commit();
  REQUIRE_FALSE(s->committed(2));
  REQUIRE_FALSE(s->flush(true));
  CHECK(s->file_point() == state_point{3, 1});
  REQUIRE_FALSE(s->flush(true));
  CHECK(s->file_point() == state_point{3, 2});
}

namespace {

/// Random batches beside a plain map.
struct against_a_map {
  explicit against_a_map(unsigned seed, size_t memory_bytes)
      : random(seed), state(opened(folder.path(), memory_bytes, random() % 30)) {
    state->begin(1, 0);
  }

  void batch() {
    for (auto n = random() % 20; n > 0; --n) {
      auto key = (random() % 2 ? plain : ordered) + std::to_string(random() % 50);
      if (random() % 3 == 0) {
        state->erase(key);
        model.erase(key);
      } else {
        auto value = std::to_string(random()) + std::string(random() % 40, 'v');
        state->put(key, value);
        model[key] = value;
      }
      auto read = plain + std::to_string(random() % 50);
      REQUIRE(got(*state, read) == (model.count(read) ? model[read] : "-"));
    }
    if (random() % 4 == 0) {
      state->rollback();
      model = versions.back();
    } else {
      state->commit();
      versions.push_back(model);
    }
  }

  void compare() {
    std::map<std::string, std::string> held;
    for (const auto& prefix : {plain, ordered})
      for (const auto& [key, value] : all_of(*state, prefix))
        held[prefix + key] = value;
    REQUIRE(held == model);
    std::string keys, backwards;
    for (const auto& [key, value] : model)
      if (key.starts_with(ordered)) {
        keys += key.substr(2) + ' ';
        backwards = key.substr(2) + ' ' + backwards;
      }
    REQUIRE(walked(*state, false, " ") == keys);
    REQUIRE(walked(*state, true, " ") == backwards);
  }

  /// The file holds what the map was at its version.
  void compare_file() {
    auto snapshot = state->take_snapshot();
    REQUIRE(snapshot);
    auto bytes = (*snapshot)->next(SIZE_MAX);
    REQUIRE(bytes);
    std::map<std::string, std::string> held;
    for (change_cursor at(*bytes); *at.next();)
      held.emplace(at.key, at.value);
    REQUIRE(held == versions[size_t((*snapshot)->of.version)]);
  }

  std::mt19937 random;
  test::temp_folder folder;
  std::unique_ptr<keyed_state> state;
  std::map<std::string, std::string> model;
  /// By version.
  std::vector<std::map<std::string, std::string>> versions{{}};
};

} // namespace

TEST_CASE("whatever is written, flushed and rolled back, it is as a map would have it") {
  auto seed = std::random_device{}();
  std::cerr << "seed " << seed << '\n';
  for (size_t memory_bytes : {size_t{0}, size_t{3000}, size_t{1} << 20}) {
    against_a_map s(seed, memory_bytes);
    for (int i = 0; i < 300; ++i) {
      s.batch();
      auto behind = int64_t(s.random() % 5);
      auto version = int64_t(s.versions.size()) - 1;
      REQUIRE_FALSE(s.state->committed(std::max<int64_t>(0, version - behind)));
      if (s.random() % 10 == 0)
        REQUIRE_FALSE(s.state->flush(s.random() % 2 == 0));
      s.compare();
      s.compare_file();
    }
  }
}
