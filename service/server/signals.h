// What the operator asks of the daemon by signals.
#pragma once

#include "keystate/mutex.h"

#include <csignal>
#include <memory>

namespace hallmark::service {

// SIGTERM and SIGINT ask for the end, SIGHUP for a reload. At the second request for the end the
// process ends on the spot, whatever hangs: what was acknowledged is durable, so nothing is lost.
//
// Thread-safety: none; main owns it.
class Signals {
 public:
  enum class Request { kReload, kEnd };

  // Blocks the signals in this thread and in every thread made after it, which so must be all
  // others: called at the start of main.
  Signals();

  // Nobody listens: the signals do again what they do by default.
  void Unblock();

  // Begins to listen.
  void Watch();

  // Waits for the next request. Reloads that were asked for meanwhile are one, and the end comes
  // before them.
  Request Wait();

 private:
  struct Inbox {
    Mutex mu;
    ConditionVariable changed;
    bool reload HALLMARK_GUARDED_BY(mu) = false;
    bool end HALLMARK_GUARDED_BY(mu) = false;
  };

  static void Receive(const sigset_t& signals, Inbox& inbox);

  sigset_t signals_{};
  // Shared with the receiving thread, which only the process' end ends.
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
};

}  // namespace hallmark::service
