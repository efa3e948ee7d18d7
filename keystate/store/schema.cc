#include "keystate/store/schema.h"

#include <array>
#include <string>

namespace hallmark::store {
namespace {

// "HLMK": tells a store from another program's database.
constexpr std::int64_t kApplicationId = 0x484c4d4b;

// No foreign keys: the port promises compare and swap on single records, and every store must
// behave the same. One uniqueness rule beyond the primary keys, since two additions of one
// principal have different unique ids and would not meet otherwise.
constexpr std::string_view kFirst = R"sql(
CREATE TABLE meta (
  only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
  store_id  TEXT NOT NULL,
  partition TEXT NOT NULL,
  region    TEXT NOT NULL,
  revision  INTEGER NOT NULL
) STRICT;
CREATE TABLE key (
  key_id           TEXT NOT NULL PRIMARY KEY,
  account          TEXT NOT NULL,
  spec             TEXT NOT NULL,
  usage            TEXT NOT NULL,
  origin           TEXT NOT NULL,
  state            TEXT NOT NULL,
  description      TEXT NOT NULL,
  created          INTEGER NOT NULL,
  deletion_date    INTEGER,
  policy_hash      TEXT NOT NULL,
  current_material INTEGER NOT NULL,
  revision         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE material (
  key_id      TEXT NOT NULL,
  number      INTEGER NOT NULL,
  check_value BLOB,
  origin      TEXT NOT NULL,
  valid_to    INTEGER,
  revision    INTEGER NOT NULL,
  PRIMARY KEY (key_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE binding (
  key_id           TEXT NOT NULL,
  material_number  INTEGER NOT NULL,
  token_id         TEXT NOT NULL,
  cka_id           BLOB NOT NULL,
  owned            INTEGER NOT NULL,
  local            INTEGER NOT NULL,
  state            TEXT NOT NULL,
  creator_instance TEXT NOT NULL,
  verified_at      INTEGER NOT NULL,
  revision         INTEGER NOT NULL,
  PRIMARY KEY (key_id, material_number, token_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE alias (
  account  TEXT NOT NULL,
  name     TEXT NOT NULL,
  target   TEXT NOT NULL,
  created  INTEGER NOT NULL,
  updated  INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE policy (
  hash     TEXT NOT NULL PRIMARY KEY,
  document TEXT NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
CREATE TABLE principal (
  unique_id   TEXT NOT NULL PRIMARY KEY,
  arn         TEXT NOT NULL UNIQUE,
  policy_hash TEXT NOT NULL,
  created     INTEGER NOT NULL,
  revision    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE certificate (
  fingerprint  BLOB NOT NULL PRIMARY KEY,
  principal_id TEXT NOT NULL,
  added        INTEGER NOT NULL,
  revision     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE access_key (
  access_key_id TEXT NOT NULL PRIMARY KEY,
  principal_id  TEXT NOT NULL,
  revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE token (
  token_id           TEXT NOT NULL PRIMARY KEY,
  label              TEXT NOT NULL,
  serial             TEXT NOT NULL,
  manufacturer       TEXT NOT NULL,
  anchor_cka_id      BLOB NOT NULL,
  anchor_check_value BLOB NOT NULL,
  revision           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE client_token (
  principal_id TEXT NOT NULL,
  client_token TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  key_id       TEXT NOT NULL,
  revision     INTEGER NOT NULL,
  PRIMARY KEY (principal_id, client_token)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kTagsAndDeletion = R"sql(
CREATE TABLE tag (
  key_id    TEXT NOT NULL,
  tag_key   TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  position  INTEGER NOT NULL,
  revision  INTEGER NOT NULL,
  PRIMARY KEY (key_id, tag_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE last_usage (
  key_id     TEXT NOT NULL PRIMARY KEY,
  operation  TEXT NOT NULL,
  time       INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sweeper (
  only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
  time_seen INTEGER NOT NULL,
  halted    INTEGER NOT NULL,
  revision  INTEGER NOT NULL
) STRICT;
)sql";

constexpr std::string_view kGrantsAndPrincipals = R"sql(
CREATE TABLE grant (
  key_id          TEXT NOT NULL,
  grant_id        TEXT NOT NULL,
  grantee_id      TEXT NOT NULL,
  grantee         TEXT NOT NULL,
  retiring_id     TEXT NOT NULL,
  retiring        TEXT NOT NULL,
  issuing_account TEXT NOT NULL,
  name            TEXT NOT NULL,
  operations      TEXT NOT NULL,
  source_arn      TEXT NOT NULL,
  created         INTEGER NOT NULL,
  revision        INTEGER NOT NULL,
  PRIMARY KEY (key_id, grant_id)
) STRICT, WITHOUT ROWID;
ALTER TABLE policy ADD COLUMN bindings TEXT NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN boundary_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN role_id TEXT NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN spiffe_id TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX principal_by_spiffe_id ON principal (spiffe_id) WHERE spiffe_id != '';
)sql";

constexpr std::string_view kSignatureMarks = R"sql(
CREATE TABLE signature_mark (
  access_key_id TEXT NOT NULL PRIMARY KEY,
  until         INTEGER NOT NULL,
  revision      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kDrainedTokens = R"sql(
ALTER TABLE token ADD COLUMN drained INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr std::array kMigrations{kFirst, kTagsAndDeletion, kGrantsAndPrincipals, kSignatureMarks,
                                 kDrainedTokens};

}  // namespace

std::span<const std::string_view> Migrations() { return kMigrations; }

Result<std::int64_t> SchemaVersion(Database& db) { return db.QueryInteger("PRAGMA user_version"); }

Status CheckSchema(Database& db, std::size_t known_steps, std::string_view name) {
  HALLMARK_ASSIGN_OR_RETURN(const std::int64_t application,
                            db.QueryInteger("PRAGMA application_id"));
  HALLMARK_ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(db));
  if (application != kApplicationId || version < 1) {
    return Fail(Exception::kKMSInternalException,
                std::string(name) +
                    " is not a Hallmark store, or is damaged; nothing was written. Restore it from "
                    "a backup, or use another store directory.");
  }
  if (static_cast<std::uint64_t>(version) > known_steps) {
    return Fail(Exception::kUnsupportedOperationException,
                std::string(name) + " has schema " + std::to_string(version) +
                    ", and this build knows schema " + std::to_string(known_steps) +
                    "; nothing was written. Run the newer release, or restore a backup made by "
                    "this one.");
  }
  return {};
}

Status Migrate(Database& db, std::span<const std::string_view> steps) {
  HALLMARK_ASSIGN_OR_RETURN(const std::int64_t done, SchemaVersion(db));
  for (std::size_t step = static_cast<std::size_t>(done); step < steps.size(); ++step) {
    HALLMARK_ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(db));
    HALLMARK_RETURN_IF_ERROR(db.Execute(std::string(steps[step])));
    HALLMARK_RETURN_IF_ERROR(
        db.Execute("PRAGMA application_id = " + std::to_string(kApplicationId)));
    HALLMARK_RETURN_IF_ERROR(db.Execute("PRAGMA user_version = " + std::to_string(step + 1)));
    HALLMARK_RETURN_IF_ERROR(transaction.Commit());
  }
  return {};
}

}  // namespace hallmark::store
