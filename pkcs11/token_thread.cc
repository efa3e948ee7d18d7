#include "pkcs11/token_thread.h"

#include <utility>

namespace hallmark::pkcs11 {

TokenThread::TokenThread(std::function<void()> body)
    : ended_(std::make_shared<Ended>()),
      thread_([body = std::move(body), ended = ended_]() mutable {
        body();
        body = nullptr;  // what it owns is gone before anybody learns that the thread has ended
        MutexLock lock(ended->mu);
        ended->value = true;
        ended->changed.notify_all();
      }) {}

TokenThread::~TokenThread() {
  if (thread_.joinable()) thread_.detach();
}

bool TokenThread::JoinUntil(SteadyTime deadline) {
  if (!thread_.joinable()) return true;
  {
    MutexLock lock(ended_->mu);
    while (!ended_->value) {
      if (ended_->changed.wait_until(ended_->mu, deadline) == std::cv_status::timeout &&
          !ended_->value) {
        return false;
      }
    }
  }
  thread_.join();
  return true;
}

}  // namespace hallmark::pkcs11
