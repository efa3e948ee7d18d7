#include "service/grpc/admin_front.h"

#include "service/app/explain_ops.h"
#include "service/app/guard.h"
#include "service/app/request_id.h"
#include "service/grpc/deadline.h"
#include "service/grpc/peer_address.h"
#include "service/grpc/status.h"
#include "service/grpc/unary_call.h"

#include <grpcpp/security/auth_context.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace hallmark::grpc_front {
namespace {

using google::protobuf::Message;

// How soon a refused call may be tried again.
constexpr std::chrono::milliseconds kRetry{100};
// So many calls of a method may arrive at once without waiting for a place.
constexpr int kListening = 4;

Status NotBegun() {
  return Fail(Exception::kDependencyTimeoutException,
              "The call's deadline passed before its turn came; nothing was changed.");
}

// What a connection came through is the kernel's word, not the client's. A client that gave its own
// end of the socket an abstract name ("unix-abstract:") is refused: no tool of ours does that.
bool CameThroughUnixSocket(const grpc::ServerContext& context) {
  return context.peer().starts_with("unix:") && !context.auth_context()->IsPeerAuthenticated();
}

}  // namespace

// What a call needs to know of its method.
struct AdminFront::Method {
  std::string_view name;
  // The ARN that a request is about; empty for a list.
  std::function<std::string_view(const Message& request)> principal;
  std::function<Status(const Message& request, Message* response)> run;
  std::function<void(const Method& self)> listen;
};

class AdminFront::Call : public UnaryCall {
 public:
  Call(AdminFront& front, const Method& of) : UnaryCall(front), method(of), front_(front) {}

  bool cancelled() const { return cancelled_; }
  std::string_view principal() const { return method.principal(request()); }

  // The call outlives it.
  app::AuditEvent Event() const {
    return {.source = app::AuditSource::kAdministration,
            .name = method.name,
            .reads_only = app::OnlyReads(method.name),
            .peer = peer,
            .request_id = request_id,
            .started = started};
  }

  const Method& method;
  std::string request_id;
  std::string peer;
  SteadyTime started{};
  std::unique_ptr<app::AuditSink::Slot> slot;

 private:
  void ListenForNext() override { method.listen(method); }
  void Arrived(const std::shared_ptr<QueuedCall>& self) override {
    front_.Serve(std::static_pointer_cast<Call>(self));
  }
  void Over(bool was_cancelled) override { cancelled_ = was_cancelled; }

  AdminFront& front_;
  std::atomic<bool> cancelled_{false};
};

template <class Request, class Response, class Parts, class Receive>
AdminFront::Method AdminFront::MethodOf(std::string_view name, Receive receive,
                                        Status (*operation)(Parts&, const Request&, Response*),
                                        Parts& parts) {
  Method method;
  method.name = name;
  method.principal = [](const Message& request) -> std::string_view {
    if constexpr (requires(const Request& message) { message.arn(); }) {
      return static_cast<const Request&>(request).arn();
    } else if constexpr (requires(const Request& message) { message.principal(); }) {
      return static_cast<const Request&>(request).principal();
    }
    return {};
  };
  method.run = [operation, &parts](const Message& request, Message* response) {
    return operation(parts, static_cast<const Request&>(request), static_cast<Response*>(response));
  };
  method.listen = [this, receive](const Method& self) {
    const auto call = std::make_shared<TypedCall<Call, Service, Request, Response>>(
        service_, receive, *this, self);
    call->Listen(call);
  };
  return method;
}

