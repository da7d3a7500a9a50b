/// Settings of a component as text, so that NODE can tell whether another plan changes it. To be
/// compared only, never shown: passwords are in it. Plain functions over checked settings.
#pragma once

#include "config/pipeline.hpp"

#include <string>

namespace rtdp {

std::string fingerprint(const config::component& c);
/// With the topics that it would have to make in another way than the bus does by itself.
std::string fingerprint(const config::pipeline& p, const config::stream_settings& s);
/// With the store that it writes to and the topics that it reads.
std::string fingerprint(const config::pipeline& p, const config::flow_settings& f,
                        const config::component& store);

} // namespace rtdp
