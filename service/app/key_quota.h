// How many keys there may be.
#pragma once

#include "keystate/ids.h"
#include "keystate/key_directory.h"
#include "keystate/mutex.h"
#include "keystate/result.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>

namespace hallmark::app {

struct KeyLimits {
  // Source: KMS developer guide, "Resource quotas". Keys in every state count.
  std::size_t per_account = 100'000;
  // On each token; 0: as many as it takes.
  std::size_t per_token = 0;
};

// Counts the keys that exist and those that are being made, so that requests at the same moment
// cannot pass the limit together.
//
// Thread-safety: every method may be called from any thread.
class KeyQuota {
 public:
  // `keys` outlives the quota, and the quota its places.
  KeyQuota(const KeyDirectory& keys, KeyLimits limits) : keys_(keys), limits_(limits) {}

  // Held while a key is made, until it is published or given up.
  class Place {
   public:
    Place(Place&& other) noexcept
        : quota_(std::exchange(other.quota_, nullptr)),
          account_(other.account_),
          token_id_(std::move(other.token_id_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

    // What was begun cannot be undone before the next start: it counts until then.
    void Keep() { quota_ = nullptr; }

   private:
    friend class KeyQuota;
    Place(KeyQuota& quota, const AccountId& account, std::string token_id)
        : quota_(&quota), account_(account), token_id_(std::move(token_id)) {}

    KeyQuota* quota_;  // null when moved from
    AccountId account_;
    std::string token_id_;
  };

  // Errors: LimitExceededException.
  Result<Place> Take(const AccountId& account, const std::string& token_id) HALLMARK_EXCLUDES(mu_);

 private:
  void GiveBack(const AccountId& account, const std::string& token_id) HALLMARK_EXCLUDES(mu_);

  const KeyDirectory& keys_;
  const KeyLimits limits_;
  Mutex mu_;  // taken before the directory's
  std::map<AccountId, std::size_t> being_made_ HALLMARK_GUARDED_BY(mu_);
  std::map<std::string, std::size_t> being_made_on_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::app
