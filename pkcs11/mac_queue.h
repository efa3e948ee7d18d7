// MACs that wait for a token, the threads that compute them, and the promise that every one is
// answered by its deadline.
#pragma once

#include "keystate/hsm.h"
#include "pkcs11/token_thread.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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
};

struct MacQueueOptions {
  std::string token_id;
  std::size_t workers = 1;
  std::size_t max_queued = 1;
};

// A bounded queue with its workers and a reaper. The reaper answers what has passed its deadline,
// in the queue or inside a token call that does not return; the worker drops the late result.
//
// While nothing is queued and the token is fast, the thread that submits a task computes it itself
// if the task allows that: changing threads twice costs more than such a token does.
//
// Thread-safety: every method may be called from any thread.
class MacQueue {
 public:
  // Called once per worker, on the constructing thread.
  using ComputerFactory = std::function<std::unique_ptr<MacComputer>()>;

  MacQueue(MacQueueOptions options, const ComputerFactory& make_computer);
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

 private:
  struct State;

  std::shared_ptr<State> state_;
  std::vector<TokenThread> workers_;
  std::jthread reaper_;
};

}  // namespace hallmark::pkcs11
