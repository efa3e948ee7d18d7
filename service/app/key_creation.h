// Making a key: the order of writes between store and token that a crash cannot break.
#pragma once

#include "keystate/policy/policy_cache.h"
#include "keystate/records.h"
#include "service/app/engine.h"
#include "service/app/tags.h"

#include <optional>
#include <string>

namespace hallmark::app {

// A request that carried a client token, so that it can be told from another.
struct RetryToken {
  std::string principal_id;
  std::string client_token;
  std::string request_hash;
};

struct NewKey {
  AccountId account;
  KeySpec spec;
  std::string description;
  TagList tags;
  StoredPolicyPtr policy;
  std::optional<RetryToken> retry;
  // Makes and holds it.
  const TokenSet::Token* token;
};

// Makes the key, or returns the one that an equal request with the same client token made before,
// as it was then.
//
// Binding durable as `creating` → generated on the token → binding durable as `ready` → published.
// What is left of a failure or a crash on the way is removed at once or by the next start.
//
// Errors: ValidationException when the client token was used with another request; TagException
//   for too many tags; LimitExceededException for too many keys;
//   DependencyTimeoutException when store or token fail; UnsupportedOperationException when the
//   token cannot make such a key.
Result<KeyRecord> CreateKeyOnce(Engine& engine, NewKey wanted, SteadyTime deadline);

}  // namespace hallmark::app
