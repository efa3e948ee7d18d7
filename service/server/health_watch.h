// Readiness: what probes are told follows the token and the audit log.
#pragma once

#include "keystate/hsm.h"
#include "service/audit/audit_file.h"
#include "service/log/log.h"

#include <functional>
#include <stop_token>
#include <thread>

namespace hallmark::service {

// The token is asked now and then, since it does not tell: what probes see lags by 200 ms.
class HealthWatch {
 public:
  // `set_serving` is called at once, and whenever the answer has changed; from the watch's own
  // thread, but for the first time. What is passed outlives the watch.
  HealthWatch(const Hsm& hsm, audit::AuditFile& audit, Log& log,
              std::function<void(bool)> set_serving);
  // Waits for the thread's end: `set_serving` is not called after it.
  ~HealthWatch() = default;
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

 private:
  void Follow(const std::stop_token& stop, bool available);

  const Hsm& hsm_;
  audit::AuditFile& audit_;
  Log& log_;
  const std::function<void(bool)> set_serving_;
  std::jthread thread_;
};

}  // namespace hallmark::service
