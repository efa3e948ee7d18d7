// The AWS KMS protocol: (headers, body) → (status, headers, body). No sockets.
#pragma once

#include "keystate/clock.h"
#include "service/app/audit.h"
#include "service/app/call_context.h"
#include "service/app/stranger_budget.h"
#include "service/authn/signature_authenticator.h"
#include "service/http/http_handler.h"

#include <google/protobuf/message.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

namespace hallmark::http_front {

// What the handler needs of the operations behind it.
struct Backend {
  // Runs one: app::Dispatch with the daemon's engine.
  std::function<void(const app::CallPtr& call, const google::protobuf::Message& request,
                     google::protobuf::Message* response, app::Done done)>
      dispatch;
  Clock& clock;
  app::AuditSink* audit;  // null: nothing is recorded
  // Told of the calls that end before they are dispatched; the others dispatch tells itself.
  std::function<void(const app::CallContext&, const Status&)> on_finished;
  // Told of the status of requests that ask for no operation that there is.
  std::function<void(int status)> on_unserved;
  // Told, beyond that, of those that ask for an operation of KMS's that we do not have.
  std::function<void(const app::AuditEvent& event, const Error& refusal)> on_unsupported;
};

// One request is checked in this order: is it one of this protocol, is there such an operation, who
// asks, is the body JSON of the operation's request; then it is the operation's. Refusals look as
// KMS's do. Of strangers one a second is recorded.
//
// Thread-safety: may be called from any thread.
class AwsHandler final : public HttpHandler {
 public:
  // What `backend` borrows, and `authenticator`, outlive the handler.
  AwsHandler(Backend backend, authn::SignatureAuthenticator& authenticator,
             std::chrono::milliseconds max_call_duration)
      : backend_(std::move(backend)),
        authenticator_(authenticator),
        max_call_duration_(max_call_duration) {}

  Cancelled Handle(const authn::SignedRequest& request, std::string_view peer,
                   Answer answer) override;
  void Refused(int status) noexcept override;

  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

 private:
  class Call;
  template <class Request, class Response>
  class TypedCall;

  static std::shared_ptr<Call> NewCall(std::string_view operation);
  void Serve(const std::shared_ptr<Call>& call, const authn::SignedRequest& request);
  void RefuseStranger(Call& call, const Status& refusal);
  void RefuseBeforeDispatch(Call& call, const Status& refusal);
  HttpAnswer RefuseUnsupported(std::string_view name, const Error& unsupported,
                               const authn::SignedRequest& request, std::string_view peer,
                               std::string request_id);
  void TellUnsupported(const app::AuditEvent& event, const Error& refusal);

  const Backend backend_;
  authn::SignatureAuthenticator& authenticator_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  app::StrangerBudget strangers_;
};

}  // namespace hallmark::http_front
