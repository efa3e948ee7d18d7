#include "service/authn/signing_keys.h"

#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"

#include <utility>

namespace hallmark::authn {

std::shared_ptr<const SecretBytes> SigningKeys::Get(std::string_view access_key_id,
                                                    std::chrono::sys_days day,
                                                    std::chrono::sys_days today) {
  auto found = Find(access_key_id, today);
  if (found != nullptr && day == today) return found;
  auto derived = std::make_shared<const SecretBytes>(DeriveSigningKey(
      DeriveSecretAccessKey(sealer_, access_key_id), FormatBasicDay(day), region_, service_));
  if (day == today) Keep(access_key_id, today, derived);
  return derived;
}

std::shared_ptr<const SecretBytes> SigningKeys::Find(std::string_view access_key_id,
                                                     std::chrono::sys_days today) {
  const MutexLock lock(mu_);
  if (today_ != today) {
    by_id_.clear();
    entries_.clear();
    today_ = today;
  }
  const auto found = by_id_.find(access_key_id);
  if (found == by_id_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->key;
}

void SigningKeys::Keep(std::string_view access_key_id, std::chrono::sys_days today,
                       const std::shared_ptr<const SecretBytes>& key) {
  const MutexLock lock(mu_);
  // Another thread may have been faster with this key, or have begun another day.
  if (capacity_ == 0 || today_ != today || by_id_.contains(access_key_id)) return;
  if (entries_.size() >= capacity_) {
    by_id_.erase(entries_.back().access_key_id);
    entries_.pop_back();
  }
  entries_.push_front({std::string(access_key_id), key});
  by_id_.emplace(entries_.front().access_key_id, entries_.begin());
}

void SigningKeys::Forget(std::string_view access_key_id) {
  const MutexLock lock(mu_);
  const auto found = by_id_.find(access_key_id);
  if (found == by_id_.end()) return;
  const auto entry = found->second;
  by_id_.erase(found);
  entries_.erase(entry);
}

std::size_t SigningKeys::size() const {
  const MutexLock lock(mu_);
  return entries_.size();
}

}  // namespace hallmark::authn
