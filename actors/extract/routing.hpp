/// Where the rows of a source go on the bus: topic and partition. Plain values and functions; made
/// from checked settings, any thread.
///
/// The partition of a row is a hash of its key, so that all changes of one row keep their order.
/// It must be the same after every restart and in every version: FNV-1a of 64 bits over the text of
/// each key column as UMS writes it, in the order of the columns, a zero byte behind each (a null
/// is the byte 1 and a zero byte); its upper half is XORed onto the lower one; the rest by the
/// number of partitions is the partition. The text, so that an int which becomes a long stays where
/// it was. A table without a key goes by its first four names, each with a zero byte behind it.
#pragma once

#include "actors/extract/table_options.hpp"
#include "config/spec.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace rtdp::extract {

struct kind;

/// How the rows of a table travel.
struct route {
  std::string topic;
  /// A message holds at most so many rows; 0: as many as fit. With 1 each row is a message of its
  /// own whose key ends with the row's, so that a topic can be compacted.
  int64_t rows_per_message = 0;
};

class routing {
public:
  /// For all tables alike.
  explicit routing(route all, bus::topic_options options = {}, std::string source = "")
      : source_(std::move(source)), all_(std::move(all)), options_(options) {}

  /// As the settings of a source say. REQUIRES: they were checked. `rejected` when a topic's name
  /// is none, or a compacted topic would get messages that hold several rows.
  static result<routing> read(const kind& k, const std::string& source,
                              const config::section& settings);

  /// Of a table as it is named on the bus.
  const route& of(const ums::ns& table) const;
  /// Every topic that the source writes to, whether a table of it is there yet or not.
  std::set<std::string> topics() const;
  /// Those that can hold a table which `pattern` matches.
  std::set<std::string> topics_for(const ums::ns& pattern) const;
  /// Of each of its topics.
  const bus::topic_options& options() const { return options_; }

private:
  struct item {
    table_options table;
    route to;
  };
  std::string source_;
  route all_;
  bus::topic_options options_;
  std::vector<item> items_;
};

/// The settings that every kind of source has, behind its own.
config::spec with_source_options(config::spec own);
/// The items' part of it, for `with_table_options`.
std::vector<config::field> route_fields();

/// The partition of each row of `b`, of `count`. A `b` row goes where its `u` goes.
std::vector<uint32_t> partitions_of(const ums::batch& b, uint32_t count);

/// What the key of a message of one row ends with: the text of each key column as a JSON array,
/// `["42","2026-11-22"]`; empty for a table without a key.
std::string row_key(const ums::batch& b, size_t row);

} // namespace rtdp::extract
