#include "actors/extract/file_watch.hpp"
#include "test/actors/extract/driving.hpp"
#include "test/support/temp_folder.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

using namespace rtdp;
using namespace rtdp::test;
using namespace rtdp::extract::files;

namespace {

namespace fs = std::filesystem;

/// Log files of a test, and a watch over them before and after whose next list something happens.
struct watched_folder {
  temp_folder folder;
  std::function<void()> before_list = [] {}, after_list = [] {};
  watch files{{.paths = {folder.file("*.log*")}, .exclude = {}},
              [this](const auto& paths, const auto& exclude) {
                std::exchange(before_list, [] {})();
                auto out = list_files(paths, exclude);
                std::exchange(after_list, [] {})();
                return out;
              }};

  std::string path(const std::string& name) const { return folder.file(name); }
  void append(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::app | std::ios::binary) << text;
  }
  watch::changes look() {
    auto found = files.look();
    REQUIRE_MESSAGE(found, found.error().text());
    return *found;
  }
  /// As if the file had been read to its end.
  std::vector<file_state> read_all() {
    for (auto& t : files.files()) {
      t->state.offset = t->size;
      t->moved = true;
    }
    auto states = files.states();
    REQUIRE(states);
    return *states;
  }
};

} // namespace

TEST_CASE("a file that is copied and truncated after it was listed goes on in the copy") {
  watched_folder f;
  f.append("a.log", "1\n2\n");
  f.look();
  f.read_all();
  f.after_list = [&] {
    fs::copy_file(f.path("a.log"), f.path("a.log.1"));
    fs::resize_file(f.path("a.log"), 0);
  };
  auto found = f.look();
  CHECK(found.lost.empty());
  REQUIRE(found.moved.size() == 1);
  REQUIRE(f.files.find(found.moved[0].second));
  CHECK(f.files.find(found.moved[0].second)->state.path == f.path("a.log.1"));
  CHECK(f.files.find(found.moved[0].second)->state.offset == 4);
}

TEST_CASE("a file that is renamed while it is looked for after a restart keeps its place") {
  watched_folder f;
  f.append("a.log", "1\n2\n");
  f.look();
  f.files.resume(f.read_all(), false);
  // What a list gives that read the names before the renaming and looked at the files after it.
  f.before_list = [&] { fs::rename(f.path("a.log"), f.path("away")); };
  f.after_list = [&] { fs::rename(f.path("away"), f.path("a.log.1")); };
  auto found = f.look();
  CHECK(found.lost.empty());
  REQUIRE(f.files.files().size() == 1);
  CHECK(f.files.files()[0]->state.path == f.path("a.log.1"));
  CHECK(f.files.files()[0]->state.offset == 4);
}

TEST_CASE("two copies between two looks, the second one not followed by its truncation yet") {
  watched_folder f;
  f.append("a.log", "1\n2\n");
  f.look();
  f.read_all();
  fs::copy_file(f.path("a.log"), f.path("a.log.1"));
  fs::resize_file(f.path("a.log"), 0);
  f.append("a.log", "3\n");
  fs::copy_file(f.path("a.log"), f.path("a.log.2"));
  CHECK(f.look().moved.size() == 1);
  CHECK(f.files.files().size() == 2);
  CHECK(f.files.waits());
}

TEST_CASE("a copy that is being made at the very first look is waited for") {
  watched_folder f;
  f.append("a.log", "1\n2\n");
  fs::copy_file(f.path("a.log"), f.path("a.log.1"));
  f.look();
  CHECK(f.files.files().size() == 1);
  CHECK(f.files.waits());
  f.read_all();
  fs::resize_file(f.path("a.log"), 0);
  CHECK(f.look().moved.size() == 1);
  CHECK(!f.files.waits());
}

TEST_CASE("lines come once however the moments of copying and looking fall") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  temp_folder folder;
  std::atomic<int> written = 0;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    auto pause = [&](size_t most) {
      volatile size_t n = random() % most;
      while (n > 0)
        n = n - 1;
    };
    for (int i = 0; i < 200; ++i) {
      for (auto n = 1 + random() % 5; n > 0; --n)
        std::ofstream(folder.file("a.log"), std::ios::app) << "line " << ++written << '\n';
      pause(3'000'000);
      fs::copy_file(folder.file("a.log"), folder.file("a.log." + std::to_string(i)));
      pause(300'000);
      fs::resize_file(folder.file("a.log"), 0);
    }
    done = true;
  });
  drive d(make_source("file", "paths: ['" + folder.file("*.log*") +
                                  "']\nhost: h\npoll_interval: 1ms\nformat: plain\n"
                                  "tables: [{name: t, columns: [line]}]"),
          "", 1);
  auto failed = d.source->open("");
  std::map<std::string, int> times;
  for (bool last = false; !failed && !last;) {
    last = done;
    do {
      failed = d.source->read(d.out, 1ms);
      for (const auto& r : rows_of(d.out.take().batches))
        ++times[r.cells.at("line")];
    } while (!failed && last && !d.source->progress().idle);
  }
  writer.join();
  CHECK_MESSAGE(!failed, failed.text());
  CHECK(times.size() == size_t(written));
  for (const auto& [line, n] : times)
    CHECK_MESSAGE(n == 1, line << " came " << n << " times");
}
