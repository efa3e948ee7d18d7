#include "service/server/periodic_task.h"

#include <utility>

namespace hallmark::service {

PeriodicTask::PeriodicTask(std::chrono::milliseconds interval, Work work)
    : interval_(interval), work_(std::move(work)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void PeriodicTask::Wake() {
  {
    MutexLock lock(mu_);
    wake_ = true;
  }
  woken_.notify_all();
}

void PeriodicTask::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    work_(stop);
    MutexLock lock(mu_);
    woken_.wait_for(mu_, stop, interval_, [this]() HALLMARK_REQUIRES(mu_) { return wake_; });
    wake_ = false;
  }
}

}  // namespace hallmark::service
