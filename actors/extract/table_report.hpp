/// What TABLE tells of a table: one report for each name on the bus, the shards of a merged table
/// added up, and columns of the schema history, so that they are known before the first row comes.
/// Plain functions; called by the SOURCE actor.
#pragma once

#include "actors/extract/driver.hpp"
#include "runtime/report.hpp"

#include <map>
#include <string>

namespace rtdp::extract {

/// The name as people know it: shards of one table and version are one row of the list.
ums::ns name_for_people(ums::ns name);

/// "id bigint key, note string": business columns with their UMS types.
std::string columns_text(const std::vector<ums::field>& fields);

/// By `name_for_people`. A version that `older` names and another one has replaced since is
/// "stopped".
std::map<ums::ns, runtime::report> table_reports(const source_progress& progress,
                                                 const std::vector<ums::ns>& older);

/// Adds version and columns as the history in `data_dir` has them; what it has not stays unknown.
void add_columns(std::map<ums::ns, runtime::report>& reports, const std::string& data_dir);

} // namespace rtdp::extract
