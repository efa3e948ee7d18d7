// A call and its answer in one allocation: what the pipeline shares and what the queue drives.
#pragma once

#include "service/app/call_context.h"
#include "service/grpc/call_queue.h"

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>

namespace hallmark::grpc_front {

class GrpcFront;

class UnaryCall : public app::CallContext {
 public:
  // `front` outlives the call.
  UnaryCall(GrpcFront& front, Operation of);
  virtual ~UnaryCall() = default;
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  // Asks for the next call of the operation, which the front serves when it arrives. `self` is
  // this.
  void Listen(const std::shared_ptr<UnaryCall>& self);

  // Exactly once, after the call has arrived.
  void Answer(const Status& status) noexcept;
  bool answered() const { return answered_; }

  grpc::ServerContext& context() { return context_; }
  virtual const google::protobuf::Message& request() const = 0;
  virtual google::protobuf::Message& response() = 0;

 protected:
  GrpcFront& front() const { return front_; }
  virtual void Request(grpc::ServerCompletionQueue& queue, void* tag) = 0;
  virtual void Finish(const grpc::Status& status, void* tag) = 0;

 private:
  void OnArrived(bool ok);
  void OnSent(bool ok);
  void OnDone(bool ok);
  void Release();
  void LeaveQueue();

  GrpcFront& front_;
  grpc::ServerContext context_;
  MemberCompletion<UnaryCall> arrived_{*this, &UnaryCall::OnArrived};
  MemberCompletion<UnaryCall> sent_{*this, &UnaryCall::OnSent};
  MemberCompletion<UnaryCall> done_{*this, &UnaryCall::OnDone};
  std::atomic<bool> answered_{false};
  // What the queue still hands out of a call that has arrived: `sent_` and `done_`.
  std::atomic<int> pending_{2};
  // INVARIANT: set while the queue may hand out a completion of ours. Work that is still queued for
  // a cancelled call may hold on a little longer.
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace hallmark::grpc_front
