/// The formats of log events: bytes to named cells. Plain class, made once from checked settings;
/// one thread; the cells' views live as long as the event and the arena.
///
///   json    one object. Nested objects become `outer.inner` (`nested: flatten`) or stay JSON.
///   logfmt  level=info msg="it is \"done\"" verbose   (a key alone is true)
///   csv     RFC 4180 on one line; an empty field without quotes is null
///   regex   the groups of `pattern`
///   plain   one cell, `line`
#pragma once

#include "actors/extract/log_expression.hpp"
#include "actors/extract/log_json.hpp"
#include "actors/extract/log_record.hpp"
#include "config/spec.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::logs {

class format {
public:
  enum class kind : uint8_t { json, logfmt, csv, regex, plain };

  /// `rejected` names the setting first: "pattern: …".
  static result<format> make(const config::section& settings);

  /// `csv_header` names the fields of CSV unless settings do. An error: the event is not of the
  /// format. `matches` is false when it only did not match the pattern.
  error decode(std::string_view event, std::span<const std::string> csv_header, arena& memory,
               json_reader& json, record& out, bool& matches);

  kind which() const { return kind_; }
  bool has_csv_columns() const { return !csv_columns_.empty(); }
  /// The cells' names when settings fix them: of regex, of CSV with columns, of plain.
  std::vector<std::string> cell_names() const;
  char delimiter() const { return delimiter_; }

private:
  error decode_logfmt(std::string_view event, arena& memory, record& out);
  error decode_csv(std::string_view event, std::span<const std::string> names, arena& memory,
                   record& out);
  bool decode_regex(std::string_view event, record& out);

  kind kind_ = kind::json;
  bool flatten_ = true;
  char delimiter_ = ',';
  std::vector<std::string> csv_columns_;
  expression pattern_;
  std::vector<std::string> groups_;
  std::vector<re2::StringPiece> found_;
  record fields_;
};

/// The fields of one line of CSV, without names.
error split_csv(std::string_view line, char delimiter, arena& memory, record& out);

} // namespace rtdp::extract::logs
