/// How values of PostgreSQL become values of UMS, from text (changes) and from binary (snapshot),
/// with the same result for both. Pure functions.
#pragma once

#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::extract::pg {

/// How one value is converted. All that has no UMS twin stays text, as PostgreSQL writes it with
/// `session_options`.
enum class conversion : uint8_t { integer, real4, real8, boolean, date, timestamp, bytes, text };

struct type_mapping {
  ums::type type = ums::type::string;
  conversion how = conversion::text;
};

/// `oid`: of the type itself or, for a domain, of the type below it.
type_mapping mapping_of(uint32_t oid);

/// The expression that makes COPY … (FORMAT binary) deliver what `append_binary` takes: the quoted
/// column itself, or its text exactly as the change stream writes it.
std::string copy_expression(const std::string& quoted_column, uint32_t oid);

/// Settings of every session that reads values, so that snapshot and changes write them equally.
inline constexpr std::string_view session_options =
    "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=3 "
    "-c bytea_output=hex -c xmloption=content -c search_path=";

/// Appends one value to `c`, whose type is that of the mapping. False: the value is not of the type
/// or does not fit it (a timestamp behind the year 294246), and nothing was appended.
bool append_text(ums::column& c, conversion how, std::string_view text);
bool append_binary(ums::column& c, conversion how, std::string_view bytes);

bool is_utf8(std::string_view text);
/// Why a value became a dead letter.
std::string unfit(std::string_view column, std::string_view native);

/// "2026-11-22", "0044-03-15 BC", "infinity"
std::optional<int64_t> parse_date(std::string_view text);
/// "2026-11-22 10:13:24.213456+00", "0044-03-15 00:00:00 BC", "-infinity"
std::optional<int64_t> parse_timestamp(std::string_view text);

} // namespace rtdp::extract::pg
