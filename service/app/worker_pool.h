// Threads for work that waits for the store or for key generation.
#pragma once

#include "keystate/mutex.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

namespace hallmark::app {

// A bounded queue and its threads. Work that does not fit is refused at once, so that a slow disk
// cannot pile up calls without end.
class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t max_queued);
  // Runs what is queued, then ends.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False if the queue is full or the pool is ending; `work` was not taken then.
  [[nodiscard]] bool Submit(std::function<void()> work);

 private:
  void Run();

  const std::size_t max_queued_;
  Mutex mu_;
  ConditionVariable changed_;
  std::deque<std::function<void()>> queue_ HALLMARK_GUARDED_BY(mu_);
  bool ending_ HALLMARK_GUARDED_BY(mu_) = false;
  std::vector<std::jthread> threads_;
};

}  // namespace hallmark::app
