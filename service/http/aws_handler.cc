#include "service/http/aws_handler.h"

#include "hallmark/v1/kms.pb.h"
#include "hallmark/v1/other_usages.pb.h"
#include "service/app/guard.h"
#include "service/app/request_id.h"
#include "service/authn/canonical_request.h"
#include "service/http/unsupported_operations.h"
#include "service/wire/error_map.h"
#include "service/wire/json_codec.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace hallmark::http_front {
namespace {

constexpr std::string_view kTargetHeader = "x-amz-target";
constexpr std::string_view kTargetPrefix = "TrentService.";

// The value of a header that is there once.
std::optional<std::string_view> Only(const authn::SignedRequest& request,
                                     std::string_view lower_case_name) {
  std::string_view value;
  if (authn::FindHeader(request, lower_case_name, &value) != 1) return std::nullopt;
  return value;
}

bool IsContentType(std::string_view value) {
  // A charset may follow.
  return authn::IsNamed({value.substr(0, value.find(';')), {}}, kContentType);
}

Unexpected<Error> NotThisProtocol(std::string message) {
  return Fail(Exception::kUnknownOperationException, std::move(message));
}

// "GenerateMac", of whatever asks for it as this protocol says.
Result<std::string_view> OperationName(const authn::SignedRequest& request) {
  // No client sends a query but for a signature in it, which the authenticator refuses. Of others
  // it would be dear to make the canonical one.
  const bool may_be_signed =
      request.target == "/" || authn::HoldsSignature(authn::QueryOf(request.target));
  if (request.method != "POST" || authn::PathOf(request.target) != "/" || !may_be_signed) {
    return NotThisProtocol("Only POST / is served: the operation stands in X-Amz-Target.");
  }
  const std::optional<std::string_view> type = Only(request, "content-type");
  if (!type.has_value() || !IsContentType(*type)) {
    return NotThisProtocol("The Content-Type must be application/x-amz-json-1.1.");
  }
  const std::optional<std::string_view> target = Only(request, kTargetHeader);
  if (!target.has_value() || !target->starts_with(kTargetPrefix)) {
    return NotThisProtocol("X-Amz-Target must be TrentService. and the name of an operation.");
  }
  return target->substr(kTargetPrefix.size());
}

HttpAnswer RefusalOf(const Error& error, std::string request_id, bool ends_connection = false) {
  nlohmann::json body{{"__type", Describe(error.exception).name}};
  if (!error.message.empty()) body["message"] = error.message;
  // A text may repeat what the caller sent.
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  return {.status = wire::ToHttp(error.exception),
          .request_id = std::move(request_id),
          .retry_after = error.retry_after,
          .body = body.dump(-1, ' ', /*ensure_ascii=*/false, kReplace),
          .ends_connection = ends_connection};
}

// What is left to say when there is no memory for more.
HttpAnswer BareFailure(std::string request_id) noexcept {
  HttpAnswer answer{.status = 500, .request_id = std::move(request_id)};
  try {
    answer.body = R"({"__type":"KMSInternalException"})";
  } catch (const std::bad_alloc&) {  // then without
  }
  return answer;
}

}  // namespace

// A call and its messages in one allocation.
class AwsHandler::Call : public app::CallContext {
 public:
  virtual ~Call() = default;
  virtual google::protobuf::Message& request() = 0;
  virtual google::protobuf::Message& response() = 0;

  void Finish(const Status& status) noexcept {
    // Whoever answers may drop the last reference to this.
    const Answer answer_once = std::exchange(answer, nullptr);
    try {
      answer_once(status.has_value()
                      ? HttpAnswer{.request_id = request_id, .body = wire::ToKmsJson(response())}
                      : RefusalOf(status.error(), request_id, caller == nullptr));
    } catch (...) {
      answer_once(BareFailure(std::move(request_id)));
    }
  }

  Answer answer;  // empty once it is answered
};

template <class Request, class Response>
class AwsHandler::TypedCall final : public Call {
 public:
  google::protobuf::Message& request() override { return request_; }
  google::protobuf::Message& response() override { return response_; }

 private:
  Request request_;
  Response response_;
};

std::shared_ptr<AwsHandler::Call> AwsHandler::NewCall(std::string_view operation) {
  std::shared_ptr<Call> call;
#define HALLMARK_SERVED(name, lane, forms)                                       \
  if (operation == #name && !IsOwn(Operation::k##name)) {                        \
    call = std::make_shared<TypedCall<v1::name##Request, v1::name##Response>>(); \
    call->operation = Operation::k##name;                                        \
    call->protocol = app::Protocol::kAws;                                        \
    return call;                                                                 \
  }
#define HALLMARK_OTHER_USAGE(name, request)                                      \
  if (operation == #name) {                                                      \
    call = std::make_shared<TypedCall<v1::request, v1::UseOtherwiseResponse>>(); \
    call->operation = Operation::k##name;                                        \
    call->protocol = app::Protocol::kAws;                                        \
    return call;                                                                 \
  }
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
  return call;
}

