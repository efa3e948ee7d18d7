// What the operator asks of the daemon by signals, and the daemon of itself.
#pragma once

#include "keystate/mutex.h"

#include <csignal>
#include <memory>
#include <optional>

namespace hallmark::service {

// SIGTERM and SIGINT ask for the end, SIGHUP for a reload. At the second request for the end the
// process ends on the spot, whatever hangs: what was acknowledged is durable, so nothing is lost.
//
// Thread-safety: none but EndWith's; main owns it.
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

  // Asks for the end from within; for any thread. A signal that asks for it as well is the first.
  void EndWith(int exit_code);

  // Waits for the next request. Reloads that were asked for meanwhile are one, and the end comes
  // before them.
  Request Wait();

  // What EndWith asked for; otherwise EX_OK.
  int exit_code() const;

 private:
  struct Inbox {
    Mutex mu;
    ConditionVariable changed;
    bool reload HALLMARK_GUARDED_BY(mu) = false;
    bool end HALLMARK_GUARDED_BY(mu) = false;
    std::optional<int> exit_code HALLMARK_GUARDED_BY(mu);  // of EndWith
  };

  static void Receive(const sigset_t& signals, Inbox& inbox);

  sigset_t signals_{};
  // Shared with the receiving thread, which only the process' end ends.
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
};

}  // namespace hallmark::service
