#include "keystate/store/sqlite_store.h"

#include "keystate/bytes.h"
#include "keystate/mutex.h"
#include "keystate/store/directory_lock.h"
#include "keystate/store/record_tables.h"
#include "keystate/store/row.h"
#include "keystate/store/schema.h"
#include "keystate/store/sqlite_handle.h"

#include <array>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace hallmark::store {
namespace {

constexpr std::string_view kDatabaseName = "hallmark.db";

// The statements of one record type, prepared once.
template <class T>
struct TableStatements {
  Statement select, insert, update, remove;
};

// One TableStatements for each alternative of Record.
template <class Variant>
struct StatementsOf;
template <class... T>
struct StatementsOf<std::variant<T...>> {
  using type = std::tuple<TableStatements<T>...>;
};
using Statements = StatementsOf<Record>::type;

// "a = ?<first>, b = ?<first+1>"
std::string Equations(std::span<const std::string_view> columns, std::size_t first,
                      std::string_view separator) {
  std::string sql;
  for (const std::string_view column : columns) {
    if (!sql.empty()) sql += separator;
    sql += std::string(column) + " = ?" + std::to_string(first++);
  }
  return sql;
}

template <class T>
Status PrepareTable(Database& db, TableStatements<T>& statements) {
  constexpr std::span<const std::string_view> kAll(Table<T>::kColumns);
  constexpr auto kKeys = kAll.first(Table<T>::kKeyColumns);
  constexpr auto kRest = kAll.subspan(Table<T>::kKeyColumns);
  const std::string table(Table<T>::kName);
  std::string columns;
  std::string parameters;
  for (const std::string_view column : kAll) {
    columns += std::string(column) + ", ";
    parameters += "?, ";
  }
  const std::string by_key = " WHERE " + Equations(kKeys, 1, " AND ");

  HALLMARK_ASSIGN_OR_RETURN(statements.select,
                            db.Prepare("SELECT " + columns + "revision FROM " + table));
  // A policy is named by its content, so making it twice is no conflict. It takes the new revision,
  // so that whoever wants to remove it as unused meanwhile loses the compare.
  const std::string on_conflict = std::is_same_v<T, PolicyRecord>
                                      ? "(hash) DO UPDATE SET revision = excluded.revision"
                                      : " DO NOTHING";
  HALLMARK_ASSIGN_OR_RETURN(
      statements.insert, db.Prepare("INSERT INTO " + table + " (" + columns + "revision) VALUES (" +
                                    parameters + "?) ON CONFLICT" + on_conflict));
  const std::size_t next = kAll.size() + 1;
  HALLMARK_ASSIGN_OR_RETURN(
      statements.update,
      db.Prepare("UPDATE " + table + " SET " + Equations(kRest, kKeys.size() + 1, ", ") +
                 ", revision = ?" + std::to_string(next) + by_key + " AND revision = ?" +
                 std::to_string(next + 1)));
  HALLMARK_ASSIGN_OR_RETURN(statements.remove,
                            db.Prepare("DELETE FROM " + table + by_key + " AND revision = ?" +
                                       std::to_string(kKeys.size() + 1)));
  return {};
}

Result<Statements> PrepareAll(Database& db) {
  Statements statements;
  Status status;
  std::apply(
      [&](auto&... table) {
        // Stops at the first table that fails.
        static_cast<void>(((status = PrepareTable(db, table), status.has_value()) && ...));
      },
      statements);
  HALLMARK_RETURN_IF_ERROR(status);
  return statements;
}

Result<StoreMeta> ReadMeta(Database& db) {
  static constexpr auto kColumns =
      std::to_array<std::string_view>({"store_id", "partition", "region"});
  HALLMARK_ASSIGN_OR_RETURN(Statement query,
                            db.Prepare("SELECT store_id, partition, region, revision FROM meta"));
  HALLMARK_ASSIGN_OR_RETURN(const bool found, query.Step());
  if (!found) {
    return Fail(Exception::kKMSInternalException,
                "The key store is damaged; nothing was written. Restore it from a backup.",
                "table meta is empty");
  }
  Row row(query.get(), "meta", kColumns, 0);
  StoreMeta meta;
  meta.store_id = row.Text();
  meta.site.partition = row.Text();
  meta.site.region = row.Text();
  meta.revision = row.ReadRevision(0);
  HALLMARK_RETURN_IF_ERROR(row.status());
  return meta;
}

Status CheckIntegrity(Database& db, const std::string& name) {
  HALLMARK_ASSIGN_OR_RETURN(Statement check, db.Prepare("PRAGMA quick_check(1)"));
  HALLMARK_ASSIGN_OR_RETURN(const bool found, check.Step());
  static constexpr auto kColumns = std::to_array<std::string_view>({"quick_check"});
  const std::string verdict = found ? Row(check.get(), "quick_check", kColumns, 0).Text() : "";
  if (verdict == "ok") return {};
  return Fail(Exception::kKMSInternalException,
              name + " is damaged; nothing was written. Restore it from a backup.", verdict);
}

Status CheckSite(const Site& stored, const Site& configured, const std::string& name) {
  if (stored == configured) return {};
  return Fail(Exception::kValidationException,
              name + " belongs to partition " + stored.partition + ", region " + stored.region +
                  ", and the configuration says partition " + configured.partition + ", region " +
                  configured.region +
                  "; correct [site], or use another store directory. A store keeps its site for "
                  "ever, since ARNs live in policies.");
}

// Everything that may refuse the store, before anything in it is written.
Status CheckAll(Database& db, const Site& site, const std::string& name) {
  HALLMARK_RETURN_IF_ERROR(CheckSchema(db, Migrations().size(), name));
  HALLMARK_RETURN_IF_ERROR(CheckIntegrity(db, name));
  HALLMARK_ASSIGN_OR_RETURN(const StoreMeta meta, ReadMeta(db));
  return CheckSite(meta.site, site, name);
}

// An empty store, complete under another name before it appears under its own: a crash leaves
// either no store or a whole one, so an empty file of the right name is damage, not a beginning.
Status Make(const std::filesystem::path& file, const DirectoryLock& lock, const Site& site,
            RandomSource& random) {
  std::filesystem::path draft = file;
  draft += ".new";
  std::filesystem::path journal = draft;
  journal += "-journal";
  std::error_code ignored;  // what cannot be removed fails to be made, which is reported
  std::filesystem::remove(draft, ignored);
  std::filesystem::remove(journal, ignored);
  HALLMARK_RETURN_IF_ERROR(MakePrivateFile(draft));
  {
    HALLMARK_ASSIGN_OR_RETURN(Database db, Database::OpenUntouched(draft));
    HALLMARK_RETURN_IF_ERROR(Migrate(db, Migrations()));
    std::array<std::byte, 16> id{};
    random.Fill(id);
    HALLMARK_ASSIGN_OR_RETURN(Statement insert,
                              db.Prepare("INSERT INTO meta (only_row, store_id, partition, region, "
                                         "revision) VALUES (1, ?, ?, ?, 0)"));
    insert.Bind(ToHex(id));
    insert.Bind(site.partition);
    insert.Bind(site.region);
    HALLMARK_RETURN_IF_ERROR(insert.Step());
  }
  if (std::rename(draft.c_str(), file.c_str()) != 0) return FileFailure("rename to", file);
  return lock.Sync();
}

Unexpected<Error> Conflict(std::string_view table, Revision expected) {
  return Fail(Exception::kConflictException,
              "The resource was changed by another request at the same time; repeat the request.",
              "table " + std::string(table) +
                  (expected == 0 ? ": the record exists already"
                                 : ": no such record of revision " + std::to_string(expected)));
}

// Gives a statement back to its next user, whatever happens in between.
class StatementUse {
 public:
  explicit StatementUse(Statement& statement) : statement_(statement) {}
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;
  ~StatementUse() { statement_.Reset(); }

