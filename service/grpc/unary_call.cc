#include "service/grpc/unary_call.h"

#include "service/grpc/grpc_front.h"
#include "service/grpc/status.h"

#include <cstdlib>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// As the queue hands it out.
void* Tag(Completion& completion) { return &completion; }

}  // namespace

UnaryCall::UnaryCall(GrpcFront& front, Operation of) : front_(front) {
  operation = of;
  may_hold_up_thread = true;
}

void UnaryCall::Listen(const std::shared_ptr<UnaryCall>& self) {
  self_ = self;
  front_.queued_calls().Begin();
  context_.AsyncNotifyWhenDone(Tag(done_));
  Request(front_.queue(), Tag(arrived_));
}

void UnaryCall::Answer(const Status& status) noexcept {
  // The pipeline answers once. A second answer would be written into memory that gRPC has freed.
  if (answered_.exchange(true)) std::abort();
  Finish(ToGrpcStatus(status, request_id), Tag(sent_));
}

void UnaryCall::OnArrived(bool ok) {
  if (!ok) {  // the server stops, and the call will never be done either
    LeaveQueue();
    return;
  }
  front_.active_calls().Begin();
  // Once it is answered, `self_` is others' to drop.
  const std::shared_ptr<UnaryCall> self = self_;
  front_.Serve(self);
}

void UnaryCall::OnSent(bool) { Release(); }

void UnaryCall::OnDone(bool) {
  if (context_.IsCancelled()) cancelled.store(true, std::memory_order_relaxed);
  Release();
}

void UnaryCall::Release() {
  if (pending_.fetch_sub(1) > 1) return;
  front_.active_calls().End();
  LeaveQueue();
}

void UnaryCall::LeaveQueue() {
  const std::shared_ptr<UnaryCall> last = std::move(self_);
  front_.queued_calls().End();
}

}  // namespace hallmark::grpc_front
