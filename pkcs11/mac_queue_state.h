// What the threads of a MacQueue share. Part of its implementation: only mac_queue.cc, which takes
// and computes tasks, mac_reaper.cc, which answers those that are late, and mac_hung.cc, which
// gives up those that hang, include it.
#pragma once

#include "keystate/mutex.h"
#include "pkcs11/fair_queue.h"
#include "pkcs11/mac_queue.h"
#include "pkcs11/token_thread.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

// A token whose calls usually take this long is not called on threads of others: handing a task to
// a worker costs far less.
inline constexpr std::chrono::nanoseconds kTooSlowToBorrow{std::chrono::microseconds{500}};
// Nor is one that has been in a call for this long: longer than a busy machine leaves a thread
// waiting for a processor.
inline constexpr std::chrono::nanoseconds kStalled{std::chrono::milliseconds{20}};

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

// Everything the threads touch; owned by each of them, since one may be left behind.
//
// A place is one MAC at a time on the token: a computer and what runs on it. Whoever computes takes
// a free place, workers and threads that bring a task alike. There are `width` places in use, and a
// spare one for each call that may be written off: the written-off call keeps its own until it
// comes back, which makes that one a spare.
struct MacQueue::State : std::enable_shared_from_this<State> {
  State(MacQueueOptions with, ComputerFactory make, HungCallEvents tell);

  struct Running {
    std::shared_ptr<MacTask> task;  // null: nothing runs here
    SteadyTime deadline{};
    SteadyTime started{};
    // When it was last admitted: what came before was waiting or repairing.
    SteadyTime admitted{};
    bool borrowed = false;
    bool answered = false;
    bool written_off = false;
  };
  // What becomes of a task that is brought.
  struct Verdict {
    enum class Kind { kTaken, kBusy, kStopping, kLate, kStuck };
    Kind kind = Kind::kTaken;
    std::chrono::nanoseconds wait{0};  // kBusy: until there will be room
  };
  // Who finishes a task whose call came back.
  enum class Finisher { kWe, kNobody, kNobodyAndRetire };

  // Starts the workers that are missing. Throws if the system has no more threads.
  void StartWorkers() HALLMARK_REQUIRES(mu);
  void Work() HALLMARK_EXCLUDES(mu);
  void Reap() HALLMARK_EXCLUDES(mu);
  void Submit(std::shared_ptr<MacTask> task) HALLMARK_EXCLUDES(mu);
  // Computes the task, which is in its place already, on a thread that is not ours.
  void ComputeBorrowed(std::size_t place, const std::shared_ptr<MacTask>& task)
      HALLMARK_EXCLUDES(mu);
  // Returns when no thread of others computes; those that still do by then will never leave us.
  void AwaitBorrowed(SteadyTime give_up) HALLMARK_EXCLUDES(mu);
  std::list<TokenThread> StopIntake() HALLMARK_EXCLUDES(mu);
  void StopReaper() HALLMARK_EXCLUDES(mu);
  void AnswerRunning() HALLMARK_EXCLUDES(mu);
  Result<MacTag> Compute(std::size_t place, MacTask& task, SteadyTime deadline);
  // The Admission of the task in `place`.
  enum class Admitted { kBefore, kAfter };  // the token computes
  Result<MacKey> Admit(std::size_t place, MacTask& task, Admitted when) HALLMARK_EXCLUDES(mu);
  // Gives the place of a call that hangs to others, if it hangs still.
  void WriteOff(std::size_t place) HALLMARK_EXCLUDES(mu);
  bool WrittenOff(std::size_t place) HALLMARK_EXCLUDES(mu);
  // A written-off call came back.
  void Retire(std::size_t place) HALLMARK_EXCLUDES(mu);

