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
  return found->second.answer ? Claim::kAnswered : Claim::kInProgress;
}

void ClientTokens::Complete(const ClientTokenRecord& record) {
  MutexLock lock(mu_);
  const Name name(record.principal_id, record.client_token);
  entries_[name] = Entry{record.request_hash, record};
  by_key_[record.key_id] = name;
}

void ClientTokens::Abandon(const std::string& principal_id, const std::string& client_token) {
  MutexLock lock(mu_);
  entries_.erase(Name(principal_id, client_token));
}

std::optional<KeyId> ClientTokens::Find(const std::string& principal_id,
                                        const std::string& client_token) const {
  MutexLock lock(mu_);
  const auto found = entries_.find(Name(principal_id, client_token));
  if (found == entries_.end() || !found->second.answer) return std::nullopt;
  return found->second.answer->key_id;
}

std::optional<ClientTokenRecord> ClientTokens::FindByKey(const KeyId& key_id) const {
  MutexLock lock(mu_);
  const auto name = by_key_.find(key_id);
  return name == by_key_.end() ? std::nullopt : entries_.find(name->second)->second.answer;
}

void ClientTokens::Forget(const ClientTokenRecord& record) {
  MutexLock lock(mu_);
  entries_.erase(Name(record.principal_id, record.client_token));
  by_key_.erase(record.key_id);
}

}  // namespace hallmark
