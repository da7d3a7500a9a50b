/// How every store of a node opens its file: the schema is made once and carries a version, so that
/// an older rtdp does not write into the file of a newer one. Private to runtime/state and the bus.
#pragma once

#include "runtime/state/sqlite.hpp"

#include <string>

namespace rtdp::state {

/// Opens `path` and, when it is new, runs `schema` and stores `version`, both or neither. A file
/// with another version is `rejected`.
result<database> open_store(const std::string& path, int64_t version, const std::string& schema,
                            database::durability d = database::durability::full,
                            int page_bytes = 4096);

} // namespace rtdp::state
