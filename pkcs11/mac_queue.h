// MACs that wait for a token, the threads that compute them, and the promise that every one is
// answered by its deadline.
#pragma once

#include "keystate/hsm.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace hallmark::pkcs11 {

// MacTask::Admit, unless the task was answered without us, its caller gave up or its deadline has
// passed: then nothing of the task may be touched any more.
using Admission = std::function<Result<MacKey>()>;

// Computes MACs on one thread.
class MacComputer {
 public:
  virtual ~MacComputer() = default;
  // Calls `admit` after every wait, before the task is touched again. Does not throw.
  virtual Result<MacTag> Compute(const MacTask& task, SteadyTime deadline,
                                 const Admission& admit) = 0;
  // There is nothing to do: gives back what others may need.
  virtual void Idle() = 0;
  // Another took its place while its call did not come back: closes what it holds. The last call.
  virtual void Retire() = 0;
};

struct MacQueueOptions {
  std::string token_id;
  std::size_t workers = 1;
  std::size_t max_queued = 1;
  // A call that has not come back by then, and by its deadline, is written off.
  std::chrono::milliseconds hung_call_limit{30'000};
  // A computer may wait where it cannot call `admit`: what it computed is given out only if the
  // task is admitted even then.
  bool waits_elsewhere = false;
  // Calls that may be written off and out at a time.
  std::size_t max_hung_calls = 16;
};

// What a MacQueue tells of calls that do not come back. Called on its own thread; must not block.
struct HungCallEvents {
  // One was written off; `now` are out.
  std::function<void(std::size_t now)> written_off;
  // One more would be written off, but as many are out as may be. Called once.
  std::function<void()> too_many;
};

// A bounded queue with its workers and a reaper. The queue serves principals in turn, and takes
// nothing that would not be done by its deadline. The reaper answers what has passed its deadline,
// in the queue or inside a token call that does not return; the worker drops the late result. A
// call that stays away for long is written off: another thread and another computer take its place.
//
// While nothing is queued and the token is fast, the thread that submits a task computes it itself
// if the task allows that: changing threads twice costs more than such a token does.
//
// Thread-safety: every method may be called from any thread.
class MacQueue {
 public:
  // Called once per worker, on the constructing thread, and for each call that is written off, on
  // the queue's own. May throw for want of memory.
  using ComputerFactory = std::function<std::unique_ptr<MacComputer>()>;

  MacQueue(MacQueueOptions options, ComputerFactory make_computer, HungCallEvents events);
  // Takes no more, answers what is queued, waits a little for what is under way, answers that too,
  // and leaves behind the threads that are stuck in the token: these call no task's Admit or Finish
  // after this has returned, and those that are not ours never return from Submit.
  ~MacQueue();
  MacQueue(const MacQueue&) = delete;
  MacQueue& operator=(const MacQueue&) = delete;

  // Answers through Finish: at once, if the task cannot be done in time. Blocks only for a task
  // that may be computed here.
  void Submit(std::shared_ptr<MacTask> task);

  // Tasks that wait or are being computed.
  std::size_t outstanding() const;

  // Every worker is inside a call that takes far longer than calls do.
  bool stuck() const;

  HungCalls hung_calls() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
  std::jthread reaper_;
};

}  // namespace hallmark::pkcs11
