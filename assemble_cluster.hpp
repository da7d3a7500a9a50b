/// Puts a node of a cluster together: MEMBER with its CATALOG and its LINKs, beside NODE. Used by
/// main.cpp for a file with `nodes:`.
#pragma once

#include "config/pipeline.hpp"
#include "runtime/cluster/member_actor.hpp"
#include "runtime/cluster/node_control.hpp"
#include "runtime/core/error.hpp"
#include "runtime/environment.hpp"

#include <memory>
#include <string>

namespace rtdp {

/// What MEMBER is given for this node. `text` is the file that `p` was read from, as it stands there;
/// `p` is that of `config::choose_node`. `flows` gets those of other settings as NODE takes them up.
cluster::member_options plan_member(const config::pipeline& p, const std::string& text,
                                    const runtime::environment& env,
                                    std::shared_ptr<cluster::flow_directory> flows);

/// Every problem of a settings file for a cluster, in one text; asks its sources, as `check_flows`.
error check_settings(const std::string& text);

/// The text of a settings file of at most 4 MiB.
result<std::string> read_text(const std::string& path);

} // namespace rtdp
