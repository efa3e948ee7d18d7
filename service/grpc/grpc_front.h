// KeyService over gRPC: message in, app call, status out.
#pragma once

#include "hallmark/v1/kms.grpc.pb.h"
#include "service/app/engine.h"
#include "service/authn/peer_identity.h"
#include "service/grpc/active_calls.h"

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>

namespace hallmark::grpc_front {

// Thread-safety: gRPC calls every method from many threads.
class GrpcFront final : public v1::KeyService::CallbackService {
 public:
  // Both outlive the front. No call lasts longer than `max_call_duration`, whatever its client
  // allows.
  GrpcFront(app::Engine& engine, authn::PeerAuthenticator& authenticator,
            std::chrono::milliseconds max_call_duration)
      : engine_(engine), authenticator_(authenticator), max_call_duration_(max_call_duration) {}

  const ActiveCalls& active_calls() const { return active_calls_; }
  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

#define HALLMARK_SERVED(operation, lane, forms)                                     \
  grpc::ServerUnaryReactor* operation(grpc::CallbackServerContext* context,         \
                                      const v1::operation##Request* request,        \
                                      v1::operation##Response* response) override { \
    return Serve(Operation::k##operation, context, *request, response);             \
  }
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED

 private:
  grpc::ServerUnaryReactor* Serve(Operation operation, grpc::CallbackServerContext* context,
                                  const google::protobuf::Message& request,
                                  google::protobuf::Message* response);

  app::Engine& engine_;
  authn::PeerAuthenticator& authenticator_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  ActiveCalls active_calls_;
};

}  // namespace hallmark::grpc_front
