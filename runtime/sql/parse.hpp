/// A SELECT as DuckDB's own parser reads it: what it reads and puts out, and the few changes that a
/// step makes to it. The engine's parser and not PostgreSQL's, because two dialects would disagree
/// about what is valid (`* exclude`, lambdas, list literals). Immutable after parse().
#pragma once

#include "runtime/core/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::sql {

class engine;
struct failure;

/// "line 2, column 14: " for byte `at` of `text`; both count from 1, the column in characters.
std::string place(std::string_view text, size_t at);
/// The failure as an error with its place in `text`.
error error_in(std::string_view text, const failure& why);

/// A table or column where it is named.
struct reference {
  /// Without qualifiers.
  std::string name;
  /// Byte in the text.
  size_t at = 0;
};

/// One item of the select list.
struct output {
  enum class kind : uint8_t {
    column,   ///< a plain column, maybe renamed
    computed, ///< one column that is worked out
    star,     ///< `*`, which stands for any number of columns
    expanded, ///< an expression over `columns(…)`: any number of computed columns
  };
  output::kind kind = kind::computed;
  /// Of the column that is put out.
  std::string column;
  /// Of a star: the columns whose place something computed takes (`replace`).
  std::vector<std::string> replaced;
};

class select_tree {
public:
  /// Reads one SELECT. Rejects, with its position: wrong syntax, any other statement or a second
  /// one, parameters, and whatever reads from anywhere but a table (files, functions that read).
  static result<select_tree> parse(engine& db, std::string text);

  const std::string& text() const { return text_; }
  /// Tables that are read, without names that WITH introduces.
  const std::vector<reference>& tables() const { return tables_; }
  /// Names that WITH introduces.
  const std::vector<reference>& with() const { return with_; }
  /// Every column that is named anywhere; `*` names none.
  const std::vector<reference>& columns() const { return columns_; }

  /// The select list. Empty when the top is not one SELECT (UNION, VALUES).
  const std::vector<output>& outputs() const { return outputs_; }
  /// True when the top reads a table directly, so that its plain columns are columns of the table.
  bool reads_table_directly() const { return direct_; }
  /// True when the top has an ORDER BY.
  bool is_ordered() const { return ordered_; }
  /// False when one more column would change the rows (DISTINCT, GROUP BY, UNION).
  bool may_add_columns() const { return may_add_; }

  /// The statement with every table of `tables()` replaced by the table `to` (under its old name as
  /// alias), and the columns `added` behind the select list. REQUIRES: may_add_columns(), if any.
  result<std::string> rewritten(engine& db, const std::string& to,
                                const std::vector<std::string>& added) const;

private:
  // These may throw what the JSON library throws; the public ones catch it.
  static result<select_tree> parse_checked(engine& db, std::string text);
  result<std::string> rewritten_checked(engine& db, const std::string& to,
                                        const std::vector<std::string>& added) const;
  error read_tree();
  error read_top();

  std::string text_;
  std::shared_ptr<const nlohmann::json> tree_;
  std::vector<reference> tables_, with_, columns_;
  std::vector<output> outputs_;
  bool direct_ = false, ordered_ = false, may_add_ = false;
};

/// Equal as DuckDB compares identifiers: without regard to ASCII case.
bool same_name(std::string_view a, std::string_view b);

} // namespace rtdp::sql
