// AdminService on the Unix socket. Whoever may connect there may do everything: the acceptor let in
// only our own user and root.
#pragma once

#include "hallmark/v1/admin.grpc.pb.h"
#include "keystate/result.h"
#include "service/app/admin_ops.h"
#include "service/app/maintenance_ops.h"
#include "service/app/worker_pool.h"
#include "service/grpc/active_calls.h"

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

namespace hallmark::grpc_front {

// Thread-safety: gRPC calls every method from many threads.
class AdminFront final : public v1::AdminService::CallbackService {
 public:
  struct Finished {
    std::string_view method;     // "AddPrincipal"
    std::string_view principal;  // the ARN the call is about; empty for a list
    std::string_view request_id;
    const Status& status;
  };
  // Told of every call. Must not block.
  using FinishedSink = std::function<void(const Finished&)>;

  // All outlive the front. `pool` runs the operations, since they wait for the store; callers'
  // work must not be in it, or a principal that floods the service could not be removed. A call
  // that has waited for `max_call_duration`, or for longer than its client does, is not begun.
  AdminFront(app::PrincipalAdmin& principals, app::MaintenanceAdmin& maintenance,
             app::WorkerPool& pool, std::chrono::milliseconds max_call_duration,
             FinishedSink on_finished)
      : principals_(principals),
        maintenance_(maintenance),
        pool_(pool),
        max_call_duration_(max_call_duration),
        on_finished_(std::move(on_finished)) {}

  const ActiveCalls& active_calls() const { return active_calls_; }
  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

#define HALLMARK_SERVE(method, parts)                                                           \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context,                        \
                                   const v1::method##Request* request,                          \
                                   v1::method##Response* response) override {                   \
    return Serve(#method, PrincipalOf(*request), context,                                       \
                 [this, request, response] { return app::method(parts, *request, response); }); \
  }
  HALLMARK_SERVE(AddPrincipal, principals_)
  HALLMARK_SERVE(GetPrincipal, principals_)
  HALLMARK_SERVE(ListPrincipals, principals_)
  HALLMARK_SERVE(RemovePrincipal, principals_)
  HALLMARK_SERVE(RotatePrincipal, principals_)
  HALLMARK_SERVE(GetSweeper, maintenance_)
  HALLMARK_SERVE(ResumeSweeper, maintenance_)
  HALLMARK_SERVE(ListOrphans, maintenance_)
#undef HALLMARK_SERVE

 private:
  template <class Request>
  static std::string_view PrincipalOf(const Request& request) {
    if constexpr (requires { request.arn(); }) return request.arn();
    return {};
  }

  // `principal` lives until the call is answered.
  grpc::ServerUnaryReactor* Serve(std::string_view method, std::string_view principal,
                                  grpc::CallbackServerContext* context,
                                  std::function<Status()> run);

  app::PrincipalAdmin& principals_;
  app::MaintenanceAdmin& maintenance_;
  app::WorkerPool& pool_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  const FinishedSink on_finished_;
  ActiveCalls active_calls_;
};

}  // namespace hallmark::grpc_front
