// What operations work on.
#pragma once

#include "keystate/client_tokens.h"
#include "keystate/clock.h"
#include "keystate/ids.h"
#include "keystate/key_directory.h"
#include "keystate/key_store.h"
#include "keystate/last_usage.h"
#include "keystate/policy/policy_cache.h"
#include "keystate/principal_directory.h"
#include "keystate/random.h"
#include "keystate/sealer.h"
#include "keystate/token_set.h"
#include "service/app/audit.h"
#include "service/app/call_context.h"
#include "service/app/key_quota.h"
#include "service/app/mac_rates.h"
#include "service/app/worker_pool.h"

#include <functional>
#include <memory>
#include <string>

namespace hallmark::app {

// The parts behind every operation. All of them outlive the engine; server.cc puts them together.
struct Engine {
  Site site;
  std::string store_id;
  // Names this run of the daemon in `creating` bindings.
  std::string instance_id;
  KeyDirectory& keys;
  PrincipalDirectory& principals;
  PolicyCache& policies;
  ClientTokens& client_tokens;
  LastUsage& last_usage;
  KeyQuota& key_quota;
  KeyStore& store;
  TokenSet& tokens;
  // Of the default token.
  Sealer& sealer;
  Clock& clock;
  RandomSource& random;
  // Runs what waits for the store. A token that hangs must not hold up a revocation, so what waits
  // for a token has a pool of its own.
  WorkerPool& control;
  WorkerPool& token_control;
  // Null: nothing is recorded.
  AuditSink* audit;
  // Told of every finished call: logs and metrics. Must not block.
  std::function<void(const CallContext&, const Status&)> on_finished;
  // The highest time that was ever seen: a clock that was put back must not bring a deletion
  // nearer.
  std::function<WallTime()> time_seen = [] { return WallTime{}; };
  MacRates* mac_rates = nullptr;  // null: no rates
};

}  // namespace hallmark::app
