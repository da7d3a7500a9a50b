/// Source `postgres`: what the platform knows of it.

#include "actors/extract/postgres_describe.hpp"
#include "actors/extract/postgres_driver.hpp"

namespace rtdp::extract {

kind postgres_source() {
  return {pg::settings_spec(),
          [](const std::string& name, const config::section& s) {
            return std::unique_ptr<driver>(
                std::make_unique<pg::postgres_driver>(name, pg::read_settings(name, s)));
          },
          &pg::describe_source, &pg::table_pattern};
}

} // namespace rtdp::extract
