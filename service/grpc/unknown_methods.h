// Answers calls of methods that nobody serves.
#pragma once

#include "service/grpc/queued_call.h"

#include <grpcpp/generic/async_generic_service.h>

namespace hallmark::grpc_front {

// With UNIMPLEMENTED, as gRPC itself does for a server without a generic service. But what
// gRPC 1.51 listens with for that is on the queue before it is fully made: of calls that come in a
// burst one can come out of the queue as a null pointer.
class UnknownMethods final : public QueuedService {
 public:
  void Register(grpc::ServerBuilder& builder) override {
    builder.RegisterAsyncGenericService(&service_);
  }
  const char* full_name() const override { return ""; }

 private:
  class Call;

  void ListenForAll() override;
  void Listen();

  grpc::AsyncGenericService service_;
};

}  // namespace hallmark::grpc_front
