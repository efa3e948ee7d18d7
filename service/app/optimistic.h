// Writers win by compare on revisions, never by a lock across I/O: who loses looks again.
#pragma once

#include "keystate/result.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

#include <chrono>
#include <thread>

namespace hallmark::app {

// What publishing a change takes at most, as a rule.
inline constexpr std::chrono::milliseconds kWinnerTime{1};

// Calls `attempt`, which decides and commits, again and again while it loses against another
// writer, until nobody waits for it any more.
//
// Errors: those of `attempt`; ConflictException only when the deadline is over or the caller gone.
template <class Attempt>
auto UntilWon(const Engine& engine, const CallContext& call, const Attempt& attempt)
    -> decltype(attempt()) {
  for (;;) {
    auto outcome = attempt();
    const bool lost =
        !outcome.has_value() && outcome.error().exception == Exception::kConflictException;
    if (!lost || call.cancelled || engine.clock.SteadyNow() >= call.deadline) return outcome;
    // The winner's change is durable, and about to be visible.
    std::this_thread::sleep_for(kWinnerTime);
  }
}

}  // namespace hallmark::app
