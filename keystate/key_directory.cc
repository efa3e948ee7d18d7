#include "keystate/key_directory.h"

#include <functional>
#include <utility>

namespace hallmark {

KeyDirectory::Shard& KeyDirectory::ShardOf(const KeyId& id) {
  return shards_[std::hash<KeyId>{}(id) % kShards];
}

const KeyDirectory::Shard& KeyDirectory::ShardOf(const KeyId& id) const {
  return shards_[std::hash<KeyId>{}(id) % kShards];
}

KeyViewPtr KeyDirectory::Find(const KeyId& id) const {
  const Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  const auto found = shard.views.find(id);
  return found == shard.views.end() ? nullptr : found->second;
}

void KeyDirectory::Publish(KeyViewPtr view) {
  Shard& shard = ShardOf(view->key.id);
  MutexLock lock(shard.mu);
  KeyViewPtr& current = shard.views[view->key.id];
  if (current != nullptr && current->key.revision > view->key.revision) return;
  MutexLock index_lock(index_mu_);
  ids_[view->key.account].insert(view->key.id);
  current.swap(view);  // the old view dies with `view`, after both locks
}

void KeyDirectory::Remove(const KeyId& id) {
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  const auto found = shard.views.find(id);
  if (found == shard.views.end()) return;
  MutexLock index_lock(index_mu_);
  ids_[found->second->key.account].erase(id);
  shard.views.erase(found);
}

std::vector<KeyViewPtr> KeyDirectory::List(const AccountId& account,
                                           const std::optional<KeyId>& after,
                                           std::size_t limit) const {
  std::vector<KeyId> page;
  {
    MutexLock lock(index_mu_);
    const auto ids = ids_.find(account);
    if (ids == ids_.end()) return {};
    auto next = after ? ids->second.upper_bound(*after) : ids->second.begin();
    for (; next != ids->second.end() && page.size() < limit; ++next) page.push_back(*next);
  }
  std::vector<KeyViewPtr> views;
  views.reserve(page.size());
  for (const KeyId& id : page) {
    if (KeyViewPtr view = Find(id)) views.push_back(std::move(view));
  }
  return views;
}

std::optional<AliasRecord> KeyDirectory::FindAlias(const AccountId& account,
                                                   std::string_view name) const {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{account, name});
  return found == aliases_.end() ? std::nullopt : std::optional(found->second);
}

void KeyDirectory::PublishAlias(const AliasRecord& alias) {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{alias.account, alias.name});
  if (found == aliases_.end()) {
    aliases_.emplace(AliasKey{alias.account, alias.name}, alias);
  } else {
    if (found->second.revision > alias.revision) return;
    --aliases_per_key_[found->second.target];
    found->second = alias;
  }
  ++aliases_per_key_[alias.target];
}

void KeyDirectory::RemoveAlias(const AccountId& account, std::string_view name) {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{account, name});
  if (found == aliases_.end()) return;
  --aliases_per_key_[found->second.target];
  aliases_.erase(found);
}

std::size_t KeyDirectory::CountAliasesOf(const KeyId& id) const {
  MutexLock lock(alias_mu_);
  const auto found = aliases_per_key_.find(id);
  return found == aliases_per_key_.end() ? 0 : found->second;
}

}  // namespace hallmark
