/// The driver of source `mysql`: what it holds between calls. Internal to mysql_source, mysql_open
/// and mysql_pieces; the SOURCE actor knows it as a `driver`.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/mysql_changes.hpp"
#include "actors/extract/mysql_log.hpp"
#include "actors/extract/mysql_settings.hpp"
#include "actors/extract/mysql_snapshot.hpp"

#include <optional>

namespace rtdp::extract::my {

class mysql_driver final : public driver {
public:
  mysql_driver(std::string name, settings s)
      : name_(std::move(name)), set_(std::move(s)), rate_(set_.snapshots.rows_per_second) {}

  error open(const std::string& position) override;
  error read(collector& out, std::chrono::milliseconds wait) override;
  error confirm(const std::string& position) override;
  error snapshot(const snapshot_request& asked) override;
  source_progress progress() const override { return progress_; }

private:
  /// What comes next; each ends in the one below it.
  enum class phase { closed, announce, await_confirm, run };

  using captured_tables = std::vector<captured_table>;
  error restore(const position& stored, const captured_tables& tables);
  void add_tables(position stored, const captured_tables& tables, bool lost);
  error start_log();
  error step(collector& out, bool& moved);
  error take_event(collector& out, bool& moved);
  error hand_over_piece(collector& out);
  error next_piece();
  void end_piece(collector& out, table_state& t);
  bool piece_is_due() const;
  error nothing_new(collector& out);
  error probe();
  void settle(collector& out, bool durable = false);
  void tell_progress();

  std::string name_;
  settings set_;
  phase phase_ = phase::closed;
  position at_;
  std::string tables_text_;
  std::optional<connection> catalog_;
  std::optional<changes> changes_;
  std::unique_ptr<log_stream> log_;
  bool skip_ids_ = false;
  /// The log turned out to be another one than that of the stored position.
  bool other_log_ = false;
  std::string announced_;

  throttle rate_;
  std::unique_ptr<snapshot_piece> piece_;
  /// Set while rows of `piece_` are handed over.
  bool piece_begun_ = false;
  collector::handle piece_handle_ = 0;
  std::vector<planned_column> piece_columns_;
  /// A request changed the plan: the next read stores it.
  bool plan_changed_ = false;

  /// The last position that was given to the collector, and when.
  std::string committed_;
  std::chrono::steady_clock::time_point committed_at_{};

  source_progress progress_;
  std::vector<int64_t> estimated_;
  std::chrono::steady_clock::time_point probed_at_{};
  /// Where the log ended at the last probe, and the server's time then.
  std::optional<log_end> probe_;
};

} // namespace rtdp::extract::my
