// A started gRPC server behind our own acceptor.
#pragma once

#include "keystate/clock.h"
#include "keystate/result.h"
#include "service/grpc/active_calls.h"
#include "service/grpc/connection_acceptor.h"
#include "service/grpc/listener.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <memory>
#include <string>

namespace hallmark::grpc_front {

struct ServerOptions {
  ConnectionLimits limits;
  std::chrono::milliseconds handshake_timeout{5'000};
  // Requests in use stay below 12 KiB. Larger ones are refused before they are read, so that memory
  // is not filled by callers who have not been authenticated yet.
  int max_request_bytes = 64 * 1024;
};

// Has its service's calls delivered by a completion queue, not by callback.
class QueueUser {
 public:
  virtual ~QueueUser() = default;
  // The server has been started.
  virtual void Begin(std::unique_ptr<grpc::ServerCompletionQueue> queue) = 0;
  // The server was shut down: returns when the queue is empty.
  virtual void End() = 0;
};

// One service, the standard health service and server reflection.
//
// Thread-safety: every method may be called from any thread; Stop once, before destruction.
class GrpcServer {
 public:
  // Begins to serve. `service`, `observer` and `queue_user` (null: the service has callbacks)
  // outlive the server.
  //
  // Errors: one line that names the address, the reason and the remedy.
  static Result<std::unique_ptr<GrpcServer>, std::string> Start(
      Listener listener, std::shared_ptr<grpc::ServerCredentials> credentials,
      grpc::Service& service, const ServerOptions& options, ConnectionObserver& observer,
      QueueUser* queue_user = nullptr);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // What the health service answers, for "" and for `service_name`.
  void SetServing(const std::string& service_name, bool serving);

  void SetLimits(ConnectionLimits limits) { acceptor_->SetLimits(limits); }
  void StopAccepting() { acceptor_->StopAccepting(); }
  // Refuses new calls and lets those of `calls` end until `deadline`, then cancels them; returns
  // when every call is answered.
  void Stop(const ActiveCalls& calls, std::chrono::system_clock::time_point deadline);

  const std::string& address() const { return acceptor_->address(); }
  ConnectionCounts connections() const { return acceptor_->counts(); }

 private:
  GrpcServer(std::unique_ptr<grpc::Server> server, std::unique_ptr<ConnectionAcceptor> acceptor,
             QueueUser* queue_user);

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  QueueUser* const queue_user_;
  bool stopped_ = false;
};

}  // namespace hallmark::grpc_front
