#include "pkcs11/mac_queue.h"

#include "keystate/mutex.h"
#include "pkcs11/ckr.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

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
// How long the destructor waits for calls under way.
constexpr std::chrono::seconds kStopWait{2};
// Weight of the newest call in the running average of call times.
constexpr int kAverageOver = 8;

SteadyTime Now() { return std::chrono::steady_clock::now(); }

// Ends a visit to a task, however it ends.
class Visit {
 public:
  explicit Visit(std::atomic<std::size_t>& visits) : visits_(visits) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    visits_.fetch_sub(1);
    visits_.notify_all();
  }

 private:
  std::atomic<std::size_t>& visits_;
};

}  // namespace

// Everything the threads touch; owned by each of them, since a worker may be left behind.
struct MacQueue::State {
  explicit State(MacQueueOptions with) : options(std::move(with)) {
    ring.resize(std::max<std::size_t>(1, options.max_queued));
    running.resize(std::max<std::size_t>(1, options.workers));
  }

  struct Queued {
    std::shared_ptr<MacTask> task;
    SteadyTime deadline{};
  };
  struct Running {
    std::shared_ptr<MacTask> task;  // null: the worker is idle
    SteadyTime deadline{};
    SteadyTime started{};
    bool answered = false;
  };

  void Work(std::size_t me, MacComputer& computer) HALLMARK_EXCLUDES(mu);
  void Reap() HALLMARK_EXCLUDES(mu);
  void Submit(std::shared_ptr<MacTask> task) HALLMARK_EXCLUDES(mu);
  void StopIntake() HALLMARK_EXCLUDES(mu);
  void StopReaper() HALLMARK_EXCLUDES(mu);
  void AnswerRunning() HALLMARK_EXCLUDES(mu);
  // The Admission of the task on worker `me`.
  Result<MacKey> Admit(std::size_t me, MacTask& task) HALLMARK_EXCLUDES(mu);

  bool Pop(std::size_t me, SteadyTime now, Queued* next) HALLMARK_REQUIRES(mu);
  std::optional<Error> Refusal(SteadyTime deadline, SteadyTime now) HALLMARK_REQUIRES(mu);
  // Moves what is overdue out of the queue and off the workers; returns the next deadline.
  SteadyTime CollectOverdue(SteadyTime now, std::vector<std::shared_ptr<MacTask>>* queued_out,
                            std::vector<std::shared_ptr<MacTask>>* running_out)
      HALLMARK_REQUIRES(mu);
  Error Busy(nanoseconds wait) const;

  const MacQueueOptions options;
  std::atomic<bool> stuck{false};
  // Workers inside a task's Admit or Finish. Goes up under mu, and only for a task that was not
  // answered by others, so that whoever answered them all has but to wait for zero.
  std::atomic<std::size_t> in_tasks{0};

  Mutex mu;
  ConditionVariable work;
  ConditionVariable reaper_work;
  std::vector<Queued> ring HALLMARK_GUARDED_BY(mu);
  std::size_t head HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t queued HALLMARK_GUARDED_BY(mu) = 0;
  std::vector<Running> running HALLMARK_GUARDED_BY(mu);
  std::size_t idle HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t stuck_workers HALLMARK_GUARDED_BY(mu) = 0;
  nanoseconds average_call HALLMARK_GUARDED_BY(mu){0};
  bool reaper_sleeps HALLMARK_GUARDED_BY(mu) = false;
  bool stopping HALLMARK_GUARDED_BY(mu) = false;
  bool reaper_stopping HALLMARK_GUARDED_BY(mu) = false;
};

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
  const auto live = static_cast<nanoseconds::rep>(running.size() - stuck_workers);
  const nanoseconds wait =
      live > 0 ? average_call * static_cast<nanoseconds::rep>(queued) / live : nanoseconds{0};
  if (queued == ring.size()) return Busy(wait);
  // An idle worker always gets its chance: one slow call must not make the average refuse every
  // later call, which would keep the average from ever improving.
  if (idle <= queued && now + wait + average_call > deadline) return Busy(wait);
  return std::nullopt;
}