  Statement* operator->() const { return &statement_; }
  Statement& operator*() const { return statement_; }

 private:
  Statement& statement_;
};

}  // namespace

class SqliteStore::Impl {
 public:
  Impl(DirectoryLock lock, Database db, Statement set_revision, Statement remove_grants,
       Statements statements, StoreMeta meta)
      : lock_(std::move(lock)),
        db_(std::move(db)),
        set_revision_(std::move(set_revision)),
        remove_grants_(std::move(remove_grants)),
        statements_(std::move(statements)),
        meta_(std::move(meta)) {}

  Result<StoreImage> Load() HALLMARK_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    StoreImage image;
    image.meta = meta_;
    Status status;
    std::apply(
        [&](auto&... table) HALLMARK_REQUIRES(mu_) {
          static_cast<void>(((status = LoadTable(table, image), status.has_value()) && ...));
        },
        statements_);
    HALLMARK_RETURN_IF_ERROR(status);
    return image;
  }

  Result<Revision> Commit(std::span<const StoreWrite> writes) HALLMARK_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (writes.empty()) return meta_.revision;
    const Revision next = meta_.revision + 1;
    HALLMARK_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db_));
    for (const StoreWrite& write : writes) {
      if (write.kind == StoreWrite::Kind::kRemoveGrants) {
        HALLMARK_RETURN_IF_ERROR(RemoveGrants(std::get<KeyRecord>(write.record).id));
        continue;
      }
      HALLMARK_RETURN_IF_ERROR(std::visit([&](const auto& record) HALLMARK_REQUIRES(
                                              mu_) { return Apply(write.kind, record, next); },
                                          write.record));
    }
    {
      StatementUse set_revision(set_revision_);
      set_revision->Bind(static_cast<std::int64_t>(next));
      HALLMARK_RETURN_IF_ERROR(set_revision->Step());
    }
    HALLMARK_RETURN_IF_ERROR(transaction.Commit());
    meta_.revision = next;
    return next;
  }

 private:
  template <class T>
  Status LoadTable(TableStatements<T>& table, StoreImage& image) HALLMARK_REQUIRES(mu_) {
    StatementUse select(table.select);
    while (true) {
      HALLMARK_ASSIGN_OR_RETURN(const bool found, select->Step());
      if (!found) return {};
      Row row(select->get(), Table<T>::kName, Table<T>::kColumns, Table<T>::kKeyColumns);
      HALLMARK_ASSIGN_OR_RETURN(T record, Table<T>::Read(row, meta_.site));
      record.revision = row.ReadRevision(1);
      HALLMARK_RETURN_IF_ERROR(row.status());
      (image.*Table<T>::kImage).push_back(std::move(record));
    }
  }

  template <class T>
  Status Apply(StoreWrite::Kind kind, const T& record, Revision next) HALLMARK_REQUIRES(mu_) {
    auto& table = std::get<TableStatements<T>>(statements_);
    const bool put = kind == StoreWrite::Kind::kPut;
    const bool create = put && record.revision == 0;
    StatementUse statement(create ? table.insert : put ? table.update : table.remove);
    Table<T>::BindKey(*statement, record);
    if (put) {
      Table<T>::BindRest(*statement, record);
      statement->Bind(static_cast<std::int64_t>(next));
    }
    if (!create) statement->Bind(static_cast<std::int64_t>(record.revision));
    HALLMARK_RETURN_IF_ERROR(statement->Step());
    if (db_.changes() != 1) return Conflict(Table<T>::kName, record.revision);
    return {};
  }

  Status RemoveGrants(const KeyId& key_id) HALLMARK_REQUIRES(mu_) {
    StatementUse statement(remove_grants_);
    statement->Bind(key_id.ToString());
    HALLMARK_RETURN_IF_ERROR(statement->Step());
    return {};
  }

  // Declared first: released after the database is closed.
  const DirectoryLock lock_;
  // Held across disk writes, unlike any other lock of ours: it is what serialises commits. Nothing
  // on the way of a MAC waits for it.
  Mutex mu_;
  Database db_ HALLMARK_GUARDED_BY(mu_);
  Statement set_revision_ HALLMARK_GUARDED_BY(mu_);
  Statement remove_grants_ HALLMARK_GUARDED_BY(mu_);
  Statements statements_ HALLMARK_GUARDED_BY(mu_);
  StoreMeta meta_ HALLMARK_GUARDED_BY(mu_);
};

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::filesystem::path& directory,
                                                       const Site& site, RandomSource& random) {
  HALLMARK_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Acquire(directory));
  const std::filesystem::path file = directory / kDatabaseName;
  std::filesystem::path wal = file;
  wal += "-wal";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    if (error || std::filesystem::exists(wal, error)) {
      return Fail(Exception::kKMSInternalException,
                  file.string() +
                      " is missing while its WAL is there; nothing was written. Restore both from "
                      "a backup.",
                  error.message());
    }
    HALLMARK_RETURN_IF_ERROR(Make(file, lock, site, random));
  }

  HALLMARK_ASSIGN_OR_RETURN(Database db, Database::OpenUntouched(file));
  HALLMARK_RETURN_IF_ERROR(CheckAll(db, site, file.string()));
  HALLMARK_RETURN_IF_ERROR(db.KeepCheckpoints());
  // FULL: in WAL mode NORMAL would not sync the commits, only the checkpoints.
  HALLMARK_RETURN_IF_ERROR(db.Execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON"));
  HALLMARK_RETURN_IF_ERROR(Migrate(db, Migrations()));
  HALLMARK_ASSIGN_OR_RETURN(StoreMeta meta, ReadMeta(db));
  HALLMARK_ASSIGN_OR_RETURN(Statement set_revision, db.Prepare("UPDATE meta SET revision = ?"));
  HALLMARK_ASSIGN_OR_RETURN(Statement remove_grants,
                            db.Prepare("DELETE FROM grant WHERE key_id = ?"));
  HALLMARK_ASSIGN_OR_RETURN(Statements statements, PrepareAll(db));
  return std::unique_ptr<SqliteStore>(new SqliteStore(
      std::make_unique<Impl>(std::move(lock), std::move(db), std::move(set_revision),
                             std::move(remove_grants), std::move(statements), std::move(meta))));
}

Result<StoreImage> SqliteStore::Load() { return impl_->Load(); }

Result<Revision> SqliteStore::Commit(std::span<const StoreWrite> writes) {
  return impl_->Commit(writes);
}

}  // namespace hallmark::store
