/// Dates and times: as the log packs them and as the server prints them. Pure functions.
#pragma once

#include "actors/extract/mysql_image.hpp"

namespace rtdp::extract::my {

/// REQUIRES of all: `value` has the size that the stored type has.
fit append_date(ums::column& c, const plan& how, std::string_view value);
fit append_datetime(ums::column& c, const plan& how, std::string_view value);
fit append_timestamp(ums::column& c, const plan& how, std::string_view value);
fit append_time(ums::column& c, const plan& how, std::string_view value);
/// "2026-11-22" or "2026-11-22 10:13:24.213456".
fit append_moment_text(ums::column& c, const plan& how, std::string_view text);

/// The first byte highest.
uint64_t big_endian(std::string_view bytes);

} // namespace rtdp::extract::my
