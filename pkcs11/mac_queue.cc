#include "pkcs11/mac_queue.h"

#include "pkcs11/ckr.h"
#include "pkcs11/mac_queue_state.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// How long the destructor waits for calls under way.
constexpr std::chrono::seconds kStopWait{2};
// Weight of the newest call in the running average of call times.
constexpr int kAverageOver = 8;
// The same for the usual call time, when the newest call was shorter and when it was longer.
constexpr int kUsualFall = 2;
constexpr int kUsualRise = 64;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Error MacQueue::State::Busy(nanoseconds wait) const {
  return Throttled(std::clamp(std::chrono::duration_cast<milliseconds>(wait), milliseconds{10},
                              milliseconds{5'000}),
                   "token " + options.token_id + " is busy: the call would not be done in time");
}

std::optional<Error> MacQueue::State::Refusal(SteadyTime deadline, SteadyTime now) {
  if (stopping) return MacError("the service is stopping", options.token_id);
  if (deadline <= now) return MacError("the deadline has passed", options.token_id);
  if (stuck.load(std::memory_order_relaxed)) {
    return MacError("no call to the token comes back", options.token_id);
  }
  const auto live = static_cast<nanoseconds::rep>(running.size() - stuck_places);
  const nanoseconds wait =
      live > 0 ? average_call * static_cast<nanoseconds::rep>(queued) / live : nanoseconds{0};
  if (queued == ring.size()) return Busy(wait);
  // A free place always gets its chance: one slow call must not make the average refuse every
  // later call, which would keep the average from ever improving.
  if (free.size() <= queued && now + wait + average_call > deadline) return Busy(wait);
  return std::nullopt;
}

void MacQueue::State::Submit(std::shared_ptr<MacTask> task) {
  const SteadyTime deadline = task->deadline();
  const bool may_borrow = task->may_compute_here();
  std::optional<Error> refusal;
  std::optional<std::size_t> place;
  bool wake_worker = false;
  bool wake_reaper = false;
  {
    MutexLock lock(mu);
    const SteadyTime now = Now();
    refusal = Refusal(deadline, now);
    if (!refusal) {
      if (may_borrow && MayBorrow()) {
        place = free.back();
        free.pop_back();
        running[*place] = {task, deadline, now, false};
        ++borrowed;
      } else {
        ring[(head + queued) % ring.size()] = {std::move(task), deadline};
        ++queued;
        wake_worker = !free.empty();
      }
      wake_reaper = std::exchange(reaper_sleeps, false);
    }
  }
  if (refusal) {
    // NOLINTNEXTLINE(bugprone-use-after-move): moved from only if there is no refusal.
    task->Finish(Unexpected(*std::move(refusal)));
    return;
  }
  if (wake_worker) work.notify_one();
  if (wake_reaper) reaper_work.notify_one();
  // NOLINTNEXTLINE(bugprone-use-after-move): moved from only if there is no place.
  if (place) ComputeBorrowed(*place, task);
}

bool MacQueue::State::Pop(std::size_t place, SteadyTime now, Queued* next) {
  if (queued == 0) return false;
  *next = std::move(ring[head]);
  head = (head + 1) % ring.size();
  --queued;
  running[place] = {next->task, next->deadline, now, false};
  return true;
}

Result<MacKey> MacQueue::State::Admit(std::size_t place, MacTask& task) {
  {
    MutexLock lock(mu);
    if (running[place].answered) {
      return Unexpected(MacError("the task was answered", options.token_id));
    }
    if (running[place].deadline <= Now()) {
      return Unexpected(MacError("the deadline has passed", options.token_id));
    }
    in_tasks.fetch_add(1);
  }
  const Visit visit(in_tasks);
  if (task.abandoned()) return Unexpected(MacError("the caller gave up", options.token_id));
  return task.Admit();
}

Result<MacTag> MacQueue::State::Compute(std::size_t place, MacTask& task, SteadyTime deadline) {
  // One pointer fits into a std::function without memory: running out of it must not end here.
  const auto admit = [this, place, &task] { return Admit(place, task); };
  return computers[place]->Compute(task, deadline, [&admit] { return admit(); });
}

bool MacQueue::State::Conclude(std::size_t place, SteadyTime ended, bool computed) {
  const Running done = std::exchange(running[place], {});
  if (computed) {
    const nanoseconds took = ended - done.started;
    average_call += (took - average_call) / kAverageOver;
    usual_call += (took - usual_call) / (took < usual_call ? kUsualFall : kUsualRise);
  }
  stuck.store(false, std::memory_order_relaxed);
  // Once: the reaper sets `answered` under the lock before it answers.
  if (!done.answered) in_tasks.fetch_add(1);
  return !done.answered;
}

void MacQueue::State::Work() {
  for (;;) {
    std::size_t place = 0;
    Queued current;
    {
      MutexLock lock(mu);
      while ((queued == 0 || free.empty()) && !stopping) work.wait(mu);
      if (queued == 0) return;
      place = free.back();
      free.pop_back();
      Pop(place, Now(), &current);
    }
    while (current.task != nullptr) {
      Result<MacTag> tag = Compute(place, *current.task, current.deadline);
      const SteadyTime ended = Now();
      Queued next;
      bool finish = false;
      {
        MutexLock lock(mu);
        finish = Conclude(place, ended, tag.has_value());
        Pop(place, ended, &next);
      }
      if (finish) {
        const Visit visit(in_tasks);
        current.task->Finish(std::move(tag));
      }
      current = std::move(next);
    }
    computers[place]->Idle();
    MutexLock lock(mu);
    free.push_back(place);
  }
}

void MacQueue::State::ComputeBorrowed(std::size_t place, const std::shared_ptr<MacTask>& task) {
  Result<MacTag> tag = Compute(place, *task, task->deadline());
  computers[place]->Idle();
  const SteadyTime ended = Now();
  bool finish = false;
  bool wake_worker = false;
  {
    MutexLock lock(mu);
    // Whatever the frames above this one refer to may be gone.
    while (borrowed_left_behind) borrowed_back.wait(mu);
    finish = Conclude(place, ended, tag.has_value());
    free.push_back(place);
    wake_worker = queued > 0;
    if (--borrowed == 0 && stopping) borrowed_back.notify_all();
  }
  if (wake_worker) work.notify_one();
  if (finish) {
    const Visit visit(in_tasks);
    task->Finish(std::move(tag));
  }
}

MacQueue::MacQueue(MacQueueOptions options, const ComputerFactory& make_computer)
    : state_(std::make_shared<State>(std::move(options), make_computer)) {
  const std::size_t count = std::max<std::size_t>(1, state_->options.workers);
  workers_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    workers_.emplace_back([state = state_] { state->Work(); });
  }
  reaper_ = std::jthread([state = state_] { state->Reap(); });
}

MacQueue::~MacQueue() {
  state_->StopIntake();
  const SteadyTime give_up = Now() + kStopWait;
  // The reaper still runs: what is under way is answered by its deadline meanwhile.
  for (TokenThread& worker : workers_) static_cast<void>(worker.JoinUntil(give_up));
  state_->AwaitBorrowed(give_up);
  state_->AnswerRunning();
  state_->StopReaper();
}

void MacQueue::Submit(std::shared_ptr<MacTask> task) {
  // A borrowed thread may come back from the token when we are gone.
  const std::shared_ptr<State> state = state_;
  state->Submit(std::move(task));
}

std::size_t MacQueue::outstanding() const {
  const MutexLock lock(state_->mu);
  return state_->queued + state_->running.size() - state_->free.size();
}

bool MacQueue::stuck() const { return state_->stuck.load(std::memory_order_relaxed); }

}  // namespace hallmark::pkcs11
