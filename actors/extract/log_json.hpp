/// JSON of log events: into cells, and single values out of it. Numbers keep their text, so that no
/// digit is lost. Plain class; one thread; views that it gives live as long as text and arena.
#pragma once

#include "actors/extract/log_record.hpp"
#include "runtime/ums/json.hpp"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rtdp::extract::logs {

/// `$.a.b`, `$['a b'][0]`, `$[-1]`: members and elements. Wildcards, slices and filters are
/// refused.
class json_path {
public:
  static result<json_path> parse(std::string_view text);
  const std::vector<std::variant<std::string, int64_t>>& parts() const { return parts_; }

private:
  std::vector<std::variant<std::string, int64_t>> parts_;
};

class json_reader {
public:
  /// The members of one object, in their order. A nested object is taken apart into cells named
  /// `outer.inner` when `flatten` is set; otherwise, and as every array, it stays one cell of JSON.
  error cells(std::string_view text, bool flatten, arena& memory, record& out);

  /// The raw JSON at a path of `text`; `data()` of it lies in `text`. Empty when there is none.
  error find(std::string_view text, const json_path& path, std::string_view& raw);

  /// The raw JSON of each element. `rejected` when it is not an array.
  error elements(std::string_view array, std::vector<std::string_view>& out);

  /// A raw value as a cell: a string without quotes, null as null, other JSON as it stands.
  error value(std::string_view raw, arena& memory, cell& out);

  /// Whether it is one JSON value, of the kind that begins with `first` ('{', '['), or any for
  /// '\0'.
  error check(std::string_view text, char first = '\0');

private:
  error object(const std::string& prefix, bool flatten, int depth, arena& memory, record& out);
  error scalar(std::string_view raw, bool quoted, arena& memory, cell& out);
  /// Steps to the path's value. False: there is none.
  bool step(const json_path& path, bool& well_formed);
  bool step_into_object(const std::string& name);
  bool step_into_array(int64_t index);

  ums::json::indexer indexer_;
  ums::json::cursor at_;
  std::string unescaped_;
};

} // namespace rtdp::extract::logs
