#include "keystate/policy/policy_cache.h"

#include <algorithm>
#include <utility>

namespace hallmark {

StoredPolicyPtr PolicyCache::Find(const std::string& hash) const {
  MutexLock lock(mu_);
  const auto found = policies_.find(hash);
  return found == policies_.end() ? nullptr : found->second.lock();
}

Result<StoredPolicyPtr> PolicyCache::Get(const PolicyRecord& record, PolicyKind kind) {
  if (auto found = Find(record.hash)) return found;
  // Compiled outside the lock; if two compile the same at once, one of the two results is kept.
  HALLMARK_ASSIGN_OR_RETURN(Policy compiled, Policy::Parse(record.document, kind, record.bindings));
  auto policy = std::make_shared<StoredPolicy>(StoredPolicy{record, std::move(compiled)});
  policy->record.revision = 0;
  MutexLock lock(mu_);
  std::weak_ptr<const StoredPolicy>& entry = policies_[record.hash];
  if (auto first = entry.lock()) return first;
  entry = policy;
  if (policies_.size() >= drop_at_) DropUnused();
  return StoredPolicyPtr(std::move(policy));
}

void PolicyCache::DropUnused() {
  std::erase_if(policies_, [](const auto& entry) { return entry.second.expired(); });
  drop_at_ = std::max<std::size_t>(64, policies_.size() * 2);
}

std::size_t PolicyCache::CountInUse() const {
  MutexLock lock(mu_);
  return static_cast<std::size_t>(
      std::count_if(policies_.begin(), policies_.end(),
                    [](const auto& entry) { return !entry.second.expired(); }));
}

}  // namespace hallmark
