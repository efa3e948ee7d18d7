// The part of MacQueue that answers what is late, and everything at the end.
#include "pkcs11/ckr.h"
#include "pkcs11/mac_queue_state.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// How late an answer by deadline can be.
constexpr milliseconds kReaperTick{10};
// The reaper keeps ticking this long after the last task, so that a steady trickle of calls does
// not have to wake it each time.
constexpr std::chrono::seconds kReaperLinger{1};
// A call is stuck when it lasts this long and many times longer than usual.
constexpr std::chrono::seconds kStuckAfter{1};
constexpr int kStuckFactor = 20;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

SteadyTime MacQueue::State::CollectOverdue(SteadyTime now,
                                           std::vector<std::shared_ptr<MacTask>>* queued_out,
                                           std::vector<std::shared_ptr<MacTask>>* running_out) {
  // What nobody waits for any more is overdue as well: a front that stops cancels its calls, and
  // waits for their answers.
  SteadyTime earliest = SteadyTime::max();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < queued; ++i) {
    Queued& from = ring[(head + i) % ring.size()];
    if (from.deadline <= now || from.task->abandoned()) {
      queued_out->push_back(std::move(from.task));
      continue;
    }
    earliest = std::min(earliest, from.deadline);
    if (kept != i) ring[(head + kept) % ring.size()] = std::move(from);
    ++kept;
  }
  queued = kept;

  const nanoseconds stuck_after = std::max<nanoseconds>(kStuckAfter, kStuckFactor * average_call);
  stuck_places = 0;
  stalled = false;
  for (Running& call : running) {
    if (call.task == nullptr) continue;
    if (now - call.started > stuck_after) ++stuck_places;
    if (now - call.started > kStalled) stalled = true;
    if (call.answered) continue;
    if (call.deadline <= now || call.task->abandoned()) {
      call.answered = true;
      running_out->push_back(call.task);
    } else {
      earliest = std::min(earliest, call.deadline);
    }
  }
  stuck.store(stuck_places == running.size(), std::memory_order_relaxed);
  return earliest;
}

void MacQueue::State::Reap() {
  SteadyTime last_task = Now();
  std::vector<std::shared_ptr<MacTask>> queued_late;
  std::vector<std::shared_ptr<MacTask>> running_late;
  {
    // So that answering the overdue needs no memory where there is none.
    MutexLock lock(mu);
    queued_late.reserve(ring.size());
    running_late.reserve(running.size());
  }
  for (;;) {
    {
      MutexLock lock(mu);
      if (reaper_stopping) return;
      const SteadyTime now = Now();
      const SteadyTime earliest = CollectOverdue(now, &queued_late, &running_late);
      const bool busy =
          queued > 0 || std::any_of(running.begin(), running.end(),
                                    [](const Running& r) { return r.task != nullptr; });
      if (busy) last_task = now;
      if (queued_late.empty() && running_late.empty()) {
        if (busy || now - last_task < kReaperLinger) {
          // A task submitted meanwhile may be due sooner: hence at most a tick.
          reaper_work.wait_until(mu, std::min(earliest, now + kReaperTick));
        } else {
          reaper_sleeps = true;
          while (reaper_sleeps && !reaper_stopping) reaper_work.wait(mu);
          last_task = Now();
        }
      }
    }
    for (const auto& task : queued_late) {
      task->Finish(
          Unexpected(MacError("no worker was free before the deadline", options.token_id)));
    }
    for (const auto& task : running_late) {
      task->Finish(
          Unexpected(MacError("the token did not answer before the deadline", options.token_id)));
    }
    queued_late.clear();
    running_late.clear();
  }
}

void MacQueue::State::StopIntake() {
  std::vector<std::shared_ptr<MacTask>> dropped;
  {
    MutexLock lock(mu);
    stopping = true;
    for (; queued > 0; --queued) {
      dropped.push_back(std::move(ring[head].task));
      head = (head + 1) % ring.size();
    }
  }
  work.notify_all();
  for (const auto& task : dropped) {
    task->Finish(Unexpected(MacError("the service is stopping", options.token_id)));
  }
}

void MacQueue::State::StopReaper() {
  {
    MutexLock lock(mu);
    reaper_stopping = true;
  }
  reaper_work.notify_all();
}

void MacQueue::State::AnswerRunning() {
  std::vector<std::shared_ptr<MacTask>> unanswered;
  {
    MutexLock lock(mu);
    for (Running& call : running) {
      if (call.task != nullptr && !std::exchange(call.answered, true)) {
        unanswered.push_back(call.task);
      }
    }
  }
  for (const auto& task : unanswered) {
    task->Finish(Unexpected(MacError("the service is stopping", options.token_id)));
  }
  // Every task is answered, so whoever comes back from the token now finds its task closed.
  for (std::size_t visits = in_tasks.load(); visits > 0; visits = in_tasks.load()) {
    in_tasks.wait(visits);
  }
}

void MacQueue::State::AwaitBorrowed(SteadyTime give_up) {
  MutexLock lock(mu);
  while (borrowed > 0) {
    if (borrowed_back.wait_until(mu, give_up) == std::cv_status::timeout) break;
  }
  borrowed_left_behind = borrowed > 0;
}

}  // namespace hallmark::pkcs11
