// KeyService over gRPC: message in, app call, status out.
#pragma once

#include "hallmark/v1/kms.grpc.pb.h"
#include "service/app/engine.h"
#include "service/app/stranger_budget.h"
#include "service/authn/peer_identity.h"
#include "service/grpc/queued_call.h"

#include <atomic>
#include <chrono>
#include <memory>

namespace hallmark::grpc_front {

// The thread that received a call may compute its MAC: a token may hold up the threads of a call
// queue, which are replaced then. Who has no certificate of a principal is refused here: of such
// calls one a second is recorded.
//
// Thread-safety: what calls use may be called from any thread.
class GrpcFront final : public QueuedService {
 public:
  using Service = v1::KeyService::AsyncService;

  // Both outlive the front. No call lasts longer than `max_call_duration`, whatever its client
  // allows.
  GrpcFront(app::Engine& engine, authn::PeerAuthenticator& authenticator,
            std::chrono::milliseconds max_call_duration)
      : engine_(engine), authenticator_(authenticator), max_call_duration_(max_call_duration) {}

  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  const char* full_name() const override { return v1::KeyService::service_full_name(); }

  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

 private:
  class Call;

  void ListenForAll() override;
  void Listen(Operation operation);
  void Serve(const std::shared_ptr<Call>& call);

  app::Engine& engine_;
  authn::PeerAuthenticator& authenticator_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  app::StrangerBudget strangers_;
  Service service_;
};

}  // namespace hallmark::grpc_front
