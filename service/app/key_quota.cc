#include "service/app/key_quota.h"

#include <string>

namespace hallmark::app {
namespace {

Unexpected<Error> Exceeded(const std::string& what, std::size_t limit, std::size_t usage) {
  return Fail(Exception::kLimitExceededException,
              "Keys per " + what + " quota is " + std::to_string(limit) + ", current usage is " +
                  std::to_string(usage) + ".");
}

}  // namespace

KeyQuota::Place::~Place() {
  if (quota_ != nullptr) quota_->GiveBack(account_);
}

Result<KeyQuota::Place> KeyQuota::Take(const AccountId& account) {
  MutexLock lock(mu_);
  const auto being_made = being_made_.find(account);
  const std::size_t of_account =
      keys_.CountKeysOf(account) + (being_made == being_made_.end() ? 0 : being_made->second);
  if (of_account >= limits_.per_account) {
    return Exceeded("account", limits_.per_account, of_account);
  }
  const std::size_t on_token = keys_.CountKeys() + all_being_made_;
  if (limits_.per_token != 0 && on_token >= limits_.per_token) {
    return Exceeded("token", limits_.per_token, on_token);
  }
  ++being_made_[account];
  ++all_being_made_;
  return Place(*this, account);
}

void KeyQuota::GiveBack(const AccountId& account) {
  MutexLock lock(mu_);
  --all_being_made_;
  const auto being_made = being_made_.find(account);
  if (--being_made->second == 0) being_made_.erase(being_made);
}

}  // namespace hallmark::app
