#include "runtime/state/folder_lock.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <unistd.h>

using namespace rtdp;

TEST_CASE("a second node in the same data folder is refused and told who holds it") {
  test::temp_folder folder;
  auto first = state::folder_lock::take(folder.path() + "/data");
  REQUIRE(first);
  auto second = state::folder_lock::take(folder.path() + "/data");
  REQUIRE(!second);
  CHECK(second.error() == ec::rejected);
  CHECK(second.error().text().find("pid " + std::to_string(::getpid())) != std::string::npos);
}

TEST_CASE("a data folder is free again when its node has ended") {
  test::temp_folder folder;
  {
    auto first = state::folder_lock::take(folder.path());
    REQUIRE(first);
  }
  CHECK(state::folder_lock::take(folder.path()));
}
