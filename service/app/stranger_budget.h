// How often we make a note of who has no right to be here: it is they who decide how often they
// come.
#pragma once

#include "keystate/clock.h"
#include "service/app/audit.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace hallmark::app {

// One note in each second of the clock.
//
// Thread-safety: may be called from any thread.
class StrangerBudget {
 public:
  // How many came since the last one that was noted, if this one may be; nothing: it may not, and
  // is counted.
  std::optional<std::int64_t> Note(SteadyTime now) {
    const auto second =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    // Who read the clock before others did must not set the second back.
    std::int64_t noted = noted_.load();
    while (second > noted) {
      if (noted_.compare_exchange_weak(noted, second)) return passed_over_.exchange(0);
    }
    ++passed_over_;
    return std::nullopt;
  }

 private:
  std::atomic<std::int64_t> noted_{std::numeric_limits<std::int64_t>::min()};  // the second
  std::atomic<std::int64_t> passed_over_{0};
};

// Records the refusal of a stranger if the budget allows it now; whether it did. `sink` null:
// nothing is recorded.
inline bool RecordStranger(StrangerBudget& budget, SteadyTime now, AuditSink* sink,
                           AuditEvent event, const Status& refusal) noexcept {
  const std::optional<std::int64_t> passed_over = budget.Note(now);
  if (!passed_over.has_value()) return false;
  event.unrecorded = *passed_over;
  RecordRefusal(sink, event, refusal);
  return true;
}

}  // namespace hallmark::app
