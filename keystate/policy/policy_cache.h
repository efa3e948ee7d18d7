// Identical policies exist once in memory.
#pragma once

#include "keystate/mutex.h"
#include "keystate/policy/policy.h"
#include "keystate/records.h"

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>

namespace hallmark {

// A policy as it is stored, and compiled.
struct StoredPolicy {
  // INVARIANT: its revision is 0, whatever it is in the store: with every key that takes it the
  // policy is put again, and that must not be compared with what others put meanwhile.
  PolicyRecord record;
  Policy compiled;
};
using StoredPolicyPtr = std::shared_ptr<const StoredPolicy>;

// The policies that somebody uses, by the hash of their document and bindings.
//
// Thread-safety: every method may be called from any thread.
class PolicyCache {
 public:
  // The policy of this record's hash: the one in use, or compiled now.
  //
  // Errors: as Policy::Parse.
  Result<StoredPolicyPtr> Get(const PolicyRecord& record, PolicyKind kind);

  // Policies that somebody uses.
  std::size_t CountInUse() const;

 private:
  StoredPolicyPtr Find(const std::string& hash) const HALLMARK_EXCLUDES(mu_);
  void DropUnused() HALLMARK_REQUIRES(mu_);

  mutable Mutex mu_;
  std::unordered_map<std::string, std::weak_ptr<const StoredPolicy>> policies_
      HALLMARK_GUARDED_BY(mu_);
  // Entries nobody uses are dropped when there are this many: twice what was in use last time.
  std::size_t drop_at_ HALLMARK_GUARDED_BY(mu_) = 64;
};

}  // namespace hallmark
