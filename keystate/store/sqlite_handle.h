// SQLite's handles as owning types.
#pragma once

#include "keystate/bytes.h"
#include "keystate/clock.h"
#include "keystate/result.h"

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::store {

// What the last failed call on `db` means, as an Error; `doing` says what was attempted.
//
// Errors: ConflictException for a broken uniqueness rule; DependencyTimeoutException where the disk
// or
//   another program is in the way; KMSInternalException for a damaged database and for bugs of
//   ours.
Unexpected<Error> SqliteFailure(sqlite3* db, std::string_view doing);

// A prepared statement. Parameters are bound in order; Reset makes it ready for the next use.
// Not thread-safe.
class Statement {
 public:
  Statement() = default;

  // Text, integers and blobs are copied: they may contain NUL and may die before Step. A failed
  // bind is reported by the next Step.
  void Bind(std::string_view text);
  void Bind(std::int64_t value);
  void Bind(ByteView blob);
  void Bind(WallTime time) { Bind(std::int64_t{time.time_since_epoch().count()}); }
  template <class T>
  void Bind(const std::optional<T>& value) {
    if (value) {
      Bind(*value);
    } else {
      BindNull();
    }
  }

  // True for a row, false at the end.
  Result<bool> Step();
  // Also releases what the rows were read from.
  void Reset();

  sqlite3_stmt* get() const { return statement_.get(); }

 private:
  friend class Database;
  struct Finalizer {
    // The code repeats the failure of the last Step, which was reported then.
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void BindNull();
  void Note(int code);

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int next_parameter_ = 1;
  bool bind_failed_ = false;
};

// One connection. Not thread-safe: its owner serialises.
class Database {
 public:
  // Opens an existing file for reading and writing; nothing is written, not even by closing it
  // again, before KeepCheckpoints.
  static Result<Database> OpenUntouched(const std::filesystem::path& file);

  // From now on closing the last connection moves the WAL into the database.
  Status KeepCheckpoints();

  Status Execute(const std::string& sql);
  Result<Statement> Prepare(const std::string& sql);
  // The one integer that `sql` yields.
  Result<std::int64_t> QueryInteger(const std::string& sql);

  // Rows that the last INSERT, UPDATE or DELETE touched.
  int changes() const { return sqlite3_changes(db_.get()); }

 private:
  struct Closer {
    // _v2: statements may still live; the connection goes with the last of them.
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Database(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, Closer> db_;
};

// A write transaction; rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  Status Commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;  // null once ended; outlives us otherwise
};

}  // namespace hallmark::store
