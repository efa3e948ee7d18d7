// The part of MacQueue that answers what is late, and everything at the end.
#include "pkcs11/ckr.h"
#include "pkcs11/mac_queue_state.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <list>
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
                                           std::vector<std::shared_ptr<MacTask>>* running_out,
                                           std::vector<std::size_t>* hung_out) {
  // What nobody waits for any more is overdue as well: a front that stops cancels its calls, and
  // waits for their answers.
  SteadyTime earliest = SteadyTime::max();
  queue.Remove(
      [&](const FairQueue::Entry& queued) {
        if (queued.deadline <= now || queued.task->abandoned()) return true;
        earliest = std::min(earliest, queued.deadline);
        return false;
      },
      [&](FairQueue::Entry late) { queued_out->push_back(std::move(late.task)); });

  const nanoseconds stuck_after = std::max<nanoseconds>(kStuckAfter, kStuckFactor * average_call);
  stuck_places = 0;
  stalled = false;
  for (std::size_t place = 0; place < running.size(); ++place) {
    Running& call = running[place];
    if (call.task == nullptr || call.written_off) continue;
    if (now - call.started > stuck_after) ++stuck_places;
    if (now - call.started > kStalled) stalled = true;
    if (Hangs(call, now) && !(spare.empty() && told_too_many)) hung_out->push_back(place);
    if (call.answered) continue;
    if (call.deadline <= now || call.task->abandoned()) {
      call.answered = true;
      running_out->push_back(call.task);
    } else {
      earliest = std::min(earliest, call.deadline);
    }
  }
  stuck.store(stuck_places == width, std::memory_order_relaxed);
  return earliest;
}

void MacQueue::State::Reap() {
  SteadyTime last_task = Now();
  // Room for all that can come, so that answering it needs no memory where there is none.
  std::vector<std::shared_ptr<MacTask>> queued_late;
  std::vector<std::shared_ptr<MacTask>> running_late;
  std::vector<std::size_t> hung;
  {
    MutexLock lock(mu);
    queued_late.reserve(overdue.capacity());
    running_late.reserve(running.size());
    hung.reserve(running.size());
  }
  for (;;) {
    {
      MutexLock lock(mu);
      if (reaper_stopping) return;
      const SteadyTime now = Now();
      queued_late.swap(overdue);
      const SteadyTime earliest = CollectOverdue(now, &queued_late, &running_late, &hung);
      if (working < width && !stopping) {
        try {
          StartWorkers();
        } catch (const std::exception&) {  // no more threads: the next tick tries again
        }
      }
      const bool busy =
          !queue.empty() || std::any_of(running.begin(), running.end(), [](const Running& call) {
            return call.task != nullptr && !call.written_off;
          });
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
    for (const std::size_t place : hung) WriteOff(place);
    queued_late.clear();
    running_late.clear();
    hung.clear();
  }
}

std::list<TokenThread> MacQueue::State::StopIntake() {
  std::vector<std::shared_ptr<MacTask>> dropped;
  std::list<TokenThread> ending;
  {
    MutexLock lock(mu);
    stopping = true;  // no worker is started from here on
    ending.swap(workers);
    while (!queue.empty()) dropped.push_back(queue.Pop(Now()).task);
  }
  work.notify_all();
  for (const auto& task : dropped) {
    task->Finish(Unexpected(MacError("the service is stopping", options.token_id)));
  }
  return ending;
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
