/// Turns events of the log into rows: which table, which of its versions, what a changed key means,
/// what statements do to tables. Owned by the driver; knows no connection.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/mysql_catalog.hpp"
#include "actors/extract/mysql_ddl.hpp"
#include "actors/extract/mysql_image.hpp"

#include <string>
#include <unordered_map>

namespace rtdp::extract::my {

constexpr int64_t second_us = 1'000'000;

struct change_rules {
  /// The source's name.
  std::string source;
  bool mariadb = true;
  unsigned version = 0;
  zero_dates zeros = zero_dates::reject;
  /// Events carry checksums, also the one in front of the first format description.
  bool checksum = false;
  /// A table whose columns are lost is read anew instead of ending the source.
  bool resnapshot = false;
  /// The character set of each collation's number.
  std::map<uint32_t, std::string> collations = {};
};

/// - A table's columns are known from the place of the log where they were read (`begin_table`) on,
///   and then follow the statements in the log. Each table map must fit them; with
///   binlog_row_metadata=FULL the map's own names win.
/// - An update of a key goes out as 'd' and 'i'; so does any update of a table without a key, which
///   only both rows together say.
/// - A change is counted in the position whether its table is captured or not, so that a position
///   means the same under other settings.
class changes {
public:
  /// `at` outlives this, says how far we are and is moved on; its tables are the captured ones.
  changes(change_rules rules, position& at, const std::vector<captured_table>& tables);

  /// Takes one event. When the collector is full within it, `pending` turns true and the event's
  /// bytes must stay valid until `go_on` has ended it.
  error apply(std::string_view bytes, collector& out);
  bool pending() const { return pending_; }
  error go_on(collector& out);

  /// Between the first event of a transaction and its last.
  bool in_transaction() const { return in_transaction_; }
  /// Commit time of the last whole transaction, seconds of the server's clock as microseconds.
  int64_t committed_us() const { return committed_us_; }
  /// `apply` failed since the file of the stored position is not the one that the server has.
  bool other_log() const { return other_log_; }
  /// True once after the tables part of the position changed.
  bool tables_changed() { return std::exchange(tables_changed_, false); }

  /// Takes the columns of a table as they are at the place where the log stands.
  void begin_table(table_state& t, const table_state& columns);
  /// The handle for rows with these columns; begins a new version when they are others than before.
  collector::handle version_for(size_t table, const std::vector<planned_column>& columns,
                                collector& out);
  /// Of the version that a table has now.
  ums::ns name_of(size_t table) const;
  /// The columns that the history has, ready to convert.
  result<std::vector<planned_column>> planned(size_t table) const;

private:
  /// A table map, with what it means to us.
  struct known_map {
    std::string raw;
    table_map map;
    /// Index in `at_.tables`.
    size_t table = SIZE_MAX;
    bool ready = false;
    std::vector<planned_column> columns = {};
    std::vector<size_t> keys = {};
    collector::handle handle = 0;
  };
  error apply_event(const event& e, std::string_view bytes, collector& out);
  error begin_file(const event& e);
  error rotate(const event& e);
  error run_statement(const event& e, collector& out);
  error run_ddl(const statement& s, const event& e, collector& out);
  error change_table(const table_change& c, const std::vector<token>& tokens, const event& e,
                     const std::string& database, collector& out);
  error alter_table(const table_change& c, table_state& t, const std::vector<token>& tokens,
                    const std::string& database, const std::string& place);
  void read_anew(table_state& t);
  error remember(const event& e);
  error begin_rows(const event& e, collector& out);
  error ready(known_map& k, collector& out);
  error take_columns(known_map& k);
  error lose(table_state& t, const std::string& why);
  error change(known_map& k, std::string_view bytes, collector& out);
  void add(known_map& k, char op, const image& row, std::string_view bytes, collector& out);
  bool key_changed(const known_map& k) const;
  void commit();
  void advance(const event& e);
  void forget_maps(const table_state& t);
  size_t index_of(const table_state& t) const { return size_t(&t - at_.tables.data()); }

  change_rules rules_;
  position& at_;
  std::vector<bool> before_images_;
  std::unordered_map<uint64_t, known_map> maps_;
  bool checksum_ = false;

  /// Behind the last event, also within a transaction.
  uint64_t offset_ = 0;
  bool in_transaction_ = false, prepared_xa_ = false;
  std::string group_;
  uint32_t group_domain_ = 0;
  int64_t ts_us_ = 0, committed_us_ = 0;
  /// Of the transaction that was handed over in part before.
  uint64_t skip_events_ = 0, skip_changes_ = 0;

  bool pending_ = false;
  row_frame frame_;
  known_map* rows_of_ = nullptr;
  image before_, after_;
  bool tables_changed_ = false, other_log_ = false;
};

} // namespace rtdp::extract::my
