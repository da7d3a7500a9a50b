#include "config/load.hpp"
#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

#include <filesystem>

using namespace rtdp::config;

TEST_CASE("every example loads, with its variables set") {
  auto folder = std::filesystem::path(__FILE__).parent_path() / "../../config/examples";
  auto anything = [](const std::string&) { return std::optional<std::string>("set"); };
  world from{anything, [](const std::string&) { return file_text{"set", {}}; }};
  int examples = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_directory())
      continue;
    CAPTURE(entry.path());
    auto file = load_file(entry.path(), {}, from);
    CHECK(toy::lines(file.problems) == std::vector<std::string>{});
    CHECK(file.root.find("flows") != nullptr);
    ++examples;
  }
  CHECK(examples >= 4);
}
