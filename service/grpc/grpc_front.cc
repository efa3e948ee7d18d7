#include "service/grpc/grpc_front.h"

#include "service/app/operations.h"
#include "service/grpc/deadline.h"
#include "service/grpc/request_id.h"
#include "service/grpc/status.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// "ipv4:127.0.0.1:41234" → "127.0.0.1:41234"; "ipv6:%5B::1%5D:41234" → "[::1]:41234".
std::string PeerAddress(std::string uri) {
  if (uri.starts_with("ipv4:")) return uri.erase(0, 5);
  if (!uri.starts_with("ipv6:")) return uri;
  uri.erase(0, 5);
  for (const auto& [encoded, plain] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const std::size_t at = uri.find(encoded); at != std::string::npos)
      uri.replace(at, 3, plain);
  }
  return uri;
}

// The PEM text of the client's certificate; lives as long as the connection.
std::string_view PeerCertificateOf(const grpc::AuthContext& auth) {
  const auto values = auth.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (values.size() != 1) return {};
  return {values.front().data(), values.front().size()};
}

// A call and its answer in one allocation: what the pipeline shares and what gRPC drives.
class UnaryCall final : public app::CallContext, public grpc::ServerUnaryReactor {
 public:
  // `active_calls` outlives the call.
  static std::shared_ptr<UnaryCall> Create(ActiveCalls& active_calls) {
    auto call = std::make_shared<UnaryCall>(active_calls);
    call->self_ = call;
    return call;
  }
  explicit UnaryCall(ActiveCalls& active_calls) : active_calls_(active_calls) {
    active_calls_.Begin();
  }

  void Answer(const Status& status) noexcept {
    // The pipeline answers once. A second answer would be written into memory that gRPC has freed.
    if (answered_.exchange(true)) std::abort();
    Finish(ToGrpcStatus(status, request_id));
  }
  bool answered() const { return answered_; }

 private:
  void OnCancel() override { cancelled.store(true, std::memory_order_relaxed); }
  // gRPC is done with us; work that is still queued for a cancelled call may hold on a little
  // longer.
  void OnDone() override {
    active_calls_.End();
    const std::shared_ptr<UnaryCall> last = std::move(self_);
  }

  ActiveCalls& active_calls_;
  std::atomic<bool> answered_{false};
  // INVARIANT: set from Create until gRPC calls OnDone, which is after Answer.
  std::shared_ptr<UnaryCall> self_;
};

}  // namespace

grpc::ServerUnaryReactor* GrpcFront::Serve(Operation operation,
                                           grpc::CallbackServerContext* context,
                                           const google::protobuf::Message& request,
                                           google::protobuf::Message* response) {
  const std::shared_ptr<UnaryCall> call = UnaryCall::Create(active_calls_);
  const auto refuse = [&](const Status& refusal) noexcept {
    try {
      engine_.on_finished(*call, refusal);
    } catch (...) {  // a lost line in the log must not cost the caller its answer
    }
    call->Answer(refusal);
  };
  try {
    call->operation = operation;
    call->request_id = NewRequestId();
    call->started = engine_.clock.SteadyNow();
    call->deadline = DeadlineOf(*context, call->started, max_call_duration_);
    call->peer = PeerAddress(context->peer());
    context->AddInitialMetadata("x-hallmark-request-id", call->request_id);

    Result<authn::PeerIdentity> identity =
        authenticator_.Authenticate(PeerCertificateOf(*context->auth_context()));
    if (!identity.has_value()) {
      refuse(Unexpected(std::move(identity).error()));
      return call.get();
    }
    call->caller = std::move(identity->principal);
    call->fingerprint = identity->fingerprint;
    call->credential_expiry = identity->expiry;
    // A bare pointer, so that the closure needs no memory of its own; `self_` keeps it alive.
    app::Dispatch(engine_, call, request, response,
                  [answer = call.get()](const Status& status) { answer->Answer(status); });
  } catch (...) {
    if (!call->answered()) refuse(UnexpectedFailure());
  }
  return call.get();
}

}  // namespace hallmark::grpc_front
