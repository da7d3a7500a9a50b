#include "test/actors/sink/contract_shards.hpp"
#include "test/actors/sink/contract_tables.hpp"
#include "test/actors/sink/contract_writes.hpp"
#include "test/actors/sink/postgres_store.hpp"

namespace rtdp::sink::test {

std::unique_ptr<store> the_store() { return std::make_unique<postgres_store>(); }

} // namespace rtdp::sink::test
