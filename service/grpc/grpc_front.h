// KeyService over gRPC: message in, app call, status out.
#pragma once

#include "hallmark/v1/kms.grpc.pb.h"
#include "service/app/engine.h"
#include "service/authn/peer_identity.h"
#include "service/grpc/active_calls.h"
#include "service/grpc/call_queue.h"
#include "service/grpc/grpc_server.h"
#include "service/grpc/unary_call.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

namespace hallmark::grpc_front {

// Takes its calls from a completion queue of its own: a token may hold up the threads of that,
// which are replaced then, and so the thread that received a call may compute its MAC. gRPC's
// callback interface has few threads and cannot replace them.
//
// Thread-safety: what calls use may be called from any thread.
class GrpcFront final : public QueueUser {
 public:
  using Service = v1::KeyService::AsyncService;

  // Both outlive the front. No call lasts longer than `max_call_duration`, whatever its client
  // allows.
  GrpcFront(app::Engine& engine, authn::PeerAuthenticator& authenticator,
            std::chrono::milliseconds max_call_duration)
      : engine_(engine), authenticator_(authenticator), max_call_duration_(max_call_duration) {}

  // What the server is to register.
  Service& service() { return service_; }
  void Begin(std::unique_ptr<grpc::ServerCompletionQueue> queue) override;
  void End() override;

  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

  // Calls that have arrived and are not done.
  ActiveCalls& active_calls() { return active_calls_; }

  // For the calls.
  grpc::ServerCompletionQueue& queue() { return queue_->queue(); }
  void Serve(const std::shared_ptr<UnaryCall>& call);
  // Those, and the ones that are listened for.
  ActiveCalls& queued_calls() { return queued_calls_; }

 private:
  void Listen(Operation operation);
  // Listens in the place of a call that has arrived.
  void ListenAgain(Operation operation) noexcept;

  app::Engine& engine_;
  authn::PeerAuthenticator& authenticator_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  ActiveCalls active_calls_;
  ActiveCalls queued_calls_;
  Service service_;
  std::optional<CallQueue> queue_;  // declared last: its threads end before what they use
};

}  // namespace hallmark::grpc_front
