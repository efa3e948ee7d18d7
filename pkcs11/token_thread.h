// A thread that calls a token, and so may never come back.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"

#include <functional>
#include <memory>
#include <thread>

namespace hallmark::pkcs11 {

// PKCS#11 has no way to cancel a call, and no thread can be killed safely. So such a thread is
// waited for only so long, then left behind: everything it touches must be owned by `body` (shared
// pointers).
class TokenThread {
 public:
  explicit TokenThread(std::function<void()> body);
  // Leaves the thread behind if it has not ended.
  ~TokenThread();
  TokenThread(TokenThread&&) = default;
  TokenThread(const TokenThread&) = delete;
  TokenThread& operator=(const TokenThread&) = delete;
  TokenThread& operator=(TokenThread&&) = delete;

  // False if the thread had not ended by then; it may be asked again.
  bool JoinUntil(SteadyTime deadline);

 private:
  struct Ended {
    Mutex mu;
    ConditionVariable changed;
    bool value HALLMARK_GUARDED_BY(mu) = false;
  };
  std::shared_ptr<Ended> ended_;
  std::jthread thread_;
};

}  // namespace hallmark::pkcs11
