#include "service/server/health_watch.h"

#include "keystate/mutex.h"

#include <chrono>
#include <utility>

namespace hallmark::service {
namespace {

constexpr std::chrono::milliseconds kInterval{200};

}  // namespace

HealthWatch::HealthWatch(const TokenSet& tokens, audit::AuditFile& audit, Log& log,
                         std::function<void(bool)> set_serving)
    : tokens_(tokens), audit_(audit), log_(log), set_serving_(std::move(set_serving)) {
  // What is out from the start is told, too.
  std::vector<bool> shown(tokens_.tokens().size(), true);
  const bool serving = AnyUsable(shown);
  set_serving_(serving);
  thread_ = std::jthread([this, serving, shown = std::move(shown)](const std::stop_token& stop) {
    Follow(stop, serving, shown);
  });
}

bool HealthWatch::AnyUsable(std::vector<bool>& shown) const {
  bool any = false;
  std::size_t index = 0;
  for (const TokenSet::Token& token : tokens_.tokens()) {
    const bool available = token.hsm().available();
    if (available != shown[index]) {
      log_.Write(available ? LogLevel::kInfo : LogLevel::kError, "health",
                 {{"token", available ? "available" : "unavailable"}, {"token_id", token.id()}});
      shown[index] = available;
    }
    any = any || token.usable();
    ++index;
  }
  return any;
}

void HealthWatch::Follow(const std::stop_token& stop, bool usable, std::vector<bool> shown) {
  Mutex mu;
  ConditionVariable stopped;
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
    const bool usable_now = AnyUsable(shown);
    const bool changed = (usable_now && records) != (usable && recorded);
    usable = usable_now;
    recorded = records;
    if (changed && !stop.stop_requested()) set_serving_(usable && records);
  }
}

}  // namespace hallmark::service
