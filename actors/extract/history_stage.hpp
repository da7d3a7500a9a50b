/// The stage that keeps the history of every table's columns and decides what a change of them
/// means: compatible ones go on as a new version; others by the table's `on_schema_change`. Names
/// of versions on the bus are the history's, so that one version never means two sets of columns,
/// not even after a lost position. Owned by an `extraction`; one thread.
///
/// Under `ignore` the rows of the new version have the columns of the last one that was published:
/// what that lacks is left out; a column that is gone, or whose values are not among those of the
/// old type, is absent from the message, which is not null: targets keep what they hold. A key
/// that changed cannot be ignored, since rows would take each other's place.
///
/// Under `fail` the version is kept as refused and the source ends, at each start again, until the
/// setting is another one. The position stays before the read that met the change, so that its rows
/// come then.
#pragma once

#include "actors/extract/stage.hpp"
#include "actors/extract/table_options.hpp"
#include "runtime/state/schema_history.hpp"

#include <map>
#include <optional>

namespace rtdp::extract {

class history_stage final : public stage {
public:
  /// `source` is the source's name.
  history_stage(state::schema_history history, std::string source,
                std::vector<table_options> tables)
      : history_(std::move(history)), source_(std::move(source)), tables_(std::move(tables)) {}

  error begin(std::vector<ums::schema_ptr>& versions, const std::string& place) override;
  error apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
              const std::string& place) override;
  ums::ns published(const ums::ns& name) const override;

private:
  /// Where a version of the driver's goes.
  struct route {
    ums::ns name;
    /// The columns that go on in place of the version's own; empty: its own.
    std::vector<ums::field> columns;
  };
  /// How the batches of one schema are made those of another.
  struct plan {
    ums::schema_ptr schema;
    /// Where each column comes from.
    std::vector<size_t> from;
  };

  std::string line_of(const ums::ns& name) const;
  result<state::table_version> meet(const ums::schema& s, const std::string& place);
  error decide(const ums::schema& s, state::table_version& v);
  error refuse(const ums::schema& s, const state::table_version& v, const std::string& changes,
               const std::string& advice);
  result<const route*> route_of(const ums::ns& name) const;
  result<route> make_route(const ums::ns& name, const state::table_version& v) const;
  result<bool> goes_on(const ums::ns& ended);
  const plan& plan_for(const ums::schema_ptr& from, const route& to);
  void replace(ums::batch& b, const plan& p);

  /// Asked for a name that was not met since the start, and the answer kept.
  mutable state::schema_history history_;
  mutable std::map<ums::ns, route> routes_;
  std::string source_;
  std::vector<table_options> tables_;
  /// The schemas of a collector live as long as it does, and are few; each is held by its key here,
  /// so that an address is never another schema's.
  std::map<ums::schema_ptr, plan> plans_;
};

} // namespace rtdp::extract
