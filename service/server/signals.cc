#include "service/server/signals.h"

#include <pthread.h>
#include <sysexits.h>
#include <unistd.h>

#include <thread>

namespace hallmark::service {

Signals::Signals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  // nohup leaves it ignored, and an ignored signal need not ever be delivered to a sigwait.
  std::signal(SIGHUP, SIG_DFL);
}

void Signals::Unblock() { pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

void Signals::Watch() {
  // Detached, since only a second request for the end would end it, and that ends the process.
  std::thread([signals = signals_, inbox = inbox_] { Receive(signals, *inbox); }).detach();
}

void Signals::Receive(const sigset_t& signals, Inbox& inbox) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const MutexLock lock(inbox.mu);
    if (signal == SIGHUP) {
      inbox.reload = true;
    } else if (inbox.end) {
      _exit(128 + signal);
    } else {
      inbox.end = true;
    }
    inbox.changed.notify_all();
  }
}

void Signals::EndWith(int exit_code) {
  const MutexLock lock(inbox_->mu);
  inbox_->exit_code = exit_code;
  inbox_->changed.notify_all();
}

int Signals::exit_code() const {
  const MutexLock lock(inbox_->mu);
  return inbox_->exit_code.value_or(EX_OK);
}

Signals::Request Signals::Wait() {
  Inbox& inbox = *inbox_;
  const MutexLock lock(inbox.mu);
  while (!inbox.end && !inbox.exit_code.has_value() && !inbox.reload) inbox.changed.wait(inbox.mu);
  if (inbox.end || inbox.exit_code.has_value()) return Request::kEnd;
  inbox.reload = false;
  return Request::kReload;
}

}  // namespace hallmark::service