AdminFront::AdminFront(app::PrincipalAdmin& principals, app::MaintenanceAdmin& maintenance,
                       app::TokenAdmin& tokens, const app::Engine& engine, app::WorkerPool& pool,
                       std::chrono::milliseconds max_call_duration, FinishedSink on_finished)
    : principals_(principals),
      pool_(pool),
      audit_(engine.audit),
      max_call_duration_(max_call_duration),
      on_finished_(std::move(on_finished)) {
#define HALLMARK_SERVE(name, parts) \
  methods_.push_back(MethodOf(#name, &Service::Request##name, &app::name, parts));
  HALLMARK_SERVE(AddPrincipal, principals)
  HALLMARK_SERVE(GetPrincipal, principals)
  HALLMARK_SERVE(ListPrincipals, principals)
  HALLMARK_SERVE(RemovePrincipal, principals)
  HALLMARK_SERVE(RotatePrincipal, principals)
  HALLMARK_SERVE(AttachPolicy, principals)
  HALLMARK_SERVE(DetachPolicy, principals)
  HALLMARK_SERVE(TagPrincipal, principals)
  HALLMARK_SERVE(UntagPrincipal, principals)
  HALLMARK_SERVE(GetSweeper, maintenance)
  HALLMARK_SERVE(ResumeSweeper, maintenance)
  HALLMARK_SERVE(ListOrphans, maintenance)
  HALLMARK_SERVE(ListTokens, tokens)
  HALLMARK_SERVE(GetToken, tokens)
  HALLMARK_SERVE(DrainToken, tokens)
  HALLMARK_SERVE(ResumeToken, tokens)
  HALLMARK_SERVE(AdoptKey, tokens)
#undef HALLMARK_SERVE
  methods_.push_back(
      MethodOf("Explain", &Service::RequestExplain, &app::ExplainForOperator, engine));
}

AdminFront::~AdminFront() = default;

void AdminFront::ListenForAll() {
  for (int i = 0; i < kListening; ++i) {
    for (const Method& method : methods_) method.listen(method);
  }
}

void AdminFront::Tell(const Call& call, const Status& status) noexcept {
  // A lost line in the log must not cost the caller its answer.
  static_cast<void>(app::Guarded([&]() -> Status {
    on_finished_({call.method.name, call.principal(), call.request_id, call.peer, status});
    return {};
  }));
}

void AdminFront::Conclude(Call& call, const Status& outcome) noexcept {
  app::AuditEvent event = call.Event();
  event.by_operator = true;
  const Status answer = app::Record(call.slot.get(), event, outcome, &call.response());
  Tell(call, answer);
  call.Answer(ToGrpcStatus(answer, call.request_id));
}

void AdminFront::RefuseStranger(Call& call) {
  const Status refusal = Fail(Exception::kUnsupportedOperationException,
                              "AdminService is served on the Unix socket admin.socket only.");
  if (app::RecordStranger(strangers_, call.started, audit_, call.Event(), refusal)) {
    Tell(call, refusal);
  }
  call.Answer(ToGrpcStatus(refusal, call.request_id));
}

void AdminFront::Serve(const std::shared_ptr<Call>& call) {
  bool taken = false;
  try {
    call->request_id = app::NewRequestId();
    call->started = principals_.clock.SteadyNow();
    call->peer = PeerAddress(call->context().peer());
    call->context().AddInitialMetadata("x-hallmark-request-id", call->request_id);
    if (!CameThroughUnixSocket(call->context())) return RefuseStranger(*call);
    // Before anything is done for the call: what could not be recorded must not happen.
    auto slot = app::ReserveRecord(audit_, &call->request());
    if (!slot) return Conclude(*call, Unexpected(std::move(slot).error()));
    call->slot = *std::move(slot);
    const SteadyTime deadline = DeadlineOf(call->context(), call->started, max_call_duration_);
    taken = pool_.Submit([this, call, deadline] {
      // Who gave up takes the call for failed: it must not take effect after all.
      const bool begin = principals_.clock.SteadyNow() < deadline && !call->cancelled();
      const auto run = [&] { return call->method.run(call->request(), &call->response()); };
      Conclude(*call, begin ? app::Guarded(run) : NotBegun());
    });
    if (taken) return;
    Conclude(*call, Unexpected(Throttled(kRetry, "the queue of administration is full")));
  } catch (...) {
    if (!taken && !call->answered()) Conclude(*call, app::UnexpectedFailure());
  }
}

}  // namespace hallmark::grpc_front
