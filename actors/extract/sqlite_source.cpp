/// Reads a SQLite database file that an application writes: first what its tables hold, then every
/// change, from the log that triggers fill (sqlite_log.hpp has the log and its
/// limits, sqlite_reader.hpp says why nothing is lost or doubled between the two).
#include "actors/extract/driver.hpp"
#include "actors/extract/sqlite_reader.hpp"
#include "actors/extract/table_options.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <thread>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using namespace rtdp::extract::sqlite;

/// A log trimmed more often than this would only cost the application's writers their lock.
constexpr auto trim_pause = 1s;
constexpr int64_t trim_at_once = 1000;
struct sqlite_options {
  std::string source, path, log;
  /// As the file has them; stars are not replaced yet.
  std::vector<wanted_table> items;
  /// Those that there are.
  std::vector<wanted_table> tables;
  milliseconds poll_interval, busy_timeout, keep_log;
  size_t chunk_rows;
};

class sqlite_driver final : public driver {
public:
  explicit sqlite_driver(sqlite_options o) : options_(std::move(o)) {}

  result<std::vector<ums::schema>> describe();
  error open(const std::string& stored) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string& text) override;
  source_progress progress() const override;

private:
  error open_file();
  error resume(const std::string& stored);
  error turn(collector& out, bool& worked);
  error follow_schema();
  error expand();

  sqlite_options options_;
  state::database db_;
  change_log log_;
  std::optional<reader> reader_;
  std::map<std::string, int64_t> estimates_;
  int64_t data_version_ = -1;
  bool more_ = true, idle_ = false;
  int64_t complete_until_us_ = 0;
  steady_clock::time_point next_trim_{};
};

// -- open ---------------------------------------------------------------------

error sqlite_driver::open_file() {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(options_.path, failed))
    return rejected("no such file; `path` must name an existing SQLite database");
  auto opened = state::database::open_existing(options_.path, options_.busy_timeout);
  if (!opened)
    return opened.error();
  db_ = std::move(*opened);
  if (sqlite3_db_readonly(db_.handle(), "main") == 1)
    return rejected("may only be read by this user; the source needs to write the file and its "
                    "folder, for the change log and its triggers");
  int code =
      sqlite3_exec(db_.handle(), "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
  if ((code & 0xff) == SQLITE_NOTADB)
    return rejected("is not a SQLite database (or an encrypted one)");
  if (code != SQLITE_OK)
    return state::sqlite_error(db_.handle(), code, "reading the schema");
  return {};
}

/// The first item that stands for a table wins: `[orders, "or*"]`.
error sqlite_driver::expand() {
  auto names = table_names(db_);
  if (!names)
    return names.error();
  std::vector<wanted_table> out;
  auto add = [&](const std::string& name, bool before_images) {
    if (std::none_of(out.begin(), out.end(), [&](auto& t) { return t.name == name; }))
      out.push_back({name, before_images});
  };
  for (const auto& item : options_.items) {
    if (!has_star(item.name)) {
      add(plain_name(item.name), item.before_images);
      continue;
    }
    auto pattern = glob_of("sqlite", options_.source, "main", item.name);
    if (!pattern)
      return pattern.error();
    auto before = out.size();
    for (const auto& name : *names)
      if (!name.starts_with(options_.log) &&
          pattern->matches({"sqlite", options_.source, "main", name}))
        add(name, item.before_images);
    if (out.size() == before && options_.tables.empty())
      return rejected("no table is named like " + item.name);
  }
  options_.tables = std::move(out);
  return {};
}

result<std::vector<ums::schema>> sqlite_driver::describe() {
  options_.busy_timeout = std::min(options_.busy_timeout, describe_time);
  if (auto failed = open_file())
    return failed.in(options_.path);
  if (auto failed = expand())
    return failed.in(options_.path);
  std::vector<ums::schema> out;
  for (const auto& t : options_.tables) {
    auto shape = sqlite::describe(db_, t.name);
    if (!shape)
      return shape.error().in(options_.path);
    layout l{.table = t.name, .columns = std::move(shape->columns)};
    out.push_back(schema_of({"sqlite", options_.source, "main", t.name}, l.fields()));
  }
  return out;
}

