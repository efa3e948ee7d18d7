// A call that a call queue delivers, and the service whose calls these are.
#pragma once

#include "service/grpc/call_queue.h"
#include "service/net/active_calls.h"

#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>

namespace hallmark::grpc_front {

// As the queue hands it out.
inline void* TagOf(Completion& completion) { return &completion; }

// Has its calls delivered by the server's call queue. No service uses gRPC's callbacks or threads:
// the first that did would make gRPC poll every connection with a thread of its own beside ours.
class QueuedService {
 public:
  virtual ~QueuedService() = default;

  virtual void Register(grpc::ServerBuilder& builder) = 0;
  // "hallmark.v1.KeyService"
  virtual const char* full_name() const = 0;

  // The server has been started: calls are listened for from now on. `queue` outlives every call.
  void Begin(CallQueue& queue);

  // Calls that have arrived and are not done.
  net::ActiveCalls& active_calls() { return active_calls_; }
  // Those, and the ones that are listened for: the queue may be shut down when there are none.
  net::ActiveCalls& queued_calls() { return queued_calls_; }

  // For the calls.
  grpc::ServerCompletionQueue& queue() { return queue_->queue(); }

 protected:
  // Listens for the first call of every method.
  virtual void ListenForAll() = 0;

 private:
  CallQueue* queue_ = nullptr;
  net::ActiveCalls active_calls_;
  net::ActiveCalls queued_calls_;
};

// The life of one call on the queue: listened for, arrived, finished and over.
class QueuedCall {
 public:
  // `context` may be a part of the call that is not made yet.
  QueuedCall(QueuedService& service, grpc::ServerContext& context)
      : service_(service), context_(context) {}
  virtual ~QueuedCall() = default;
  QueuedCall(const QueuedCall&) = delete;
  QueuedCall& operator=(const QueuedCall&) = delete;

  // Asks for the next call of the method. `self` is this.
  void Listen(const std::shared_ptr<QueuedCall>& self);

  grpc::ServerContext& context() { return context_; }

 protected:
  // This, while it is not over and finished.
  const std::shared_ptr<QueuedCall>& self() const { return self_; }

  virtual void RequestFrom(grpc::ServerCompletionQueue& queue, void* tag) = 0;
  // Listens for the next call of the method, in the place of this one, which has arrived.
  virtual void ListenForNext() = 0;
  // `self` is this, for whoever works on the call. May be held up.
  virtual void Arrived(const std::shared_ptr<QueuedCall>& self) = 0;
  // The call was answered, or its client has gone; it must be finished even so.
  virtual void Over(bool /*cancelled*/) {}

  // What gRPC is to be given when the call is finished: exactly once, and as its last step.
  void* finished_tag();

 private:
  void OnArrived(bool ok);
  void ListenAgain() noexcept;
  void OnOver(bool ok);
  void OnFinished(bool ok);
  void Release();
  void LeaveQueue();

  QueuedService& service_;
  grpc::ServerContext& context_;
  MemberCompletion<QueuedCall> arrived_{*this, &QueuedCall::OnArrived};
  MemberCompletion<QueuedCall> over_{*this, &QueuedCall::OnOver};
  MemberCompletion<QueuedCall> finished_{*this, &QueuedCall::OnFinished};
  // What keeps a call that has arrived: `arrived_`, since another thread may be handed `over_`
  // before this one has come to it, `over_` and `finished_`.
  std::atomic<int> pending_{3};
  // INVARIANT: set while the queue may hand out a completion of ours. Work that is still queued for
  // a cancelled call may hold on a little longer.
  std::shared_ptr<QueuedCall> self_;
};

}  // namespace hallmark::grpc_front
