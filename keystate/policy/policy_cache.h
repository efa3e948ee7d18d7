// Identical policies exist once in memory.
#pragma once

#include "keystate/mutex.h"
#include "keystate/policy/policy.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hallmark {

// The compiled policies that somebody uses, by the hash of their document and bindings.
//
// Thread-safety: every method may be called from any thread.
class PolicyCache {
 public:
  // The policy with this hash: the one in use, or compiled now.
  //
  // Errors: as Policy::Parse.
  Result<std::shared_ptr<const Policy>> Get(const std::string& hash, std::string_view document,
                                            PolicyKind kind, const PolicyBindings& bindings = {});

  // Policies that somebody uses.
  std::size_t CountInUse() const;

 private:
  std::shared_ptr<const Policy> Find(const std::string& hash) const HALLMARK_EXCLUDES(mu_);
  void DropUnused() HALLMARK_REQUIRES(mu_);

  mutable Mutex mu_;
  std::unordered_map<std::string, std::weak_ptr<const Policy>> policies_ HALLMARK_GUARDED_BY(mu_);
  // Entries nobody uses are dropped when there are this many: twice what was in use last time.
  std::size_t drop_at_ HALLMARK_GUARDED_BY(mu_) = 64;
};

}  // namespace hallmark
