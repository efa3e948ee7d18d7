#include "service/grpc/grpc_front.h"

#include "service/app/audit.h"
#include "service/app/guard.h"
#include "service/app/operations.h"
#include "service/app/request_id.h"
#include "service/grpc/deadline.h"
#include "service/grpc/peer_address.h"
#include "service/grpc/status.h"
#include "service/grpc/unary_call.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// The PEM text of the client's certificate; lives as long as the connection.
std::string_view PeerCertificateOf(const grpc::AuthContext& auth) {
  const auto values = auth.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (values.size() != 1) return {};
  return {values.front().data(), values.front().size()};
}

// What it sent beside that certificate.
std::string_view PeerIntermediatesOf(const grpc::AuthContext& auth) {
  const auto values = auth.FindPropertyValues(GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME);
  if (values.size() != 1) return {};
  return {values.front().data(), values.front().size()};
}

// So many calls of an operation may arrive at once without waiting for a place.
constexpr int kListening = 16;

}  // namespace

// A call and its answer in one allocation: what the pipeline shares and what the queue drives.
class GrpcFront::Call : public UnaryCall, public app::CallContext {
 public:
  Call(GrpcFront& front, Operation of) : UnaryCall(front), front_(front) {
    operation = of;
    may_hold_up_thread = true;
  }

 private:
  void ListenForNext() override { front_.Listen(operation); }
  void Arrived(const std::shared_ptr<QueuedCall>& self) override {
    front_.Serve(std::static_pointer_cast<Call>(self));
  }
  void Over(bool was_cancelled) override {
    if (was_cancelled) cancelled.store(true, std::memory_order_relaxed);
  }

  GrpcFront& front_;
};

void GrpcFront::ListenForAll() {
  for (int i = 0; i < kListening; ++i) {
#define HALLMARK_SERVED(operation, lane, forms) Listen(Operation::k##operation);
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
  }
}

void GrpcFront::Listen(Operation operation) {
  const auto listen = [](const std::shared_ptr<Call>& call) { call->Listen(call); };
#define HALLMARK_SERVED(name, lane, forms)                                                    \
  if (operation == Operation::k##name) {                                                      \
    listen(std::make_shared<TypedCall<Call, Service, v1::name##Request, v1::name##Response>>( \
        service_, &Service::Request##name, *this, operation));                                \
  }
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
}

void GrpcFront::Serve(const std::shared_ptr<Call>& call) {
  const auto refuse = [&](const Status& refusal) noexcept {
    app::RecordStranger(strangers_, engine_.clock.SteadyNow(), engine_.audit, app::EventOf(*call),
                        refusal);
    try {
      engine_.on_finished(*call, refusal);
    } catch (...) {  // a lost line in the log must not cost the caller its answer
    }
    call->Answer(ToGrpcStatus(refusal, call->request_id));
  };
  try {
    grpc::ServerContext& context = call->context();
    call->request_id = app::NewRequestId();
    call->started = engine_.clock.SteadyNow();
    call->deadline = DeadlineOf(context, call->started, max_call_duration_);
    call->peer = PeerAddress(context.peer());
    context.AddInitialMetadata("x-hallmark-request-id", call->request_id);

    Result<authn::PeerIdentity> identity = authenticator_.Authenticate(
        PeerCertificateOf(*context.auth_context()),
        [&context] { return PeerIntermediatesOf(*context.auth_context()); });
    if (!identity.has_value()) {
      refuse(Unexpected(std::move(identity).error()));
      return;
    }
    call->caller = std::move(identity->principal);
    call->fingerprint = identity->fingerprint;
    call->spiffe_id = std::move(identity->spiffe_id);
    call->credential_expiry = identity->expiry;
    // A bare pointer, so that the closure needs no memory of its own; the call keeps itself alive.
    app::Dispatch(engine_, call, call->request(), &call->response(),
                  [bare = call.get()](const Status& status) {
                    bare->Answer(ToGrpcStatus(status, bare->request_id));
                  });
  } catch (...) {
    if (!call->answered()) refuse(app::UnexpectedFailure());
  }
}

}  // namespace hallmark::grpc_front
