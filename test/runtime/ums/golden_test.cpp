/// Each golden/NAME.json is a message, NAME.txt what must come out of it. The messages named rtdp_*
/// are also what the writer must write, byte by byte.
#include "test/runtime/ums/messages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rtdp::ums {

namespace {

std::filesystem::path folder() { return std::filesystem::path(__FILE__).parent_path() / "golden"; }

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> messages() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    if (entry.path().extension() == ".json")
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string outcome(const reading& r) {
  std::string out = r.failed ? "error: " + r.failed.text() + '\n' : "";
  for (const auto& b : r.batches)
    out += shown(b);
  for (const auto& b : r.bad)
    out += "bad " + std::to_string(b.index) + ": " + b.reason + "\n  " + b.bytes + '\n';
  return out;
}

} // namespace

TEST_CASE("messages of both dialects and of every protocol type give the rows they always gave") {
  std::vector<bool> seen(size_t(protocol::increment_sweep) + 1);
  for (const auto& file : messages()) {
    CAPTURE(file.string());
    auto r = read_all(content(file));
    for (const auto& b : r.batches)
      seen[size_t(b.kind)] = true;
    auto expected = file;
    CHECK(outcome(r) == content(expected.replace_extension(".txt")));
  }
  CHECK(std::count(seen.begin(), seen.end(), false) == 0);
}

TEST_CASE("what rtdp writes has not changed by a byte") {
  size_t count = 0;
  for (const auto& file : messages()) {
    if (!file.filename().string().starts_with("rtdp_"))
      continue;
    CAPTURE(file.string());
    auto text = content(file);
    text.pop_back(); // the line feed at the end of the file
    auto r = read_all(text);
    REQUIRE(r.batches.size() == 1);
    std::string written;
    CHECK_FALSE(write(r.batches[0], written));
    CHECK(written == text);
    ++count;
  }
  CHECK(count == 8);
}

} // namespace rtdp::ums
