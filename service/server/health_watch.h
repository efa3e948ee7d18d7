// Readiness: what probes are told follows the tokens and the audit log. One token that can be used
// is enough.
#pragma once

#include "keystate/token_set.h"
#include "service/audit/audit_file.h"
#include "service/log/log.h"

#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

namespace hallmark::service {

// The tokens are asked now and then, since they do not tell: what probes see lags by 200 ms.
class HealthWatch {
 public:
  // `set_serving` is called at once, and whenever the answer has changed; from the watch's own
  // thread, but for the first time. What is passed outlives the watch.
  HealthWatch(const TokenSet& tokens, audit::AuditFile& audit, Log& log,
              std::function<void(bool)> set_serving);
  // Waits for the thread's end: `set_serving` is not called after it.
  ~HealthWatch() = default;
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

 private:
  void Follow(const std::stop_token& stop, bool usable, std::vector<bool> shown);

  // Logs which tokens have changed since it was last asked.
  bool AnyUsable(std::vector<bool>& shown) const;

  const TokenSet& tokens_;
  audit::AuditFile& audit_;
  Log& log_;
  const std::function<void(bool)> set_serving_;
  std::jthread thread_;
};

}  // namespace hallmark::service
