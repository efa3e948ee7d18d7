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

void ListenAgain(const std::function<void()>& listen) noexcept {
  for (;;) {
    try {
      listen();
      return;
    } catch (const std::bad_alloc&) {
      // This thread waits, and is replaced meanwhile.
      std::this_thread::sleep_for(kNoMemoryPause);
    }
  }
}

void QueuedCall::Listen(const std::shared_ptr<QueuedCall>& self) {
  self_ = self;
  service_.queued_calls().Begin();
  context_.AsyncNotifyWhenDone(TagOf(over_));
  RequestFrom(service_.queue(), TagOf(arrived_));
}

void* QueuedCall::finished_tag() { return TagOf(finished_); }

void QueuedCall::OnArrived(bool ok) {
  if (!ok) {  // the server stops, and the call will never be over either
    LeaveQueue();
    return;
  }
  service_.active_calls().Begin();
  // Once it is answered, `self_` is others' to drop.
  const std::shared_ptr<QueuedCall> self = self_;
  Arrived(self);
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
  const std::shared_ptr<QueuedCall> last = std::move(self_);
  service.queued_calls().End();
}

}  // namespace hallmark::grpc_front