void MacQueue::State::Submit(std::shared_ptr<MacTask> task) {
  const SteadyTime deadline = task->deadline();
  std::optional<Error> refusal;
  bool wake_worker = false;
  bool wake_reaper = false;
  {
    MutexLock lock(mu);
    refusal = Refusal(deadline, Now());
    if (!refusal) {
      ring[(head + queued) % ring.size()] = {std::move(task), deadline};
      ++queued;
      wake_worker = idle > 0;
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
}

bool MacQueue::State::Pop(std::size_t me, SteadyTime now, Queued* next) {
  if (queued == 0) return false;
  *next = std::move(ring[head]);
  head = (head + 1) % ring.size();
  --queued;
  running[me] = {next->task, next->deadline, now, false};
  return true;
}

Result<MacKey> MacQueue::State::Admit(std::size_t me, MacTask& task) {
  {
    MutexLock lock(mu);
    if (running[me].answered) {
      return Unexpected(MacError("the task was answered", options.token_id));
    }
    if (running[me].deadline <= Now()) {
      return Unexpected(MacError("the deadline has passed", options.token_id));
    }
    in_tasks.fetch_add(1);
  }
  const Visit visit(in_tasks);
  if (task.abandoned()) return Unexpected(MacError("the caller gave up", options.token_id));
  return task.Admit();
}

void MacQueue::State::Work(std::size_t me, MacComputer& computer) {
  Queued current;
  const Admission admit = [this, me, &current] { return Admit(me, *current.task); };
  for (;;) {
    if (current.task == nullptr) {
      computer.Idle();
      MutexLock lock(mu);
      while (queued == 0 && !stopping) {
        ++idle;
        work.wait(mu);
        --idle;
      }
      if (!Pop(me, Now(), &current)) return;
    }
    const SteadyTime started = Now();
    Result<MacTag> tag = computer.Compute(*current.task, current.deadline, admit);
    const SteadyTime ended = Now();
    Queued next;
    Running done;
    {
      MutexLock lock(mu);
      if (tag.has_value()) {
        average_call += ((ended - started) - average_call) / kAverageOver;
      }
      done = std::exchange(running[me], {});
      stuck.store(false, std::memory_order_relaxed);
      // Once: the reaper sets `answered` under the lock before it answers.
      if (!done.answered) in_tasks.fetch_add(1);
      Pop(me, ended, &next);
    }
    if (!done.answered) {
      const Visit visit(in_tasks);
      current.task->Finish(std::move(tag));
    }
    current = std::move(next);
  }
}

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
  stuck_workers = 0;
  for (Running& call : running) {
    if (call.task == nullptr) continue;
    if (now - call.started > stuck_after) ++stuck_workers;
    if (call.answered) continue;
    if (call.deadline <= now || call.task->abandoned()) {
      call.answered = true;
      running_out->push_back(call.task);
    } else {
      earliest = std::min(earliest, call.deadline);
    }
  }
  stuck.store(stuck_workers == running.size(), std::memory_order_relaxed);
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

MacQueue::MacQueue(MacQueueOptions options, const ComputerFactory& make_computer)
    : state_(std::make_shared<State>(std::move(options))) {
  const std::size_t count = std::max<std::size_t>(1, state_->options.workers);
  workers_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::shared_ptr<MacComputer> computer = make_computer();
    workers_.emplace_back(
        [state = state_, computer = std::move(computer), i] { state->Work(i, *computer); });
  }
  reaper_ = std::jthread([state = state_] { state->Reap(); });
}

MacQueue::~MacQueue() {
  state_->StopIntake();
  const SteadyTime give_up = Now() + kStopWait;
  // The reaper still runs: what is under way is answered by its deadline meanwhile.
  for (TokenThread& worker : workers_) static_cast<void>(worker.JoinUntil(give_up));
  state_->AnswerRunning();
  state_->StopReaper();
}

void MacQueue::Submit(std::shared_ptr<MacTask> task) { state_->Submit(std::move(task)); }

bool MacQueue::stuck() const { return state_->stuck.load(std::memory_order_relaxed); }

}  // namespace hallmark::pkcs11
