#include "service/server/health_watch.h"

#include "keystate/mutex.h"

#include <chrono>
#include <utility>

namespace hallmark::service {
namespace {

constexpr std::chrono::milliseconds kInterval{200};

}  // namespace

HealthWatch::HealthWatch(const Hsm& hsm, audit::AuditFile& audit, Log& log,
                         std::function<void(bool)> set_serving)
    : hsm_(hsm), audit_(audit), log_(log), set_serving_(std::move(set_serving)) {
  const bool available = hsm_.available();
  set_serving_(available);
  thread_ =
      std::jthread([this, available](const std::stop_token& stop) { Follow(stop, available); });
}

void HealthWatch::Follow(const std::stop_token& stop, bool available) {
  Mutex mu;
  ConditionVariable stopped;
  bool shown = available;
  bool recorded = true;
  const MutexLock lock(mu);
  while (!stop.stop_requested()) {
    stopped.wait_for(mu, stop, kInterval, [] { return false; });
    // The probe also ends an outage of the audit log when nobody calls. It may hang, so the outage
    // is shown first.
    const bool records = audit_.healthy() || (!recorded && audit_.Probe());
    if (records != recorded) {
      log_.Write(records ? LogLevel::kInfo : LogLevel::kError, "health",
                 {{"audit", records ? "written again"
                                    : "cannot be written: nothing is answered until it can"}});
    }
    available = hsm_.available();
    if (available != shown) {
      log_.Write(available ? LogLevel::kInfo : LogLevel::kError, "health",
                 {{"token", available ? "available" : "unavailable"}});
    }
    const bool changed = (available && records) != (shown && recorded);
    shown = available;
    recorded = records;
    if (changed && !stop.stop_requested()) set_serving_(available && records);
  }
}

}  // namespace hallmark::service
