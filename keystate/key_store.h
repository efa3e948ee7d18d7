// The port to durable storage.
#pragma once

#include "keystate/records.h"
#include "keystate/result.h"

#include <span>
#include <string>
#include <vector>

namespace hallmark {

struct StoreMeta {
  std::string store_id;  // random; a restore starts a new one
  Site site;
  Revision revision = 0;  // of the last commit
};

// Everything in the store at one revision.
struct StoreImage {
  StoreMeta meta;
  std::vector<KeyRecord> keys;
  std::vector<MaterialRecord> materials;
  std::vector<BindingRecord> bindings;
  std::vector<AliasRecord> aliases;
  std::vector<TagRecord> tags;
  std::vector<LastUsageRecord> last_usages;
  std::vector<SweeperRecord> sweeper;  // at most one
  std::vector<GrantRecord> grants;
  std::vector<PolicyRecord> policies;
  std::vector<PrincipalRecord> principals;
  std::vector<CertificateRecord> certificates;
  std::vector<AccessKeyRecord> access_keys;
  std::vector<SignatureMarkRecord> signature_marks;
  std::vector<TokenRecord> tokens;
  std::vector<ClientTokenRecord> client_tokens;
};

// One change of one record, compared on the record's revision: 0 means that it must not exist yet,
// anything else that the stored one must still have it. A PolicyRecord is named by its content, so
// putting one that exists already conflicts with nothing; it takes the new revision.
//
// kRemoveGrants removes every grant of the KeyRecord that it carries, however many, as one write.
// It compares nothing itself, since a commit that adds or removes a grant writes the key, too, as
// must the commit that carries this: who adds a grant meanwhile loses that compare or is removed.
struct StoreWrite {
  enum class Kind { kPut, kRemove, kRemoveGrants };
  Kind kind;
  Record record;
};

inline StoreWrite Put(Record record) { return {StoreWrite::Kind::kPut, std::move(record)}; }
inline StoreWrite Remove(Record record) { return {StoreWrite::Kind::kRemove, std::move(record)}; }
inline StoreWrite RemoveGrantsOf(KeyRecord key) {
  return {StoreWrite::Kind::kRemoveGrants, std::move(key)};
}

// Thread-safety: every method may be called from any thread; commits are serialised.
class KeyStore {
 public:
  virtual ~KeyStore() = default;

  virtual Result<StoreImage> Load() = 0;

  // Applies all writes or none, durably, and returns the revision that every written record now
  // has.
  //
  // Errors: ConflictException when a compare failed: reload what was compared and decide again.
  //   DependencyTimeoutException when the store cannot be written; nothing was changed.
  virtual Result<Revision> Commit(std::span<const StoreWrite> writes) = 0;
};

}  // namespace hallmark
