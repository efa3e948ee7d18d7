// AdminService for who comes through the Unix socket. Whoever may connect there may do everything:
// the acceptor let in only our own user and root.
#pragma once

#include "hallmark/v1/admin.grpc.pb.h"
#include "keystate/result.h"
#include "service/app/admin_ops.h"
#include "service/app/audit.h"
#include "service/app/engine.h"
#include "service/app/maintenance_ops.h"
#include "service/app/stranger_budget.h"
#include "service/app/token_ops.h"
#include "service/app/worker_pool.h"
#include "service/grpc/queued_call.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace hallmark::grpc_front {

// Thread-safety: what calls use may be called from any thread.
class AdminFront final : public QueuedService {
 public:
  using Service = v1::AdminService::AsyncService;

  struct Finished {
    std::string_view method;     // "AddPrincipal"
    std::string_view principal;  // the ARN the call is about; empty for a list
    std::string_view request_id;
    std::string_view peer;  // "unix:", or from where else somebody tried
    const Status& status;
  };
  // Told of every call, but at most once a second of those that came through another door. Must not
  // block.
  using FinishedSink = std::function<void(const Finished&)>;

  // All outlive the front. `pool` runs the operations, since they wait for the store; callers'
  // work must not be in it, or a principal that floods the service could not be removed. A call
  // that has waited for `max_call_duration`, or for longer than its client does, is not begun; nor
  // is one that the engine's audit log cannot record.
  AdminFront(app::PrincipalAdmin& principals, app::MaintenanceAdmin& maintenance,
             app::TokenAdmin& tokens, const app::Engine& engine, app::WorkerPool& pool,
             std::chrono::milliseconds max_call_duration, FinishedSink on_finished);
  ~AdminFront() override;

  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  const char* full_name() const override { return v1::AdminService::service_full_name(); }

  // For calls that arrive from now on.
  void set_max_call_duration(std::chrono::milliseconds duration) { max_call_duration_ = duration; }

 private:
  class Call;
  struct Method;

  template <class Request, class Response, class Parts, class Receive>
  Method MethodOf(std::string_view name, Receive receive,
                  Status (*operation)(Parts&, const Request&, Response*), Parts& parts);

  void ListenForAll() override;
  void Serve(const std::shared_ptr<Call>& call);
  void RefuseStranger(Call& call);
  // Records the outcome, tells of it and answers with it.
  void Conclude(Call& call, const Status& outcome) noexcept;
  void Tell(const Call& call, const Status& status) noexcept;

  app::PrincipalAdmin& principals_;
  app::WorkerPool& pool_;
  app::AuditSink* const audit_;
  std::atomic<std::chrono::milliseconds> max_call_duration_;
  const FinishedSink on_finished_;
  app::StrangerBudget strangers_;
  Service service_;
  std::vector<Method> methods_;
};

}  // namespace hallmark::grpc_front
