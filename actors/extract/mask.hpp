/// Masks: what replaces the values of one column before they leave for the bus. Plain classes made
/// from checked settings; owned by a `mask_stage`, one thread. No error ever holds a value.
///
///   with      on columns of type                 becomes  the same value gives  on a key
///   replace   any                                string   one text              refused
///   null      any                                same     null                  refused
///   partial   string                             same     its visible ends      refused
///   sha256    any                                string   the same 64 digits    yes
///   hmac      any                                string   the same 64 digits    yes
///   regex     string                             same     the same text         refused
///   date      date, datetime                     same     its day, month, …     refused
///   digits    string, int, long, decimal         same     the same digits       but no decimal
///
/// A null stays null. A column keeps its native type only where every masked value fits it: null,
/// date, and digits of a decimal. Keys take what gives different values different masks.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::extract {

/// One item of `mask:`.
struct mask_settings {
  /// Each is spelled as in the file; `null` and `text` have none that they could be.
  enum class kind : uint8_t { replace, null, partial, sha256, hmac, regex, date, digits };
  enum class unit : uint8_t { year, month, day, hour, minute };
  enum class unmatched : uint8_t { refuse, blank, pass };

  std::string column;
  kind with = kind::replace;
  std::string text, fill;
  size_t first = 0, last = 0;
  config::secret salt;
  std::string pattern, replacement;
  unmatched when_unmatched = unmatched::refuse;
  unit to = unit::day;
  /// A table without the column is fine.
  bool if_exists = false;
  /// In the file; 0 when it did not come from one.
  int line = 0;
};

/// The settings of an item of `mask:`.
std::vector<config::field> mask_fields();

/// `rejected` with what is missing or wrong beyond the spec: no salt, a pattern that does not
/// compile.
result<mask_settings> read_mask(const config::section& item);

/// The column as it looks behind the mask; `rejected` when the mask does not go with it.
result<ums::field> masked(const mask_settings& m, const ums::field& from);

/// A value that could not be masked.
struct mask_failure {
  size_t row = 0;
  /// Static text: what was expected, never what was found.
  const char* why = "";
};

class mask {
public:
  virtual ~mask() = default;

  /// Appends a masked value for every row of `from` to `to`, null where it fails. REQUIRES: `to` is
  /// empty and has the type that `masked` said.
  virtual void apply(const ums::column& from, ums::column& to,
                     std::vector<mask_failure>& failures) = 0;
};

/// REQUIRES: `read_mask` gave the settings, `masked` took the column. An error only when OpenSSL
/// refuses to work.
result<std::unique_ptr<mask>> make_mask(const mask_settings& m);

} // namespace rtdp::extract
