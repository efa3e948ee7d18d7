// A call with one request and one answer.
#pragma once

#include "keystate/result.h"
#include "service/grpc/queued_call.h"

#include <google/protobuf/message.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <memory>
#include <utility>

namespace hallmark::grpc_front {

class UnaryCall : public QueuedCall {
 public:
  explicit UnaryCall(QueuedService& service) : QueuedCall(service, context_) {}

  // Exactly once, after the call has arrived.
  void Answer(const grpc::Status& status) noexcept;
  bool answered() const { return answered_; }

  virtual const google::protobuf::Message& request() const = 0;
  virtual google::protobuf::Message& response() = 0;

 protected:
  virtual void Finish(const grpc::Status& status, void* tag) = 0;

 private:
  grpc::ServerContext context_;
  std::atomic<bool> answered_{false};
};

// `Base`, a UnaryCall, with the messages of one method of `AsyncService`.
template <class Base, class AsyncService, class RequestMessage, class ResponseMessage>
class TypedCall final : public Base {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<ResponseMessage>;
  using Method = void (AsyncService::*)(grpc::ServerContext*, RequestMessage*, Writer*,
                                        grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                        void*);

  template <class... Arguments>
  TypedCall(AsyncService& service, Method receive, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), service_(service), receive_(receive) {}

  const google::protobuf::Message& request() const override { return request_; }
  google::protobuf::Message& response() override { return response_; }

 private:
  void RequestFrom(grpc::ServerCompletionQueue& queue, void* tag) override {
    (service_.*receive_)(&this->context(), &request_, &writer_, &queue, &queue, tag);
  }
  void Finish(const grpc::Status& status, void* tag) override {
    if (status.ok()) {
      writer_.Finish(response_, status, tag);
    } else {
      writer_.FinishWithError(status, tag);
    }
  }

  AsyncService& service_;
  const Method receive_;
  RequestMessage request_;
  ResponseMessage response_;
  Writer writer_{&this->context()};
};

}  // namespace hallmark::grpc_front
