#include "service/grpc/grpc_front.h"

#include "service/app/operations.h"
#include "service/grpc/deadline.h"
#include "service/grpc/request_id.h"
#include "service/grpc/status.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
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

// So many calls of an operation may arrive at once without waiting for a place.
constexpr int kListening = 16;
constexpr std::chrono::milliseconds kNoMemoryPause{10};
constexpr std::chrono::milliseconds kQueuedCallsPoll{5};

template <class RequestMessage, class ResponseMessage>
class TypedCall final : public UnaryCall {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<ResponseMessage>;
  using Method = void (GrpcFront::Service::*)(grpc::ServerContext*, RequestMessage*, Writer*,
                                              grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                              void*);

  TypedCall(GrpcFront& owner, Operation of, Method method)
      : UnaryCall(owner, of), method_(method) {}

  const google::protobuf::Message& request() const override { return request_; }
  google::protobuf::Message& response() override { return response_; }

 private:
  void Request(grpc::ServerCompletionQueue& queue, void* tag) override {
    (front().service().*method_)(&context(), &request_, &writer_, &queue, &queue, tag);
  }
  void Finish(const grpc::Status& status, void* tag) override {
    if (status.ok()) {
      writer_.Finish(response_, status, tag);
    } else {
      writer_.FinishWithError(status, tag);
    }
  }

  const Method method_;
  RequestMessage request_;
  ResponseMessage response_;
  Writer writer_{&context()};
};

}  // namespace

void GrpcFront::Begin(std::unique_ptr<grpc::ServerCompletionQueue> queue) {
  queue_.emplace(std::move(queue));
  for (int i = 0; i < kListening; ++i) {
#define HALLMARK_SERVED(operation, lane, forms) Listen(Operation::k##operation);
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
  }
}

void GrpcFront::End() {
  // A server that was shut down does not wait for its calls, and a queue that was shut down takes
  // no answers.
  while (!queued_calls_.none()) std::this_thread::sleep_for(kQueuedCallsPoll);
  queue_->ShutDown();
}

void GrpcFront::Listen(Operation operation) {
  const auto listen = [](std::shared_ptr<UnaryCall> call) { call->Listen(call); };
#define HALLMARK_SERVED(name, lane, forms)                                     \
  if (operation == Operation::k##name) {                                       \
    listen(std::make_shared<TypedCall<v1::name##Request, v1::name##Response>>( \
        *this, operation, &Service::Request##name));                           \
  }
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
}

void GrpcFront::ListenAgain(Operation operation) noexcept {
  for (;;) {
    try {
      Listen(operation);
      return;
    } catch (const std::bad_alloc&) {
      // Unheard, the operation would be dead for ever: this thread waits, and is replaced
      // meanwhile.
      std::this_thread::sleep_for(kNoMemoryPause);
    }
  }
}

void GrpcFront::Serve(const std::shared_ptr<UnaryCall>& call) {
  ListenAgain(call->operation);
  const auto refuse = [&](const Status& refusal) noexcept {
    try {
      engine_.on_finished(*call, refusal);
    } catch (...) {  // a lost line in the log must not cost the caller its answer
    }
    call->Answer(refusal);
  };
  try {
    grpc::ServerContext& context = call->context();
    call->request_id = NewRequestId();
    call->started = engine_.clock.SteadyNow();
    call->deadline = DeadlineOf(context, call->started, max_call_duration_);
    call->peer = PeerAddress(context.peer());
    context.AddInitialMetadata("x-hallmark-request-id", call->request_id);

    Result<authn::PeerIdentity> identity =
        authenticator_.Authenticate(PeerCertificateOf(*context.auth_context()));
    if (!identity.has_value()) {
      refuse(Unexpected(std::move(identity).error()));
      return;
    }
    call->caller = std::move(identity->principal);
    call->fingerprint = identity->fingerprint;
    call->credential_expiry = identity->expiry;
    // A bare pointer, so that the closure needs no memory of its own; the call keeps itself alive.
    app::Dispatch(engine_, call, call->request(), &call->response(),
                  [answer = call.get()](const Status& status) { answer->Answer(status); });
  } catch (...) {
    if (!call->answered()) refuse(UnexpectedFailure());
  }
}

}  // namespace hallmark::grpc_front