  bool MayBorrow() const HALLMARK_REQUIRES(mu) {
    return queue.empty() && !free.empty() && !stalled && usual_call < kTooSlowToBorrow;
  }
  bool Hangs(const Running& call, SteadyTime now) const {
    return call.task != nullptr && !call.written_off &&
           now - call.started > options.hung_call_limit && call.deadline <= now;
  }
  void Occupy(std::size_t place, std::shared_ptr<MacTask> task, SteadyTime deadline, SteadyTime now,
              bool borrowed) HALLMARK_REQUIRES(mu);
  // The next task whose turn it is, in `place`; those that cannot be done any more are put aside.
  void Pop(std::size_t place, SteadyTime now, FairQueue::Entry* next) HALLMARK_REQUIRES(mu);
  Finisher Conclude(std::size_t place, SteadyTime ended, bool computed) HALLMARK_REQUIRES(mu);
  Verdict MayCome(SteadyTime deadline, SteadyTime now) const HALLMARK_REQUIRES(mu);
  // The newest call of whoever holds most, out of the queue; a visit to it has begun.
  std::shared_ptr<MacTask> Displace() HALLMARK_REQUIRES(mu);
  // Takes the task only if the verdict is kTaken. `displaced` loses its place to it.
  Verdict Enqueue(std::shared_ptr<MacTask>&& task, SteadyTime deadline, std::uint64_t principal,
                  SteadyTime now, std::shared_ptr<MacTask>* displaced) HALLMARK_REQUIRES(mu);
  // Until the token begins a call.
  std::chrono::nanoseconds Wait(const FairQueue::Outlook& outlook) const HALLMARK_REQUIRES(mu);
  // Moves what is overdue out of the queue and off the workers; returns the next deadline.
  SteadyTime CollectOverdue(SteadyTime now, std::vector<std::shared_ptr<MacTask>>* queued_out,
                            std::vector<std::shared_ptr<MacTask>>* running_out,
                            std::vector<std::size_t>* hung_out) HALLMARK_REQUIRES(mu);
  Error Refusal(const Verdict& verdict) const;
  Error Busy(std::chrono::nanoseconds wait) const;

  const MacQueueOptions options;
  const std::size_t width;
  const ComputerFactory make_computer;
  const HungCallEvents events;
  std::atomic<bool> stuck{false};
  std::atomic<std::size_t> hung_now{0};
  std::atomic<std::uint64_t> written_off{0};
  // Threads inside a task's Admit or Finish. Goes up under mu, and only for a task that was not
  // answered by others, so that whoever answered them all has but to wait for zero.
  std::atomic<std::size_t> in_tasks{0};
  // By place; each is used by whoever has taken the place. Null: a spare one.
  std::vector<std::unique_ptr<MacComputer>> computers;

  Mutex mu;
  ConditionVariable work;
  ConditionVariable reaper_work;
  ConditionVariable borrowed_back;
  FairQueue queue HALLMARK_GUARDED_BY(mu);
  // Taken out of the queue, for the reaper to answer: their deadlines cannot be met.
  std::vector<std::shared_ptr<MacTask>> overdue HALLMARK_GUARDED_BY(mu);
  std::vector<Running> running HALLMARK_GUARDED_BY(mu);
  std::vector<std::size_t> free HALLMARK_GUARDED_BY(mu);   // places
  std::vector<std::size_t> spare HALLMARK_GUARDED_BY(mu);  // places
  // Those that may be at work; the lost ones among them are not counted.
  std::list<TokenThread> workers HALLMARK_GUARDED_BY(mu);
  std::size_t working HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t stuck_places HALLMARK_GUARDED_BY(mu) = 0;
  bool told_too_many HALLMARK_GUARDED_BY(mu) = false;
  // As the reaper last saw it.
  bool stalled HALLMARK_GUARDED_BY(mu) = false;
  // Threads of others that compute for us.
  std::size_t borrowed HALLMARK_GUARDED_BY(mu) = 0;
  bool borrowed_left_behind HALLMARK_GUARDED_BY(mu) = false;
  // The token's own time, from the last admission to the answer. Rises fast and falls slowly: to
  // learn too late that the token is slow lets in what then waits in vain.
  std::chrono::nanoseconds average_call HALLMARK_GUARDED_BY(mu){0};
  // Falls at once and rises slowly, so that it tells the token's time from time spent waiting for a
  // processor.
  std::chrono::nanoseconds usual_call HALLMARK_GUARDED_BY(mu){0};
  bool reaper_sleeps HALLMARK_GUARDED_BY(mu) = false;
  bool stopping HALLMARK_GUARDED_BY(mu) = false;
  bool reaper_stopping HALLMARK_GUARDED_BY(mu) = false;
};

}  // namespace hallmark::pkcs11
