/// The masks of one source's tables, as a stage. Made anew with every opening, owned by an
/// `extraction`, one thread. Stands before every other stage, so that nothing behind it, the schema
/// history included, ever meets clear text.
///
/// Fails closed. A row whose mask cannot be computed goes to the dead letters as it would have gone
/// to the bus, the value null. Bytes that the driver could not decode are replaced by a note (its
/// reasons never hold values, which is a rule for drivers). Rows of a table that no item of
/// `tables:` stands for are kept back. A column to be masked that is missing, and may have been
/// renamed, stops the source.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/mask.hpp"
#include "actors/extract/mask_keyed.hpp"
#include "actors/extract/stage.hpp"
#include "actors/extract/table_options.hpp"

#include <map>
#include <set>

namespace rtdp::extract {

/// The masks of one item of `tables:`. `line`, where it is given, takes the line of what is wrong.
result<std::vector<mask_settings>> read_masks(const table_options& of, int* line = {});

/// The table as it looks on the bus. `rejected` when a mask does not go with its column, or the
/// column does not exist.
result<ums::schema> masked(const std::vector<mask_settings>& masks, const ums::schema& from,
                           int* line = {});

class mask_stage final : public stage {
public:
  /// Nothing when no table has a mask. `tables` are all items of the source; `known` the schemas of
  /// its tables as they are now, as far as they could be asked for. `rejected` when a mask does not
  /// go with what is known.
  static result<std::unique_ptr<stage>> make(std::vector<table_options> tables,
                                             const std::vector<ums::schema>& known);

  error begin(std::vector<ums::schema_ptr>& versions, const std::string& place) override;
  error apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
              const std::string& place) override;

private:
  struct item {
    std::vector<mask_settings> settings;
    std::vector<std::unique_ptr<mask>> masks;
  };
  /// How the batches of one schema are masked.
  struct plan {
    /// Keeps the key of `plans_` alive.
    ums::schema_ptr from;
    ums::schema_ptr to;
    struct column {
      size_t index = 0;
      size_t mask = 0;
    };
    std::vector<column> columns;
    const item* masks = nullptr;
    /// No item stands for it.
    bool unknown = false;
    /// A column to be masked that the schema lacks.
    const mask_settings* missing = nullptr;
    /// That this is so although the table has it is certain.
    bool missing_is_fine = false;
  };

  explicit mask_stage(hmac_sha256 fingerprint) : fingerprint_(std::move(fingerprint)) {}
  std::string note_of(std::string_view bytes);
  const item* item_of(const ums::ns& table, bool& unknown) const;
  result<plan*> plan_of(const ums::schema_ptr& schema);
  static error missing(const plan& p, const ums::schema& s);
  error check_missing(plan& p, const ums::batch& b);
  void learn(const ums::schema& s);
  void mask_batch(const plan& p, ums::batch& b, std::vector<bad_row>& bad);
  void set_aside(const plan& p, ums::batch& b, std::vector<bad_row>& bad);

  hmac_sha256 fingerprint_;
  std::vector<table_options> tables_;
  /// One for each of `tables_`.
  std::vector<item> items_;
  std::map<const ums::schema*, plan> plans_;
  /// By table without version: columns that it had in some schema together with all that are
  /// masked.
  std::map<ums::ns, std::set<std::string>> columns_;
  std::vector<mask_failure> failures_;
  /// Of each failure: the column.
  std::vector<size_t> failed_columns_;
  /// Ids of updates that were set aside: their before-images go with them.
  std::set<int64_t> orphans_;
};

} // namespace rtdp::extract