error sqlite_driver::open(const std::string& stored) {
  if (auto failed = open_file())
    return failed.in(options_.path);
  if (auto failed = expand())
    return failed.in(options_.path);
  log_ = change_log(db_, options_.log);
  if (auto failed = log_.capture(options_.tables))
    return failed.in(options_.path);
  if (auto failed = resume(stored))
    return failed.in(options_.path);
  for (const auto& t : options_.tables)
    estimates_[t.name] = estimated_rows(db_, t.name);
  more_ = true;
  data_version_ = -1;
  return {};
}

error sqlite_driver::resume(const std::string& stored) {
  auto last = log_.last_seq();
  if (!last)
    return last.error();
  reader_.emplace(db_, log_, options_.source, options_.chunk_rows);
  if (stored.empty()) {
    position from{.log = log_.id(), .seq = *last, .pending = {}};
    for (const auto& t : options_.tables)
      from.pending.push_back({.table = t.name, .after = {}, .rows = 0});
    reader_->resume(std::move(from));
    return {};
  }
  auto parsed = position::parse(stored);
  if (!parsed)
    return parsed.error();
  if (parsed->log != log_.id())
    return rejected("the stored position is of change log " + parsed->log + ", the file has " +
                    log_.id() +
                    ": it is another file, or its log was dropped; forget the "
                    "position to read everything again");
  if (parsed->seq > *last)
    return rejected("the stored position is entry " + std::to_string(parsed->seq) +
                    " of the change log, which ends at " + std::to_string(*last) +
                    ": the file is an older copy; forget the position to read everything again");
  reader_->resume(std::move(*parsed));
  return {};
}

// -- read ---------------------------------------------------------------------

error sqlite_driver::read(collector& out, milliseconds wait) {
  reader_->forget_handles();
  auto begun = steady_clock::now();
  for (;;) {
    bool worked = false;
    if (auto failed = turn(out, worked))
      return failed.in(options_.path);
    auto now = steady_clock::now();
    // A busy writer always has more: what is here travels on after one poll interval.
    if (out.full() || (out.rows() > 0 && now >= begun + options_.poll_interval))
      return {};
    if (worked)
      continue;
    if (out.rows() > 0 || now >= begun + wait)
      return {};
    auto left = duration_cast<milliseconds>(begun + wait - now) + 1ms;
    std::this_thread::sleep_for(std::min(options_.poll_interval, left));
  }
}

