/// The status page: one page, one style, one script, nothing from elsewhere. The script reads
/// GET /api/v1/status once a second and draws it; it builds elements, never markup, so text from
/// databases stays text.
#pragma once

#include <string_view>

namespace rtdp::ops {

extern const std::string_view status_html;
extern const std::string_view status_css;
extern const std::string_view status_js;

} // namespace rtdp::ops
