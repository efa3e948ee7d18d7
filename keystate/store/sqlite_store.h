// KeyStore on SQLite: the embedded default, for one daemon.
#pragma once

#include "keystate/key_store.h"
#include "keystate/random.h"
#include "keystate/result.h"

#include <filesystem>
#include <memory>
#include <string>

namespace hallmark::store {

// A directory with the database and a lock that one process holds at a time.
//
// WAL, synchronous=FULL: a commit that returned survives power loss as far as the disk does.
// Thread-safety: as KeyStore's.
class SqliteStore : public KeyStore {
 public:
  // Opens the store in `directory`, or makes an empty one there for `site`.
  //
  // Errors: ConflictException when another process holds the store (its pid is in the text);
  //   UnsupportedOperationException when the schema is newer than this build knows;
  //   ValidationException when the store belongs to another partition or Region;
  //   KMSInternalException when the database is damaged or is no store;
  //   DependencyTimeoutException when the disk or SQLite fails. Nothing was changed in any of them.
  static Result<std::unique_ptr<SqliteStore>> Open(const std::filesystem::path& directory,
                                                   const Site& site, RandomSource& random);
  ~SqliteStore() override;

  Result<StoreImage> Load() override;
  Result<Revision> Commit(std::span<const StoreWrite> writes) override;

 private:
  class Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hallmark::store
