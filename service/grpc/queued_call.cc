#include "service/grpc/queued_call.h"

#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace hallmark::grpc_front {
namespace {

constexpr std::chrono::milliseconds kNoMemoryPause{10};

}  // namespace

void QueuedService::Begin(CallQueue& queue) {
  queue_ = &queue;
  ListenForAll();
}

void QueuedCall::Listen(const std::shared_ptr<QueuedCall>& self) {
  self_ = self;
  service_.queued_calls().Begin();
  try {
    context_.AsyncNotifyWhenDone(TagOf(over_));
    RequestFrom(service_.queue(), TagOf(arrived_));
  } catch (...) {  // no memory: nothing of it will be handed out
    LeaveQueue();
    throw;
  }
}

void* QueuedCall::finished_tag() { return TagOf(finished_); }

void QueuedCall::OnArrived(bool ok) {
  if (!ok) {  // the server stops, and the call will never be over either
    LeaveQueue();
    return;
  }
  service_.active_calls().Begin();
  const std::shared_ptr<QueuedCall> self = self_;
  ListenAgain();
  Release();
  Arrived(self);
}

void QueuedCall::ListenAgain() noexcept {
  for (;;) {
    try {
      return ListenForNext();
    } catch (const std::bad_alloc&) {
      // Unheard, the method would be dead for ever. This thread waits, and is replaced meanwhile.
      std::this_thread::sleep_for(kNoMemoryPause);
    }
  }
}

void QueuedCall::OnOver(bool) {
  Over(context_.IsCancelled());
  Release();
}

void QueuedCall::OnFinished(bool) { Release(); }

void QueuedCall::Release() {
  if (pending_.fetch_sub(1) > 1) return;
  service_.active_calls().End();
  LeaveQueue();
}

void QueuedCall::LeaveQueue() {
  QueuedService& service = service_;
  // Often ends this call. Only then may the service go.
  std::exchange(self_, nullptr).reset();
  service.queued_calls().End();
}

}  // namespace hallmark::grpc_front
