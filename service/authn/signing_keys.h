// Signing keys of today, so that they are not derived for each request.
#pragma once

#include "keystate/mutex.h"
#include "keystate/sealer.h"
#include "keystate/secret.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hallmark::authn {

// Of one region and service, by access key and day. Only keys of today are kept: at the first look
// of another day all are wiped, and a key of yesterday or tomorrow, which is asked for around
// midnight alone, is derived each time.
//
// It does not know which access keys there are; whoever asks has looked.
//
// Thread-safety: every method may be called from any thread.
class SigningKeys {
 public:
  // `sealer` outlives it. `capacity`, in access keys: beyond it the one that was not used for
  // longest goes. Each takes a locked page of memory.
  SigningKeys(const Sealer& sealer, std::string region, std::string service, std::size_t capacity)
      : sealer_(sealer),
        region_(std::move(region)),
        service_(std::move(service)),
        capacity_(capacity) {}

  // The key with which the owner of the access key signs on `day`.
  std::shared_ptr<const SecretBytes> Get(std::string_view access_key_id, std::chrono::sys_days day,
                                         std::chrono::sys_days today);
  // The access key was removed.
  void Forget(std::string_view access_key_id);

  std::size_t size() const;

 private:
  struct Entry {
    std::string access_key_id;
    std::shared_ptr<const SecretBytes> key;
  };
  using Entries = std::list<Entry>;

  std::shared_ptr<const SecretBytes> Find(std::string_view access_key_id,
                                          std::chrono::sys_days today);
  void Keep(std::string_view access_key_id, std::chrono::sys_days today,
            const std::shared_ptr<const SecretBytes>& key);

  const Sealer& sealer_;
  const std::string region_;
  const std::string service_;
  const std::size_t capacity_;
  mutable Mutex mu_;
  std::chrono::sys_days today_ HALLMARK_GUARDED_BY(mu_){};
  Entries entries_ HALLMARK_GUARDED_BY(mu_);  // last used first
  // INVARIANT: one for each entry, whose text it borrows.
  std::unordered_map<std::string_view, Entries::iterator> by_id_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark::authn
