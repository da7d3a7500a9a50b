/// The rules that turn the cells of an event into rows: DBus's sixteen operators, under their
/// names. Each is a plain object made once from its settings and then applied to every event, one
/// thread.
///
/// A rule is written as a list of steps, `- trim: {scope: 0}`; a step with a list,
/// `- trim: [{scope: 0}, {scope: -1}]`, is carried out item by item, each on what the one before
/// left. Scopes of one item all refer to the record as that item finds it.
#pragma once

#include "actors/extract/log_json.hpp"
#include "actors/extract/log_record.hpp"
#include "config/spec.hpp"
#include "runtime/ums/schema.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::extract::logs {

/// What a rule works with besides the rows.
struct surroundings {
  arena& memory;
  std::span<const cell> origin;
  json_reader& json;
};

class rule {
public:
  virtual ~rule() = default;
  /// Changes the rows that the event has become so far. A rule that `selects` and leaves none says
  /// that the event is not of this table. An error: the whole event cannot be used.
  virtual error apply(std::vector<record>& rows, const surroundings& with) = 0;
  virtual bool selects() const { return false; }
};

/// A column as settings declare it. `from` is the cell's name; for saveAs the position in the row
/// counts instead.
struct column_settings {
  ums::field field;
  std::string from;
  bool required = false;
  std::string time_format;
};

/// One of the sixteen.
struct operation {
  const char* name;
  const char* doc;
  std::vector<config::field> fields;
  /// Appends what the items of one step become. `rejected` with what is wrong with them.
  error (*make)(const config::sections& items, std::vector<std::unique_ptr<rule>>& out);
};

/// In the order of log_rules.def.
const std::vector<operation>& operations();

/// The settings of one step: a field for each operation, exactly one of which may be given.
std::vector<config::field> rule_fields();

/// The operation of a step, or what is wrong.
result<const operation*> operation_of(const config::section& step);

/// The setting `scope` of most operators, and how one that changes cells reads it: facts about the
/// event's origin cannot be changed.
config::field scope_field();
result<scope> changeable_scope(const config::section& item);

/// The columns that the items of a saveAs step declare, and the fields they share with `columns:`.
std::vector<column_settings> save_as_columns(const config::sections& items);
std::vector<config::field> column_fields();
column_settings read_column(const config::section& item);

} // namespace rtdp::extract::logs