HttpHandler::Cancelled AwsHandler::Handle(const authn::SignedRequest& request,
                                          std::string_view peer, Answer answer) {
  std::shared_ptr<Call> call;
  std::string request_id;
  try {
    request_id = app::NewRequestId();
    const Result<std::string_view> name = OperationName(request);
    if (!name) {
      Refused(wire::ToHttp(name.error().exception));
      answer(RefusalOf(name.error(), std::move(request_id), /*ends_connection=*/true));
      return nullptr;
    }
    call = NewCall(*name);
    if (call == nullptr) {
      Refused(wire::ToHttp(Exception::kUnsupportedOperationException));
      const std::optional<UnsupportedOperation> unsupported = FindUnsupported(*name);
      answer(unsupported.has_value()
                 ? RefuseUnsupported(unsupported->name, unsupported->refusal, request, peer,
                                     std::move(request_id))
                 : RefusalOf({Exception::kUnknownOperationException, {}}, std::move(request_id),
                             /*ends_connection=*/true));
      return nullptr;
    }
    call->request_id = std::move(request_id);
    call->peer = peer;
    call->started = backend_.clock.SteadyNow();
    call->deadline = call->started + max_call_duration_.load();
    call->may_hold_up_thread = true;
    call->answer = std::exchange(answer, nullptr);
    Serve(call, request);
    return {call, &call->cancelled};
  } catch (...) {
    const Status failure = app::UnexpectedFailure();
    if (call != nullptr && call->answer) {
      RefuseBeforeDispatch(*call, failure);
    } else if (answer) {
      answer(BareFailure(std::move(request_id)));
    }
    return nullptr;
  }
}

void AwsHandler::Refused(int status) noexcept {
  static_cast<void>(app::Guarded([&]() -> Status {
    backend_.on_unserved(status);
    return {};
  }));
}

void AwsHandler::Serve(const std::shared_ptr<Call>& call, const authn::SignedRequest& request) {
  Result<authn::SignedCaller> caller = authenticator_.Authenticate(request);
  if (!caller) return RefuseStranger(*call, Unexpected(std::move(caller).error()));
  call->caller = caller->principal;
  call->access_key_id = caller->access_key_id;
  if (!app::OnlyReads(call->operation)) {
    if (const Status once = authenticator_.CountOnce(*caller); !once) {
      return RefuseBeforeDispatch(*call, once);
    }
  }
  if (const Status read = wire::FromKmsJson(request.body, &call->request()); !read) {
    return RefuseBeforeDispatch(*call, read);
  }
  // The closure keeps the call alive, and with it the messages.
  backend_.dispatch(call, call->request(), &call->response(),
                    [call](const Status& status) { call->Finish(status); });
}

void AwsHandler::RefuseStranger(Call& call, const Status& refusal) {
  app::RecordStranger(strangers_, backend_.clock.SteadyNow(), backend_.audit, app::EventOf(call),
                      refusal);
  static_cast<void>(app::Guarded([&]() -> Status {
    backend_.on_finished(call, refusal);
    return {};
  }));
  call.Finish(refusal);
}

// Of a caller who is known: recorded, as what it asked for would have been.
void AwsHandler::RefuseBeforeDispatch(Call& call, const Status& refusal) {
  app::RecordRefusal(backend_.audit, app::EventOf(call), refusal);
  static_cast<void>(app::Guarded([&]() -> Status {
    backend_.on_finished(call, refusal);
    return {};
  }));
  call.Finish(refusal);
}

HttpAnswer AwsHandler::RefuseUnsupported(std::string_view name, const Error& unsupported,
                                         const authn::SignedRequest& request, std::string_view peer,
                                         std::string request_id) {
  app::AuditEvent event{.name = name,
                        .reads_only = app::OnlyReads(name),
                        .peer = peer,
                        .request_id = request_id,
                        .started = backend_.clock.SteadyNow()};
  Result<authn::SignedCaller> caller = authenticator_.Authenticate(request);
  if (!caller) {
    const Status refusal = Unexpected(std::move(caller).error());
    app::RecordStranger(strangers_, event.started, backend_.audit, event, refusal);
    TellUnsupported(event, refusal.error());
    return RefusalOf(refusal.error(), std::move(request_id), /*ends_connection=*/true);
  }
  event.caller = caller->principal.get();
  event.access_key_id = caller->access_key_id;
  app::RecordRefusal(backend_.audit, event, Unexpected(unsupported));
  TellUnsupported(event, unsupported);
  return RefusalOf(unsupported, std::move(request_id));
}

void AwsHandler::TellUnsupported(const app::AuditEvent& event, const Error& refusal) {
  static_cast<void>(app::Guarded([&]() -> Status {
    backend_.on_unsupported(event, refusal);
    return {};
  }));
}

}  // namespace hallmark::http_front
