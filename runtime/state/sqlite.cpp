#include "runtime/state/sqlite.hpp"

#include <chrono>
#include <filesystem>
#include <thread>

namespace rtdp::state {
namespace {

constexpr int busy_timeout_ms = 5000;

/// The file a connection works on, for messages to people.
std::string path_of(sqlite3* db) {
  const char* path = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  return path == nullptr || *path == '\0' ? "in memory" : path;
}

/// What a person can do about it; empty when the words of SQLite say enough.
const char* advice(int primary) {
  switch (primary) {
  case SQLITE_FULL:
    return "; free space on its disk, nothing that was committed is lost";
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return "; another process holds its lock for longer than 5 s";
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return "; the file is damaged: stop rtdp, restore it from a backup or move it and its -wal and "
           "-shm files away, then start again";
  case SQLITE_CANTOPEN:
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return "; check that the folder exists and that this user may write there";
  default:
    return "";
  }
}

bool is_unavailable(int primary) {
  return primary == SQLITE_FULL || primary == SQLITE_IOERR || primary == SQLITE_BUSY ||
         primary == SQLITE_LOCKED || primary == SQLITE_CANTOPEN;
}

/// The statement's text, cut: enough to find it in the code.
std::string doing(sqlite3_stmt* stmt) {
  const char* sql = sqlite3_sql(stmt);
  std::string text = sql == nullptr ? "" : sql;
  constexpr size_t most = 80;
  return text.size() > most ? text.substr(0, most) + "…" : text;
}

/// Changing to WAL needs the file alone for a moment and does not wait for the lock by itself
/// (SQLite skips its busy handler there), so two processes that create one file meet here.
error enter_wal(sqlite3* db) {
  using namespace std::chrono;
  auto give_up = steady_clock::now() + milliseconds(busy_timeout_ms);
  for (;;) {
    int code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK)
      return {};
    if ((code & 0xff) != SQLITE_BUSY || steady_clock::now() > give_up)
      return sqlite_error(db, code, "opening");
    std::this_thread::sleep_for(milliseconds(5));
  }
}

error make_folder_of(const std::string& path) {
  auto folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty())
    std::filesystem::create_directories(folder, failed);
  if (failed)
    return unavailable("cannot create the folder " + folder.string() + ": " + failed.message());
  return {};
}

} // namespace

error sqlite_error(sqlite3* db, int code, std::string_view what) {
  int primary = code & 0xff;
  std::string text(what);
  text += text.empty() ? "" : ": ";
  text += db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db);
  text += " (SQLite code " + std::to_string(code) + ", " + path_of(db) + ")";
  text += advice(primary);
  return {is_unavailable(primary) ? ec::unavailable : ec::rejected, std::move(text)};
}

// -- statement ----------------------------------------------------------------

statement& statement::noted(int code) {
  if (bind_code_ == SQLITE_OK)
    bind_code_ = code;
  return *this;
}

statement& statement::bind(int index, int64_t value) {
  return noted(sqlite3_bind_int64(stmt_.get(), index, value));
}

statement& statement::bind(int index, double value) {
  return noted(sqlite3_bind_double(stmt_.get(), index, value));
}

statement& statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* data = value.data() == nullptr ? "" : value.data();
  return noted(
      sqlite3_bind_text64(stmt_.get(), index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

statement& statement::bind_blob(int index, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  return noted(sqlite3_bind_blob64(stmt_.get(), index, data, value.size(), SQLITE_STATIC));
}

statement& statement::bind_null(int index) { return noted(sqlite3_bind_null(stmt_.get(), index)); }

result<bool> statement::step() {
  int code = bind_code_ == SQLITE_OK ? sqlite3_step(stmt_.get()) : bind_code_;
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto failed = sqlite_error(sqlite3_db_handle(stmt_.get()), code, doing(stmt_.get()));
  reset();
  return failed;
}

error statement::run() {
  for (;;) {
    auto row = step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
  }
}

void statement::reset() {
  sqlite3_reset(stmt_.get());
  bind_code_ = SQLITE_OK;
}

bool statement::is_null(int column) const {
  return sqlite3_column_type(stmt_.get(), column) == SQLITE_NULL;
}

int64_t statement::integer(int column) const { return sqlite3_column_int64(stmt_.get(), column); }

double statement::real(int column) const { return sqlite3_column_double(stmt_.get(), column); }

std::string_view statement::text(int column) const {
  auto data = static_cast<const char*>(sqlite3_column_blob(stmt_.get(), column));
  auto size = size_t(sqlite3_column_bytes(stmt_.get(), column));
  return data == nullptr ? std::string_view{} : std::string_view{data, size};
}

// -- database -----------------------------------------------------------------

result<database> database::connect(const std::string& path, int flags) {
  database opened;
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  opened.db_.reset(db);
  if (code != SQLITE_OK)
    return sqlite_error(db, code, "opening").in(path);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, busy_timeout_ms);
  return opened;
}

result<database> database::open(const std::string& path, durability d, int page_bytes) {
  if (path != ":memory:")
    if (auto failed = make_folder_of(path))
      return failed;
  auto opened = connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!opened)
    return opened;
  // The size of a page is fixed once the file is in WAL mode.
  if (auto failed = opened->exec("PRAGMA page_size = " + std::to_string(page_bytes)))
    return failed;
  if (auto failed = enter_wal(opened->handle()))
    return failed;
  const char* synchronous = d == durability::full ? "FULL" : "NORMAL";
  // Reading the schema finds a file that is cut or is not a database before anything relies on it.
  if (auto failed = opened->exec(std::string("PRAGMA foreign_keys = ON; PRAGMA synchronous = ") +
                                 synchronous + "; SELECT count(*) FROM sqlite_schema"))
    return failed;
  return opened;
}

result<database> database::open_read_only(const std::string& path) {
  auto opened = connect(path, SQLITE_OPEN_READONLY);
  if (opened)
    if (auto failed = opened->exec("SELECT count(*) FROM sqlite_schema"))
      return failed;
  return opened;
}

result<database> database::open_existing(const std::string& path, std::chrono::milliseconds busy) {
  auto opened = connect(path, SQLITE_OPEN_READWRITE);
  if (opened)
    sqlite3_busy_timeout(opened->handle(), int(busy.count()));
  return opened;
}

error database::exec(const std::string& sql) {
  int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code == SQLITE_OK)
    return {};
  return sqlite_error(db_.get(), code, sql.substr(0, 80));
}

result<statement> database::prepare(std::string_view sql) {
  statement made;
  sqlite3_stmt* stmt = nullptr;
  int code = sqlite3_prepare_v3(db_.get(), sql.data(), int(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                &stmt, nullptr);
  made.stmt_.reset(stmt);
  if (code != SQLITE_OK)
    return sqlite_error(db_.get(), code, sql.substr(0, 80));
  return made;
}

// -- transaction --------------------------------------------------------------

result<transaction> transaction::begin(database& db) {
  if (auto failed = db.exec("BEGIN IMMEDIATE"))
    return failed;
  return transaction(db);
}

transaction::transaction(transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}

transaction::~transaction() {
  // After SQLITE_FULL or an I/O error SQLite may have rolled back by itself.
  if (db_ != nullptr && sqlite3_get_autocommit(db_->handle()) == 0)
    (void)db_->exec("ROLLBACK");
}

error transaction::commit() {
  if (auto failed = db_->exec("COMMIT"))
    return failed;
  db_ = nullptr;
  return {};
}

} // namespace rtdp::state
