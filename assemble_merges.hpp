/// Which tables the sources of a file make together, and which flows read them: for `assemble` and
/// `rtdp check`. Plain functions over checked settings.
#pragma once

#include "actors/extract/merge_check.hpp"
#include "config/pipeline.hpp"

#include <map>
#include <string>
#include <vector>

namespace rtdp {

extract::configured_source configured(const config::component& source);

/// The four parts that people know a table by.
std::string name_for_people(const ums::ns& name);

/// Whether a flow reads the table in some version: which one there is, only the start tells.
bool reads(const ums::ns& pattern, const ums::ns& table);

/// Whether some table of the source may have such a name.
bool may_feed(const ums::ns& pattern, const config::component& source);

/// Names that stand in namespaces for a source beside its own.
std::vector<std::string> merged_names(const config::component& source);

/// For each instance that tables are merged into, the first source that does: its marks tell how
/// late the table is.
std::map<std::string, std::string> merged_instances(const config::pipeline& p);

/// Adds what is wrong with merges, of one source or of several, and with the keys of flows that read
/// them.
void check_merges(const config::pipeline& p, std::vector<config::problem>& problems);

} // namespace rtdp
