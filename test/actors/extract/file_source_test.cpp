#include "actors/extract/file_position.hpp"
#include "test/actors/extract/driving.hpp"
#include "test/support/temp_folder.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <unistd.h>

using namespace rtdp;
using namespace rtdp::test;

namespace {

namespace fs = std::filesystem;
using lines = std::vector<std::string>;

/// Log files of a test, and the source that reads them.
struct log_files {
  temp_folder folder;

  std::string path(const std::string& name) const { return folder.file(name); }
  void append(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::app | std::ios::binary) << text;
  }
  void rename(const std::string& from, const std::string& to) const {
    fs::rename(path(from), path(to));
  }
  void copy_and_truncate(const std::string& from, const std::string& to) const {
    fs::copy_file(path(from), path(to), fs::copy_options::overwrite_existing);
    fs::resize_file(path(from), 0);
  }

  drive open(const std::string& position = "", int64_t next_id = 1,
             const std::string& more = "format: plain\ntables: [{name: t, columns: [line]}]",
             size_t rows_max = 50'000) const {
    drive d(make_source("file", "paths: ['" + path("*.log*") + "']\nhost: h\npoll_interval: 1ms\n" +
                                    "incomplete_after: 10ms\n" + more),
            position, next_id, rows_max);
    auto failed = d.source->open(position);
    REQUIRE_MESSAGE(!failed, failed.text());
    return d;
  }
};

/// What is read until the source is idle, the value of one column for each row.
lines all_lines(drive& d, const std::string& column = "line") {
  lines out;
  for (int steps = 0; steps < 10'000; ++steps) {
    for (const auto& r : rows_of(d.step(2ms).batches))
      out.push_back(r.cells.at(column));
    if (d.source->progress().idle)
      return out;
  }
  FAIL("the source does not become idle");
  return out;
}

} // namespace

