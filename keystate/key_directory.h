// All keys and aliases in memory: what the hot path reads instead of the store.
#pragma once

#include "keystate/key_view.h"
#include "keystate/mutex.h"

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hallmark {

// Sharded, so that callers of different keys do not meet; ordered per account, so that a page of a
// list costs what it holds, not what the account holds.
//
// Only what is durable is published here, and only keys that are finished.
// Thread-safety: every method may be called from any thread.
class KeyDirectory {
 public:
  // Null if there is no such key.
  KeyViewPtr Find(const KeyId& id) const;

  // Makes `view` the current version, unless a newer one already is: writers may overtake each
  // other between commit and publish, so the higher revision of the record wins.
  void Publish(KeyViewPtr view);
  void Remove(const KeyId& id);

  // At most `limit` keys of the account in the order of their ids, beginning after `after`.
  std::vector<KeyViewPtr> List(const AccountId& account, const std::optional<KeyId>& after,
                               std::size_t limit) const;

  // The alias of this name ("alias/" included), if there is one.
  std::optional<AliasRecord> FindAlias(const AccountId& account, std::string_view name) const;
  void PublishAlias(const AliasRecord& alias);
  void RemoveAlias(const AccountId& account, std::string_view name);
  std::size_t CountAliasesOf(const KeyId& id) const;

 private:
  struct Shard {
    mutable Mutex mu;
    std::unordered_map<KeyId, KeyViewPtr> views HALLMARK_GUARDED_BY(mu);
  };
  static constexpr std::size_t kShards = 64;

  Shard& ShardOf(const KeyId& id);
  const Shard& ShardOf(const KeyId& id) const;

  std::array<Shard, kShards> shards_;

  // Taken after a shard's mutex, never before.
  mutable Mutex index_mu_;
  std::map<AccountId, std::set<KeyId>> ids_ HALLMARK_GUARDED_BY(index_mu_);

  struct AliasKey {
    AccountId account;
    std::string name;
  };
  struct AliasLess {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.account != b.account ? a.account < b.account
                                    : std::string_view(a.name) < std::string_view(b.name);
    }
  };
  struct AliasKeyView {
    AccountId account;
    std::string_view name;
  };
  mutable Mutex alias_mu_;
  std::map<AliasKey, AliasRecord, AliasLess> aliases_ HALLMARK_GUARDED_BY(alias_mu_);
  std::unordered_map<KeyId, std::size_t> aliases_per_key_ HALLMARK_GUARDED_BY(alias_mu_);
};

}  // namespace hallmark