error sqlite_driver::turn(collector& out, bool& worked) {
  auto before = now_us();
  int moved = 0;
  if (sqlite3_file_control(db_.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
      moved != 0)
    return rejected("the file was replaced or removed while it was read; forget the position to "
                    "read the new one from its beginning");
  auto version = pragma(db_, "data_version");
  if (!version)
    return version.error();
  reader::outcome last{.log_done = true};
  if (more_ || *version != data_version_) {
    if (auto failed = follow_schema())
      return failed;
    if (auto failed = reader_->protect_ids(out))
      return failed;
    auto done = reader_->turn(out);
    if (!done)
      return done.error();
    last = *done;
    data_version_ = *version;
    more_ = !last.log_done || !reader_->at().pending.empty();
    if (last.changed)
      out.commit(reader_->at().text());
  }
  worked = last.changed || more_;
  idle_ = !worked;
  if (last.log_done)
    complete_until_us_ = before;
  return {};
}

error sqlite_driver::follow_schema() {
  auto schema = pragma(db_, "schema_version");
  if (!schema)
    return schema.error();
  if (*schema == log_.schema_version())
    return {};
  if (auto failed = expand())
    return failed;
  return log_.capture(options_.tables);
}

// -- confirm, progress --------------------------------------------------------

error sqlite_driver::confirm(const std::string& text) {
  auto parsed = position::parse(text);
  if (!parsed)
    return parsed.error();
  reader_->confirmed(*parsed);
  auto now = steady_clock::now();
  if (parsed->seq <= reader_->trimmed() ||
      (now < next_trim_ && parsed->seq < reader_->trimmed() + trim_at_once))
    return {};
  next_trim_ = now + trim_pause;
  auto failed = log_.trim(parsed->seq, options_.keep_log);
  // A busy file: the entries only stay a little longer.
  return failed == ec::unavailable ? error{} : failed.in(options_.path);
}

source_progress sqlite_driver::progress() const {
  source_progress out{.tables = {}, .idle = idle_, .complete_until_us = complete_until_us_};
  if (!reader_)
    return out;
  out.place = "entry " + std::to_string(reader_->at().seq) + " of " + options_.log;
  for (const auto& t : options_.tables) {
    const auto* l = log_.newest(t.name);
    const auto& pending = reader_->at().pending;
    auto estimate = estimates_.find(t.name);
    out.tables.push_back(
        {.name = reader_->name_of(t.name, l == nullptr ? 0 : l->version),
         .snapshot_done = std::none_of(pending.begin(), pending.end(),
                                       [&](const pending_table& p) { return p.table == t.name; }),
         .snapshot_rows = reader_->snapshot_rows(t.name),
         .snapshot_rows_estimated = estimate == estimates_.end() ? -1 : estimate->second});
  }
  return out;
}

config::spec sqlite_spec() {
  using config::field;
  config::spec spec(
      "sqlite", "Reads a SQLite database file: a snapshot of its tables, then every change. "
                "Triggers write the changes into a log table in the same file, so the file must "
                "be writable; any program may go on writing it. WAL mode is recommended.");
  spec.add(field("path", std::string{}, "The database file; it must exist.").required());
  spec.add(
      field("tables", config::sections{},
            "Tables to capture: plain names, an odd one in double quotes as in SQL. A table "
            "without a primary key is keyed by its rowid.")
          .required()
          .of(with_table_options(
              {field("name", std::string{},
                     "The table, exactly as it was created; `*` stands for any text, also in "
                     "tables that come later.")
                   .required(),
               field("before_images", false,
                     "Log the row before each update too (op b directly before u).")})));
  spec.add(field("poll_interval", milliseconds{20}, "How often to look for new changes.")
               .range(1, 60'000));
  spec.add(field("busy_timeout", milliseconds{5000},
                 "How long to wait for another program's lock on the file.")
               .range(1, 600'000)
               .advanced());
  spec.add(field("keep_log", milliseconds{0},
                 "How long entries of the change log stay after they are durable on the bus.")
               .range(0, 30LL * 24 * 3600 * 1000)
               .advanced());
  spec.add(field("chunk_rows", int64_t{10'000},
                 "Rows of a snapshot read in one transaction. A database that is not in WAL mode "
                 "blocks its writers for that long.")
               .range(1, 1'000'000)
               .advanced());
  spec.add(field("log", std::string{"rtdp_changes"},
                 "Name of the change log in the file. Two sources on one file need two names.")
               .advanced());
  return spec;
}

sqlite_options read_sqlite(const std::string& name, const config::section& s) {
  sqlite_options o{.source = name,
            .path = s.text("path"),
            .log = s.text("log"),
            .items = {},
            .tables = {},
            .poll_interval = s.duration("poll_interval"),
            .busy_timeout = s.duration("busy_timeout"),
            .keep_log = s.duration("keep_log"),
            .chunk_rows = size_t(s.integer("chunk_rows"))};
  for (const auto& t : s.get<config::sections>("tables"))
    o.items.push_back({t.text("name"), t.flag("before_images")});
  return o;
}

std::unique_ptr<driver> make_sqlite(const std::string& name, const config::section& s) {
  return std::make_unique<sqlite_driver>(read_sqlite(name, s));
}

result<std::vector<ums::schema>> describe_file(const std::string& name, const config::section& s) {
  return sqlite_driver(read_sqlite(name, s)).describe();
}

} // namespace

kind sqlite_source() {
  return {sqlite_spec(), &make_sqlite, &describe_file,
          [](const std::string& source, const std::string& item) {
            return has_star(item) ? glob_of("sqlite", source, "main", item)
                                  : pattern_of("sqlite", source, "main", plain_name(item));
          }};
}

} // namespace rtdp::extract
