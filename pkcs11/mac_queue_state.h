// What the threads of a MacQueue share. Part of its implementation: only mac_queue.cc, which takes
// and computes tasks, and mac_reaper.cc, which answers those that are late, include it.
#pragma once

#include "keystate/mutex.h"
#include "pkcs11/mac_queue.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
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
// a free place, workers and threads that bring a task alike.
struct MacQueue::State {
  State(MacQueueOptions with, const ComputerFactory& make_computer) : options(std::move(with)) {
    const std::size_t places = std::max<std::size_t>(1, options.workers);
    ring.resize(std::max<std::size_t>(1, options.max_queued));
    running.resize(places);
    free.reserve(places);
    for (std::size_t place = 0; place < places; ++place) {
      computers.push_back(make_computer());
      free.push_back(place);
    }
  }

  struct Queued {
    std::shared_ptr<MacTask> task;
    SteadyTime deadline{};
  };
  struct Running {
    std::shared_ptr<MacTask> task;  // null: nothing runs here
    SteadyTime deadline{};
    SteadyTime started{};
    bool answered = false;
  };

  void Work() HALLMARK_EXCLUDES(mu);
  void Reap() HALLMARK_EXCLUDES(mu);
  void Submit(std::shared_ptr<MacTask> task) HALLMARK_EXCLUDES(mu);
  // Computes the task, which is in its place already, on a thread that is not ours.
  void ComputeBorrowed(std::size_t place, const std::shared_ptr<MacTask>& task)
      HALLMARK_EXCLUDES(mu);
  // Returns when no thread of others computes; those that still do by then will never leave us.
  void AwaitBorrowed(SteadyTime give_up) HALLMARK_EXCLUDES(mu);
  void StopIntake() HALLMARK_EXCLUDES(mu);
  void StopReaper() HALLMARK_EXCLUDES(mu);
  void AnswerRunning() HALLMARK_EXCLUDES(mu);
  Result<MacTag> Compute(std::size_t place, MacTask& task, SteadyTime deadline);
  // The Admission of the task in `place`.
  Result<MacKey> Admit(std::size_t place, MacTask& task) HALLMARK_EXCLUDES(mu);

  bool MayBorrow() const HALLMARK_REQUIRES(mu) {
    return queued == 0 && !free.empty() && !stalled && usual_call < kTooSlowToBorrow;
  }
  bool Pop(std::size_t place, SteadyTime now, Queued* next) HALLMARK_REQUIRES(mu);
  // The call in `place` came back; true if its task is still to be finished, by us.
  bool Conclude(std::size_t place, SteadyTime ended, bool computed) HALLMARK_REQUIRES(mu);
  std::optional<Error> Refusal(SteadyTime deadline, SteadyTime now) HALLMARK_REQUIRES(mu);
  // Moves what is overdue out of the queue and off the workers; returns the next deadline.
  SteadyTime CollectOverdue(SteadyTime now, std::vector<std::shared_ptr<MacTask>>* queued_out,
                            std::vector<std::shared_ptr<MacTask>>* running_out)
      HALLMARK_REQUIRES(mu);
  Error Busy(std::chrono::nanoseconds wait) const;

  const MacQueueOptions options;
  std::atomic<bool> stuck{false};
  // Threads inside a task's Admit or Finish. Goes up under mu, and only for a task that was not
  // answered by others, so that whoever answered them all has but to wait for zero.
  std::atomic<std::size_t> in_tasks{0};
  // By place; each is used by whoever has taken the place.
  std::vector<std::unique_ptr<MacComputer>> computers;

  Mutex mu;
  ConditionVariable work;
  ConditionVariable reaper_work;
  ConditionVariable borrowed_back;
  std::vector<Queued> ring HALLMARK_GUARDED_BY(mu);
  std::size_t head HALLMARK_GUARDED_BY(mu) = 0;
  std::size_t queued HALLMARK_GUARDED_BY(mu) = 0;
  std::vector<Running> running HALLMARK_GUARDED_BY(mu);
  std::vector<std::size_t> free HALLMARK_GUARDED_BY(mu);  // places
  std::size_t stuck_places HALLMARK_GUARDED_BY(mu) = 0;
  // As the reaper last saw it.
  bool stalled HALLMARK_GUARDED_BY(mu) = false;
  // Threads of others that compute for us.
  std::size_t borrowed HALLMARK_GUARDED_BY(mu) = 0;
  bool borrowed_left_behind HALLMARK_GUARDED_BY(mu) = false;
  std::chrono::nanoseconds average_call HALLMARK_GUARDED_BY(mu){0};
  // Falls at once and rises slowly, so that it tells the token's time from time spent waiting for a
  // processor.
  std::chrono::nanoseconds usual_call HALLMARK_GUARDED_BY(mu){0};
  bool reaper_sleeps HALLMARK_GUARDED_BY(mu) = false;
  bool stopping HALLMARK_GUARDED_BY(mu) = false;
  bool reaper_stopping HALLMARK_GUARDED_BY(mu) = false;
};

}  // namespace hallmark::pkcs11