TEST_CASE("lines of a file come as they are appended") {
  log_files f;
  f.append("a.log", "one\ntwo\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"one", "two"});
  f.append("a.log", "three\n");
  CHECK(all_lines(d) == lines{"three"});
}

TEST_CASE("files that appear later are found, excluded ones are not") {
  log_files f;
  auto d = f.open();
  CHECK(all_lines(d).empty());
  f.append("b.log", "b\n");
  f.append("b.log.gz", "packed\n");
  CHECK(all_lines(d) == lines{"b"});
}

TEST_CASE("a file that was renamed is read to its end before the new one goes on") {
  log_files f;
  f.append("a.log", "1\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"1"});
  f.append("a.log", "2\n");
  f.rename("a.log", "a.log.1");
  f.append("a.log", "3\n");
  CHECK(all_lines(d) == lines{"2", "3"});
}

TEST_CASE("a file that was renamed while nobody read is found under its new name") {
  log_files f;
  f.append("a.log", "1\n");
  std::string position;
  int64_t id = 0;
  {
    auto d = f.open();
    CHECK(all_lines(d) == lines{"1"});
    position = d.position;
    id = d.next_id;
  }
  f.append("a.log", "2\n");
  f.rename("a.log", "a.log.1");
  f.append("a.log", "3\n");
  auto d = f.open(position, id);
  CHECK(all_lines(d) == lines{"2", "3"});
}

TEST_CASE("a removed file is read to its end") {
  log_files f;
  f.append("a.log", "1\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"1"});
  f.append("a.log", "2\n");
  fs::remove(f.path("a.log"));
  CHECK(all_lines(d) == lines{"2"});
}

TEST_CASE("a copy that was made to truncate the original is gone on with, not read again") {
  log_files f;
  f.append("a.log", "1\n2\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"1", "2"});
  f.append("a.log", "3\n");
  f.copy_and_truncate("a.log", "a.log.1");
  f.append("a.log", "4\n");
  CHECK(all_lines(d) == lines{"3", "4"});
}

TEST_CASE("a file that was empty when its place was stored is told from what a truncation left") {
  log_files f;
  f.append("a.log", "0\n");
  std::string stored;
  int64_t stored_id = 1;
  // Rows go to the bus, but only what has to be stored is stored before the crash.
  auto lines_until = [&](drive& d, size_t rows) {
    lines out;
    for (int i = 0; i < 1000 && (out.size() < rows || !d.source->progress().idle); ++i) {
      REQUIRE_FALSE(d.source->read(d.out, 1ms));
      auto taken = d.out.take();
      for (const auto& r : rows_of(taken.batches))
        out.push_back(std::to_string(r.id - stored_id) + " " + r.cells.at("line"));
      if (taken.settle) {
        stored = taken.position;
        stored_id = taken.next_id;
      }
    }
    return out;
  };
  auto d = f.open();
  CHECK(lines_until(d, 1).size() == 1);
  fs::resize_file(f.path("a.log"), 0);
  CHECK(lines_until(d, 0).empty());
  f.append("a.log", "1\n2\n");
  CHECK(lines_until(d, 2) == lines{"0 1", "1 2"});
  f.copy_and_truncate("a.log", "a.log.1");
  f.append("a.log", "8\n9\n");
  auto again = f.open(stored, stored_id);
  CHECK(lines_until(again, 4) == lines{"0 1", "1 2", "0 8", "1 9"});
}

TEST_CASE("a truncated file without a copy begins anew, under ids of its own") {
  log_files f;
  f.append("a.log", "1\n2\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"1", "2"});
  auto before = d.next_id;
  fs::resize_file(f.path("a.log"), 0);
  f.append("a.log", "9\n");
  CHECK(all_lines(d) == lines{"9"});
  CHECK(d.next_id > before + 1'000'000);
}

TEST_CASE("a line without an end is taken when the file has not grown for long") {
  log_files f;
  f.append("a.log", "whole\nhalf");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"whole", "half"});
}

TEST_CASE("lines are joined to events, the last one when nothing follows") {
  log_files f;
  f.append("a.log", "1 a\n  at x\n2 b\n  at y\n");
  auto d = f.open("", 1,
                  "multiline: {start: '^\\d', timeout: 10ms}\nformat: plain\n"
                  "tables: [{name: t, columns: [line]}]");
  CHECK(all_lines(d) == lines{"1 a\n  at x", "2 b\n  at y"});
}

TEST_CASE("the header of CSV names the fields, also after a restart") {
  log_files f;
  const std::string csv = "format: csv\ntables: [{name: t, columns: [b]}]";
  f.append("a.log", "a,b\n1,x\n");
  auto d = f.open("", 1, csv);
  CHECK(all_lines(d, "b") == lines{"x"});
  f.append("a.log", "2,y\n");
  auto again = f.open(d.position, d.next_id, csv);
  CHECK(all_lines(again, "b") == lines{"y"});
}

TEST_CASE("bytes that are not UTF-8 and lines that are too long go to the dead letters") {
  log_files f;
  f.append("a.log", "ok\n\xff\xfe\n" + std::string(500, 'x') + "\nok2\n");
  auto d =
      f.open("", 1, "event_bytes_max: 100\nformat: plain\ntables: [{name: t, columns: [line]}]");
  lines good;
  std::vector<extract::bad_row> bad;
  do {
    auto taken = d.step(1ms);
    for (const auto& r : rows_of(taken.batches))
      good.push_back(r.cells.at("line"));
    bad.insert(bad.end(), taken.bad.begin(), taken.bad.end());
  } while (!d.source->progress().idle);
  CHECK(good == lines{"ok", "ok2"});
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].bytes == "\xff\xfe");
  CHECK(bad[0].reason.find("@offset=3") != std::string::npos);
  CHECK(bad[1].bytes == std::string(100, 'x'));
  CHECK(bad[1].reason.starts_with("longer than event_bytes_max (100 bytes)"));
}

TEST_CASE("the very first start may begin at the end, later files at their beginning") {
  log_files f;
  f.append("a.log", "old\n");
  auto d = f.open("", 1, "from: end\nformat: plain\ntables: [{name: t, columns: [line]}]");
  CHECK(all_lines(d).empty());
  f.append("a.log", "new\n");
  f.append("b.log", "first\n");
  auto seen = all_lines(d);
  CHECK(std::set<std::string>(seen.begin(), seen.end()) == std::set<std::string>{"new", "first"});
}

TEST_CASE("other settings give later rows ids that no earlier row can have") {
  log_files f;
  f.append("a.log", "1\n");
  auto d = f.open();
  CHECK(all_lines(d) == lines{"1"});
  f.append("a.log", "2\n");
  auto again = f.open(d.position, d.next_id,
                      "format: plain\ntables: [{name: t, columns: [line, {name: x}], rules: "
                      "[{trim: {scope: 0}}]}]");
  CHECK(all_lines(again) == lines{"2"});
  CHECK(again.next_id > d.next_id + 1'000'000);
}

TEST_CASE("a position that is none of a file source is refused") {
  CHECK(!extract::files::position::parse("{\"seq\":1}"));
  CHECK(!extract::files::position::parse("17"));
}

TEST_CASE("each line comes once and under one id, whatever rotates and dies") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    log_files f;
    std::set<std::string> written;
    // What the bus holds: published rows stay, whether or not their position was stored.
    std::map<int64_t, std::string> bus;
    std::string stored;
    int64_t stored_id = 1, rotated = 0;
    std::optional<drive> d;
    auto write = [&] {
      auto name = random() % 2 ? "a.log" : "b.log";
      for (auto n = random() % 40; n > 0; --n) {
        auto text = std::string(name) + " line " + std::to_string(written.size()) +
                    std::string(random() % 60, 'x');
        written.insert(text);
        f.append(name, text + "\n");
      }
      auto to = std::string(name) + "." + std::to_string(++rotated);
      if (auto what = random() % 6; fs::exists(f.path(name)) && what < 2)
        what == 0 ? f.rename(name, to) : f.copy_and_truncate(name, to);
    };
    auto read_some = [&] {
      if (!d)
        d.emplace(
            f.open(stored, stored_id, "format: plain\ntables: [{name: t, columns: [line]}]", 25));
      auto failed = d->source->read(d->out, 0ms);
      REQUIRE_MESSAGE(!failed, failed.text());
      auto taken = d->out.take();
      for (const auto& r : rows_of(taken.batches)) {
        auto [at, is_new] = bus.emplace(r.id, r.cells.at("line"));
        REQUIRE_MESSAGE(at->second == r.cells.at("line"), "id " << r.id << " changes its row");
      }
      if (random() % 8 == 0) {
        d.reset();
        return;
      }
      if (!taken.position.empty() && (taken.settle || random() % 3 == 0)) {
        stored = taken.position;
        stored_id = taken.next_id;
      }
    };
    for (int i = 0; i < 150; ++i)
      random() % 3 == 0 ? write() : read_some();
    for (int i = 0; i < 4000 && bus.size() < written.size(); ++i)
      read_some();
    std::set<std::string> seen;
    for (const auto& row : bus)
      CHECK_MESSAGE(seen.insert(row.second).second, row.second << " came twice");
    CHECK(seen == written);
  }
}
