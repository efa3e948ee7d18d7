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
// Weight of the newest call in the running average of call times, when it was shorter and when it
// was longer.
constexpr int kAverageFall = 8;
constexpr int kAverageRise = 4;
// A wait may turn out longer than it looks, by one part in so many: whoever is taken is to be
// served.
constexpr int kWaitMargin = 2;
// The same for the usual call time, when the newest call was shorter and when it was longer.
constexpr int kUsualFall = 2;
constexpr int kUsualRise = 64;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

MacQueue::State::State(MacQueueOptions with, ComputerFactory make, HungCallEvents tell)
    : options(std::move(with)),
      width(std::max<std::size_t>(1, options.workers)),
      make_computer(std::move(make)),
      events(std::move(tell)),
      computers(width + options.max_hung_calls),
      queue(options.max_queued),
      running(computers.size()) {
  // Answering what is late needs no memory where there may be none.
  overdue.reserve(2 * queue.capacity());
  free.reserve(computers.size());
  spare.reserve(computers.size());
  for (std::size_t place = 0; place < computers.size(); ++place) {
    if (place >= width) {
      spare.push_back(place);
      continue;
    }
    computers[place] = make_computer();
    free.push_back(place);
  }
}

Error MacQueue::State::Busy(nanoseconds wait) const {
  return Throttled(std::clamp(std::chrono::duration_cast<milliseconds>(wait), milliseconds{10},
                              milliseconds{5'000}),
                   "token " + options.token_id + " is busy: the call would not be done in time");
}

Error MacQueue::State::Refusal(const Verdict& verdict) const {
  switch (verdict.kind) {
    case Verdict::Kind::kStopping:
      return MacError("the service is stopping", options.token_id);
    case Verdict::Kind::kLate:
      return MacError("the deadline has passed", options.token_id);
    case Verdict::Kind::kStuck:
      return MacError("no call to the token comes back", options.token_id);
    case Verdict::Kind::kTaken:
    case Verdict::Kind::kBusy:
      break;
  }
  return Busy(verdict.wait);
}

nanoseconds MacQueue::State::Wait(const FairQueue::Outlook& outlook) const {
  const auto live = static_cast<nanoseconds::rep>(width - std::min(width, stuck_places));
  if (live == 0) return nanoseconds{0};
  // One more: the places are in calls, of which the first must end.
  const auto ahead = static_cast<nanoseconds::rep>(outlook.ahead + 1);
  return std::max(average_call * ahead / live, outlook.turns);
}

MacQueue::State::Verdict MacQueue::State::MayCome(SteadyTime deadline, SteadyTime now) const {
  using Kind = Verdict::Kind;
  if (stopping) return {Kind::kStopping};
  if (deadline <= now) return {Kind::kLate};
  if (stuck.load(std::memory_order_relaxed)) return {Kind::kStuck};
  return {};
}

std::shared_ptr<MacTask> MacQueue::State::Displace() {
  in_tasks.fetch_add(1);
  return queue.TakeNewestOfLargest().task;
}

MacQueue::State::Verdict MacQueue::State::Enqueue(std::shared_ptr<MacTask>&& task,
                                                  SteadyTime deadline, std::uint64_t principal,
                                                  SteadyTime now,
                                                  std::shared_ptr<MacTask>* displaced) {
  // A free place always gets its chance: one slow call must not make the average refuse every
  // later call, which would keep the average from ever improving.
  if (free.size() <= queue.size()) {
    const nanoseconds wait = Wait(queue.OutlookOf(principal));
    if (now + wait + wait / kWaitMargin + average_call > deadline) {
      return {Verdict::Kind::kBusy, wait};
    }
  }
  if (queue.full()) {
    if (!queue.HoldsLess(principal)) {
      return {Verdict::Kind::kBusy, Wait(queue.OutlookOf(principal))};
    }
    *displaced = Displace();
  }
  queue.Push(principal, {std::move(task), deadline});
  // The newcomer may have pushed back the end of a longer line, past what that was taken for.
  if (*displaced == nullptr && queue.HoldsLess(principal)) {
    const FairQueue::Newest newest = queue.NewestOfLargest();
    if (now + Wait(newest.outlook) + average_call > newest.deadline) *displaced = Displace();
  }
  return {};
}

void MacQueue::State::Submit(std::shared_ptr<MacTask> task) {
  const SteadyTime deadline = task->deadline();
  const bool may_borrow = task->may_compute_here();
  const std::uint64_t principal = task->principal();
  Verdict verdict;
  std::optional<std::size_t> place;
  std::shared_ptr<MacTask> displaced;
  nanoseconds displaced_wait{0};
  bool wake_worker = false;
  bool wake_reaper = false;
  {
    MutexLock lock(mu);
    const SteadyTime now = Now();
    verdict = MayCome(deadline, now);
    if (verdict.kind == Verdict::Kind::kTaken) {
      if (may_borrow && MayBorrow()) {
        place = free.back();
        free.pop_back();
        Occupy(*place, task, deadline, now, /*borrowed=*/true);
        ++borrowed;
      } else {
        verdict = Enqueue(std::move(task), deadline, principal, now, &displaced);
        wake_worker = !free.empty();
        if (displaced != nullptr) displaced_wait = Wait({queue.size(), {}});
      }
      wake_reaper = std::exchange(reaper_sleeps, false);
    }
  }
  if (wake_worker) work.notify_one();
  if (wake_reaper) reaper_work.notify_one();
  if (displaced != nullptr) {
    const Visit visit(in_tasks);
    displaced->Finish(Unexpected(Busy(displaced_wait)));
  }
  if (verdict.kind != Verdict::Kind::kTaken) {
    // NOLINTNEXTLINE(bugprone-use-after-move): moved from only if it was taken.
    task->Finish(Unexpected(Refusal(verdict)));
    return;
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): moved from only if there is no place.
  if (place) ComputeBorrowed(*place, task);
}

void MacQueue::State::Occupy(std::size_t place, std::shared_ptr<MacTask> task, SteadyTime deadline,
                             SteadyTime now, bool is_borrowed) {
  running[place] = {std::move(task), deadline, now, now, is_borrowed, false, false};
}

void MacQueue::State::Pop(std::size_t place, SteadyTime now, FairQueue::Entry* next) {
  while (!queue.empty()) {
    *next = queue.Pop(now);
    // Not begun if it would come too late and others wait. The last one always is, whatever the
    // average says, so that the average can improve.
    if (next->deadline < now + average_call && !queue.empty() &&
        overdue.size() < queue.capacity()) {
      overdue.push_back(std::move(next->task));
      continue;
    }
    Occupy(place, next->task, next->deadline, now, /*borrowed=*/false);
    return;
  }
}

Result<MacKey> MacQueue::State::Admit(std::size_t place, MacTask& task, Admitted when) {
  {
    MutexLock lock(mu);
    if (running[place].answered) {
      return Unexpected(MacError("the task was answered", options.token_id));
    }
    const SteadyTime now = Now();
    if (running[place].deadline <= now) {
      return Unexpected(MacError("the deadline has passed", options.token_id));
    }
    if (when == Admitted::kBefore) running[place].admitted = now;
    in_tasks.fetch_add(1);
  }
  const Visit visit(in_tasks);
  if (task.abandoned()) return Unexpected(MacError("the caller gave up", options.token_id));
  return task.Admit();
}

Result<MacTag> MacQueue::State::Compute(std::size_t place, MacTask& task, SteadyTime deadline) {
  // One pointer fits into a std::function without memory: running out of it must not end here.
  const auto admit = [this, place, &task] { return Admit(place, task, Admitted::kBefore); };
  Result<MacTag> tag = computers[place]->Compute(task, deadline, [&admit] { return admit(); });
  if (!tag.has_value() || !options.waits_elsewhere) return tag;
  const Result<MacKey> still = Admit(place, task, Admitted::kAfter);
  if (!still.has_value()) return Unexpected(still.error());
  return tag;
}

MacQueue::State::Finisher MacQueue::State::Conclude(std::size_t place, SteadyTime ended,
                                                    bool computed) {
  if (running[place].written_off) return Finisher::kNobodyAndRetire;
  const Running done = std::exchange(running[place], {});
  if (computed) {
    const nanoseconds took = ended - done.admitted;
    average_call += (took - average_call) / (took < average_call ? kAverageFall : kAverageRise);
    usual_call += (took - usual_call) / (took < usual_call ? kUsualFall : kUsualRise);
  }
  stuck.store(false, std::memory_order_relaxed);
  // Once: the reaper sets `answered` under the lock before it answers.
  if (done.answered) return Finisher::kNobody;
  in_tasks.fetch_add(1);
  return Finisher::kWe;
}

void MacQueue::State::StartWorkers() {
  // Those that were lost and came back have ended.
  workers.remove_if([](TokenThread& worker) { return worker.JoinUntil(SteadyTime{}); });
  while (working < width) {
    workers.emplace_back([state = shared_from_this()] { state->Work(); });
    ++working;
  }
}

void MacQueue::State::Work() {
  for (;;) {
    std::size_t place = 0;
    FairQueue::Entry current;
    {
      MutexLock lock(mu);
      while ((queue.empty() || free.empty()) && !stopping) work.wait(mu);
      if (queue.empty()) return;
      place = free.back();
      free.pop_back();
      Pop(place, Now(), &current);
    }
    while (current.task != nullptr) {
      Result<MacTag> tag = Compute(place, *current.task, current.deadline);
      const SteadyTime ended = Now();
      FairQueue::Entry next;
      Finisher finisher{};
      {
        MutexLock lock(mu);
        finisher = Conclude(place, ended, tag.has_value());
        if (finisher != Finisher::kNobodyAndRetire) Pop(place, ended, &next);
      }
      if (finisher == Finisher::kNobodyAndRetire) return Retire(place);
      if (finisher == Finisher::kWe) {
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
  if (!WrittenOff(place)) computers[place]->Idle();
  const SteadyTime ended = Now();
  Finisher finisher{};
  bool wake_worker = false;
  {
    MutexLock lock(mu);
    // Whatever the frames above this one refer to may be gone.
    while (borrowed_left_behind) borrowed_back.wait(mu);
    finisher = Conclude(place, ended, tag.has_value());
    if (finisher != Finisher::kNobodyAndRetire) {
      free.push_back(place);
      wake_worker = !queue.empty();
    }
    if (--borrowed == 0 && stopping) borrowed_back.notify_all();
  }
  if (wake_worker) work.notify_one();
  if (finisher == Finisher::kNobodyAndRetire) return Retire(place);
  if (finisher == Finisher::kWe) {
    const Visit visit(in_tasks);
    task->Finish(std::move(tag));
  }
}

MacQueue::MacQueue(MacQueueOptions options, ComputerFactory make_computer, HungCallEvents events)
    : state_(std::make_shared<State>(std::move(options), std::move(make_computer),
                                     std::move(events))) {
  {
    MutexLock lock(state_->mu);
    state_->StartWorkers();
  }
  reaper_ = std::jthread([state = state_] { state->Reap(); });
}

MacQueue::~MacQueue() {
  std::list<TokenThread> workers = state_->StopIntake();
  const SteadyTime give_up = Now() + kStopWait;
  // The reaper still runs: what is under way is answered by its deadline meanwhile.
  for (TokenThread& worker : workers) static_cast<void>(worker.JoinUntil(give_up));
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
  const std::size_t idle = state_->free.size() + state_->spare.size();
  return state_->queue.size() + state_->running.size() - idle;
}

bool MacQueue::stuck() const { return state_->stuck.load(std::memory_order_relaxed); }

HungCalls MacQueue::hung_calls() const {
  return {state_->hung_now.load(std::memory_order_relaxed),
          state_->written_off.load(std::memory_order_relaxed)};
}

}  // namespace hallmark::pkcs11
