// Work that is done now and then.
#pragma once

#include "keystate/mutex.h"

#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>

namespace hallmark::service {

// Runs the work on a thread of its own: at once, then whenever the interval is over or Wake was
// called since it began.
class PeriodicTask {
 public:
  // `work` may look at its token to end early.
  using Work = std::function<void(const std::stop_token& stop)>;

  PeriodicTask(std::chrono::milliseconds interval, Work work);
  // Waits for the work to end.
  ~PeriodicTask() = default;
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  // Thread-safety: from any thread.
  void Wake() HALLMARK_EXCLUDES(mu_);

 private:
  void Run(const std::stop_token& stop) HALLMARK_EXCLUDES(mu_);

  const std::chrono::milliseconds interval_;
  const Work work_;
  Mutex mu_;
  ConditionVariable woken_;
  bool wake_ HALLMARK_GUARDED_BY(mu_) = false;
  std::jthread thread_;
};

}  // namespace hallmark::service
