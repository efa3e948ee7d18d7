// All keys and aliases in memory: what the hot path reads instead of the store.
#pragma once

#include "keystate/grants/retirable_grants.h"
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
#include <utility>
#include <vector>

namespace hallmark {

// A grant together with the key as it was when the grant was found in it.
struct GrantOfKey {
  KeyViewPtr key;
  GrantPtr grant;
};

// Sharded, so that callers of different keys do not meet; ordered per account, so that a page of a
// list costs what it holds, not what the account holds.
//
// Only what is durable is published here, and only keys that are finished.
//
// A change of a key or an alias is committed on top of its published version, by compare on the
// revision. So while one change is durable but not published yet, no other can be made, the end of
// the key or alias included: what was removed here is never brought back by a late Publish.
//
// Thread-safety: every method may be called from any thread.
class KeyDirectory {
 public:
  // Null if there is no such key.
  KeyViewPtr Find(const KeyId& id) const;

  // Makes `view` the current version, unless a newer one already is: writers may overtake each
  // other between commit and publish, so the higher revision of the record wins.
  void Publish(KeyViewPtr view);
  void Remove(const KeyId& id);

  std::size_t CountKeysOf(const AccountId& account) const;
  // Keys that the token holds.
  std::size_t CountKeysOn(const std::string& token_id) const;
  // Keys whose deletion date is not after `now`, the longest overdue first.
  std::vector<KeyId> DueForDeletion(WallTime now, std::size_t limit) const;

  // At most `limit` keys of the account in the order of their ids, beginning after `after`.
  std::vector<KeyViewPtr> List(const AccountId& account, const std::optional<KeyId>& after,
                               std::size_t limit) const;

  // At most `limit` grants of any key that this principal, by its unique id, may retire, in the
  // order of their keys' ids and their own, beginning after `after`.
  std::vector<GrantOfKey> ListRetirableGrants(std::string_view retiring_id,
                                              const std::optional<GrantPlace>& after,
                                              std::size_t limit) const;

  // The alias of this name ("alias/" included), if there is one.
  std::optional<AliasRecord> FindAlias(const AccountId& account, std::string_view name) const;
  void PublishAlias(const AliasRecord& alias);
  void RemoveAlias(const AliasRecord& alias);
  std::size_t CountAliasesOf(const KeyId& id) const;

  // At most `limit` aliases of the account, or of its key `of_key`, in the order of their names,
  // beginning after the name `after`.
  std::vector<AliasRecord> ListAliases(const AccountId& account, const std::optional<KeyId>& of_key,
                                       std::string_view after, std::size_t limit) const;

 private:
  struct Shard {
    mutable Mutex mu;
    std::unordered_map<KeyId, KeyViewPtr> views HALLMARK_GUARDED_BY(mu);
  };
  static constexpr std::size_t kShards = 64;

  Shard& ShardOf(const KeyId& id);
  const Shard& ShardOf(const KeyId& id) const;

  std::array<Shard, kShards> shards_;
  RetirableGrants retirable_;

  // Taken after a shard's mutex, never before.
  mutable Mutex index_mu_;
  std::map<AccountId, std::set<KeyId>> ids_ HALLMARK_GUARDED_BY(index_mu_);
  std::unordered_map<std::string, std::size_t> on_token_ HALLMARK_GUARDED_BY(index_mu_);
  std::set<std::pair<WallTime, KeyId>> deletions_ HALLMARK_GUARDED_BY(index_mu_);

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
  std::unordered_map<KeyId, std::set<std::string>> names_of_key_ HALLMARK_GUARDED_BY(alias_mu_);

  void RemoveName(const AliasRecord& alias) HALLMARK_REQUIRES(alias_mu_);
};

}  // namespace hallmark
