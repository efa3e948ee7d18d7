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
  retirable_.Update(current == nullptr ? GrantSet() : current->grants, view->grants);
  MutexLock index_lock(index_mu_);
  if (current == nullptr) {
    ids_[view->key.account].insert(view->key.id);
  } else if (current->key.deletion_date) {
    deletions_.erase({*current->key.deletion_date, current->key.id});
  }
  if (current != nullptr) {
    for (const BindingRecord& binding : current->bindings) --on_token_[binding.token_id];
  }
  for (const BindingRecord& binding : view->bindings) ++on_token_[binding.token_id];
  if (view->key.deletion_date) deletions_.emplace(*view->key.deletion_date, view->key.id);
  current.swap(view);  // the old view dies with `view`, after both locks
}

void KeyDirectory::Remove(const KeyId& id) {
  KeyViewPtr removed;  // dies after both locks
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  const auto found = shard.views.find(id);
  if (found == shard.views.end()) return;
  removed = std::move(found->second);
  shard.views.erase(found);
  retirable_.Update(removed->grants, GrantSet());
  MutexLock index_lock(index_mu_);
  ids_[removed->key.account].erase(id);
  for (const BindingRecord& binding : removed->bindings) --on_token_[binding.token_id];
  if (removed->key.deletion_date) deletions_.erase({*removed->key.deletion_date, id});
}

std::size_t KeyDirectory::CountKeysOf(const AccountId& account) const {
  MutexLock lock(index_mu_);
  const auto ids = ids_.find(account);
  return ids == ids_.end() ? 0 : ids->second.size();
}

std::size_t KeyDirectory::CountKeysOn(const std::string& token_id) const {
  MutexLock lock(index_mu_);
  const auto keys = on_token_.find(token_id);
  return keys == on_token_.end() ? 0 : keys->second;
}

std::vector<KeyId> KeyDirectory::DueForDeletion(WallTime now, std::size_t limit) const {
  std::vector<KeyId> due;
  MutexLock lock(index_mu_);
  for (auto next = deletions_.begin();
       next != deletions_.end() && next->first <= now && due.size() < limit; ++next) {
    due.push_back(next->second);
  }
  return due;
}

std::vector<KeyViewPtr> KeyDirectory::List(const AccountId& account,
                                           const std::optional<KeyId>& after,
                                           std::size_t limit) const {
  std::vector<KeyViewPtr> views;
  std::optional<KeyId> last = after;
  // Keys may end between the look into the index and the look at the key: what they leave free is
  // filled up, since a page that is not full says that nothing follows.
  for (bool more = true; more && views.size() < limit;) {
    std::vector<KeyId> ids;
    {
      MutexLock lock(index_mu_);
      const auto of_account = ids_.find(account);
      if (of_account == ids_.end()) break;
      const std::set<KeyId>& all = of_account->second;
      auto next = last ? all.upper_bound(*last) : all.begin();
      for (; next != all.end() && views.size() + ids.size() < limit; ++next) ids.push_back(*next);
      more = next != all.end();
    }
    for (const KeyId& id : ids) {
      if (KeyViewPtr view = Find(id)) views.push_back(std::move(view));
    }
    if (!ids.empty()) last = ids.back();
  }
  return views;
}

std::vector<GrantOfKey> KeyDirectory::ListRetirableGrants(std::string_view retiring_id,
                                                          const std::optional<GrantPlace>& after,
                                                          std::size_t limit) const {
  std::vector<GrantOfKey> grants;
  std::optional<GrantPlace> last = after;
  // As in List: grants that end between the two looks leave no gap.
  while (grants.size() < limit) {
    const std::size_t wanted = limit - grants.size();
    const std::vector<GrantPlace> places = retirable_.List(retiring_id, last, wanted);
    for (const GrantPlace& place : places) {
      KeyViewPtr key = Find(place.key_id);
      if (key == nullptr) continue;
      GrantPtr grant = key->grants.Find(place.grant_id);
      if (grant != nullptr) grants.push_back({std::move(key), std::move(grant)});
    }
    if (places.size() < wanted) break;
    last = places.back();
  }
  return grants;
}

std::optional<AliasRecord> KeyDirectory::FindAlias(const AccountId& account,
                                                   std::string_view name) const {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{account, name});
  return found == aliases_.end() ? std::nullopt : std::optional(found->second);
}

void KeyDirectory::RemoveName(const AliasRecord& alias) {
  const auto names = names_of_key_.find(alias.target);
  if (names == names_of_key_.end()) return;
  names->second.erase(alias.name);
  if (names->second.empty()) names_of_key_.erase(names);
}

void KeyDirectory::PublishAlias(const AliasRecord& alias) {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{alias.account, alias.name});
  if (found == aliases_.end()) {
    aliases_.emplace(AliasKey{alias.account, alias.name}, alias);
  } else {
    if (found->second.revision > alias.revision) return;
    RemoveName(found->second);
    found->second = alias;
  }
  names_of_key_[alias.target].insert(alias.name);
}

void KeyDirectory::RemoveAlias(const AliasRecord& alias) {
  MutexLock lock(alias_mu_);
  const auto found = aliases_.find(AliasKeyView{alias.account, alias.name});
  if (found == aliases_.end()) return;
  RemoveName(found->second);
  aliases_.erase(found);
}

std::size_t KeyDirectory::CountAliasesOf(const KeyId& id) const {
  MutexLock lock(alias_mu_);
  const auto found = names_of_key_.find(id);
  return found == names_of_key_.end() ? 0 : found->second.size();
}

std::vector<AliasRecord> KeyDirectory::ListAliases(const AccountId& account,
                                                   const std::optional<KeyId>& of_key,
                                                   std::string_view after,
                                                   std::size_t limit) const {
  std::vector<AliasRecord> page;
  MutexLock lock(alias_mu_);
  if (!of_key) {
    for (auto next = aliases_.upper_bound(AliasKeyView{account, after});
         next != aliases_.end() && next->first.account == account && page.size() < limit; ++next) {
      page.push_back(next->second);
    }
    return page;
  }
  const auto names = names_of_key_.find(*of_key);
  if (names == names_of_key_.end()) return page;
  for (auto name = names->second.upper_bound(std::string(after));
       name != names->second.end() && page.size() < limit; ++name) {
    page.push_back(aliases_.find(AliasKeyView{account, *name})->second);
  }
  return page;
}

}  // namespace hallmark
