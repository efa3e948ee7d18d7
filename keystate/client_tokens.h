// Answers to requests that carried a client token, so that a retry gets the first answer again.
#pragma once

#include "keystate/mutex.h"
#include "keystate/records.h"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace hallmark {

// Thread-safety: every method may be called from any thread.
class ClientTokens {
 public:
  enum class Claim {
    kFirst,       // this request shall do the work and then call Complete or Abandon
    kInProgress,  // another request with this token is at work
    kAnswered,    // the work is done; Find gives the key
    kMismatch,    // the token was used with another request
  };

  Claim TryClaim(const std::string& principal_id, const std::string& client_token,
                 const std::string& request_hash);
  void Complete(const ClientTokenRecord& record);
  // The work failed without a trace: the next request with this token is the first again.
  void Abandon(const std::string& principal_id, const std::string& client_token);
  std::optional<KeyId> Find(const std::string& principal_id, const std::string& client_token) const;

  // The record of the request that made this key, if that carried a token.
  std::optional<ClientTokenRecord> FindByKey(const KeyId& key_id) const;
  // The key has ended, and its token with it.
  void Forget(const ClientTokenRecord& record);

 private:
  struct Entry {
    std::string request_hash;
    std::optional<ClientTokenRecord> answer;  // absent while the work is under way
  };
  using Name = std::pair<std::string, std::string>;  // principal, token

  mutable Mutex mu_;
  std::map<Name, Entry> entries_ HALLMARK_GUARDED_BY(mu_);
  std::unordered_map<KeyId, Name> by_key_ HALLMARK_GUARDED_BY(mu_);
};

}  // namespace hallmark
