#include "keystate/store/sqlite_handle.h"

#include <chrono>
#include <utility>

namespace hallmark::store {
namespace {

// Only other programs (a backup, an administrator's shell) can hold SQLite's own locks: the
// directory lock keeps other daemons out.
constexpr std::chrono::milliseconds kBusyTimeout{5'000};

bool DiskIsInTheWay(int primary_code) {
  switch (primary_code) {
    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_FULL:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_LOCKED:
    case SQLITE_NOLFS:
    case SQLITE_NOMEM:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
      return true;
    default:
      return false;
  }
}

}  // namespace

Unexpected<Error> SqliteFailure(sqlite3* db, std::string_view doing) {
  const int code = sqlite3_extended_errcode(db);
  const int primary_code = code & 0xff;
  // Our SQL names no values, and the messages of SQLite name tables and columns only.
  std::string detail =
      std::string(doing) + ": SQLite " + std::to_string(code) + ", " + sqlite3_errmsg(db);
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
    return Fail(Exception::kConflictException,
                "The resource was changed by another request at the same time; repeat the request.",
                std::move(detail));
  }
  if (DiskIsInTheWay(primary_code)) {
    return Fail(Exception::kDependencyTimeoutException,
                "The key store cannot be reached at the moment; repeat the request.",
                std::move(detail));
  }
  if (primary_code == SQLITE_CORRUPT || primary_code == SQLITE_NOTADB) {
    return Fail(Exception::kKMSInternalException,
                "The key store is damaged; nothing was written. Restore it from a backup.",
                std::move(detail));
  }
  return Fail(Exception::kKMSInternalException, "The key store failed.", std::move(detail));
}

void Statement::Bind(std::string_view text) {
  // A null pointer would bind NULL: an empty view may have one.
  const char* data = text.data() == nullptr ? "" : text.data();
  Note(sqlite3_bind_text64(get(), next_parameter_++, data, text.size(), SQLITE_TRANSIENT,
                           SQLITE_UTF8));
}

void Statement::Bind(std::int64_t value) {
  Note(sqlite3_bind_int64(get(), next_parameter_++, value));
}

void Statement::Bind(ByteView blob) {
  Note(sqlite3_bind_blob64(get(), next_parameter_++, blob.data(), blob.size(), SQLITE_TRANSIENT));
}

void Statement::BindNull() { Note(sqlite3_bind_null(get(), next_parameter_++)); }

void Statement::Note(int code) { bind_failed_ = bind_failed_ || code != SQLITE_OK; }

Result<bool> Statement::Step() {
  sqlite3* db = sqlite3_db_handle(get());
  if (bind_failed_) return SqliteFailure(db, sqlite3_sql(get()));
  switch (sqlite3_step(get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return SqliteFailure(db, sqlite3_sql(get()));
  }
}

void Statement::Reset() {
  // The code repeats the failure of the last Step, which was reported then.
  sqlite3_reset(get());
  sqlite3_clear_bindings(get());
  next_parameter_ = 1;
  bind_failed_ = false;
}

Result<Database> Database::OpenUntouched(const std::filesystem::path& file) {
  sqlite3* raw = nullptr;
  // NOMUTEX: the owner serialises. No CREATE: making a store is the caller's decision.
  const int code =
      sqlite3_open_v2(file.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return SqliteFailure(raw, "open " + file.string());
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(kBusyTimeout.count()));
  if (sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) != SQLITE_OK ||
      sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr) != SQLITE_OK ||
      sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr) != SQLITE_OK) {
    return SqliteFailure(raw, "configure " + file.string());
  }
  return database;
}

Status Database::KeepCheckpoints() {
  if (sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr) != SQLITE_OK) {
    return SqliteFailure(db_.get(), "configure checkpoints");
  }
  return {};
}

Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return SqliteFailure(db_.get(), sql.substr(0, sql.find('\n')));
  }
  return {};
}

Result<Statement> Database::Prepare(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
      SQLITE_OK) {
    return SqliteFailure(db_.get(), sql);
  }
  return Statement(raw);
}

Result<std::int64_t> Database::QueryInteger(const std::string& sql) {
  HALLMARK_ASSIGN_OR_RETURN(Statement query, Prepare(sql));
  HALLMARK_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found)
    return Fail(Exception::kKMSInternalException, "The key store failed.", sql + ": no row");
  return std::int64_t{sqlite3_column_int64(query.get(), 0)};
}

Result<Transaction> Transaction::Begin(Database& db) {
  // IMMEDIATE: takes the write lock now, so that no later statement can fail for lack of it.
  HALLMARK_RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Transaction::~Transaction() {
  // A failed ROLLBACK means that SQLite has already rolled back by itself.
  if (db_ != nullptr) static_cast<void>(db_->Execute("ROLLBACK"));
}

Status Transaction::Commit() {
  HALLMARK_RETURN_IF_ERROR(db_->Execute("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace hallmark::store
