#include "keystate/client_tokens.h"

namespace hallmark {

ClientTokens::Claim ClientTokens::TryClaim(const std::string& principal_id,
                                           const std::string& client_token,
                                           const std::string& request_hash) {
  MutexLock lock(mu_);
  const auto [found, inserted] =
      entries_.try_emplace(Name(principal_id, client_token), Entry{request_hash, std::nullopt});
  if (inserted) return Claim::kFirst;
  if (found->second.request_hash != request_hash) return Claim::kMismatch;
  return found->second.key_id ? Claim::kAnswered : Claim::kInProgress;
}

void ClientTokens::Complete(const ClientTokenRecord& record) {
  MutexLock lock(mu_);
  entries_[Name(record.principal_id, record.client_token)] =
      Entry{record.request_hash, record.key_id};
}

void ClientTokens::Abandon(const std::string& principal_id, const std::string& client_token) {
  MutexLock lock(mu_);
  entries_.erase(Name(principal_id, client_token));
}

std::optional<KeyId> ClientTokens::Find(const std::string& principal_id,
                                        const std::string& client_token) const {
  MutexLock lock(mu_);
  const auto found = entries_.find(Name(principal_id, client_token));
  return found == entries_.end() ? std::nullopt : found->second.key_id;
}

}  // namespace hallmark
