#include "service/grpc/admin_front.h"

#include "service/app/guard.h"
#include "service/grpc/deadline.h"
#include "service/grpc/request_id.h"
#include "service/grpc/status.h"

#include <memory>
#include <string>

namespace hallmark::grpc_front {
namespace {

// How soon a refused call may be tried again.
constexpr std::chrono::milliseconds kRetry{100};

Status NotBegun() {
  return Fail(Exception::kDependencyTimeoutException,
              "The call's deadline passed before its turn came; nothing was changed.");
}

}  // namespace

grpc::ServerUnaryReactor* AdminFront::Serve(std::string_view method, std::string_view principal,
                                            grpc::CallbackServerContext* context,
                                            std::function<Status()> run) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto request_id = std::make_shared<const std::string>(NewRequestId());
  active_calls_.Begin();
  const auto answer = [=, this](const Status& status) noexcept {
    try {
      on_finished_({method, principal, *request_id, status});
    } catch (...) {  // a lost line in the log must not cost the caller its answer
    }
    reactor->Finish(ToGrpcStatus(status, *request_id));
    active_calls_.End();
  };
  bool taken = false;
  try {
    context->AddInitialMetadata("x-hallmark-request-id", *request_id);
    const SteadyTime deadline =
        DeadlineOf(*context, principals_.clock.SteadyNow(), max_call_duration_);
    taken = pool_.Submit([=, this, run = std::move(run)] {
      // Who gave up takes the call for failed: it must not take effect after all.
      const bool begin = principals_.clock.SteadyNow() < deadline && !context->IsCancelled();
      answer(begin ? app::Guarded(run) : NotBegun());
    });
    if (!taken) answer(Unexpected(Throttled(kRetry, "the queue of administration is full")));
  } catch (...) {
    if (!taken) answer(UnexpectedFailure());
  }
  return reactor;
}

}  // namespace hallmark::grpc_front
