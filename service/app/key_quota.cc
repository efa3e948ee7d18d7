#include "service/app/key_quota.h"

#include <string>

namespace hallmark::app {
namespace {

Unexpected<Error> Exceeded(const std::string& what, std::size_t limit, std::size_t usage) {
  return Fail(Exception::kLimitExceededException,
              "Keys per " + what + " quota is " + std::to_string(limit) + ", current usage is " +
                  std::to_string(usage) + ".");
}

template <class Key>
std::size_t CountIn(const std::map<Key, std::size_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <class Key>
void TakeOneFrom(std::map<Key, std::size_t>& counts, const Key& key) {
  const auto found = counts.find(key);
  if (--found->second == 0) counts.erase(found);
}

}  // namespace

KeyQuota::Place::~Place() {
  if (quota_ != nullptr) quota_->GiveBack(account_, token_id_);
}

Result<KeyQuota::Place> KeyQuota::Take(const AccountId& account, const std::string& token_id) {
  MutexLock lock(mu_);
  const std::size_t of_account = keys_.CountKeysOf(account) + CountIn(being_made_, account);
  if (of_account >= limits_.per_account) {
    return Exceeded("account", limits_.per_account, of_account);
  }
  const std::size_t on_token = keys_.CountKeysOn(token_id) + CountIn(being_made_on_, token_id);
  if (limits_.per_token != 0 && on_token >= limits_.per_token) {
    return Exceeded("token", limits_.per_token, on_token);
  }
  ++being_made_[account];
  ++being_made_on_[token_id];
  return Place(*this, account, token_id);
}

void KeyQuota::GiveBack(const AccountId& account, const std::string& token_id) {
  MutexLock lock(mu_);
  TakeOneFrom(being_made_, account);
  TakeOneFrom(being_made_on_, token_id);
}

}  // namespace hallmark::app
