// A started gRPC server behind acceptors of our own.
#pragma once

#include "keystate/clock.h"
#include "keystate/result.h"
#include "service/grpc/call_queue.h"
#include "service/grpc/health_service.h"
#include "service/grpc/queued_call.h"
#include "service/grpc/reflection_service.h"
#include "service/grpc/unknown_methods.h"
#include "service/net/connection_acceptor.h"
#include "service/net/listener.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::grpc_front {

// Where connections come in, and on what terms.
struct Door {
  net::Listener listener;
  std::shared_ptr<grpc::ServerCredentials> credentials;
  net::ConnectionLimits limits;
};

struct ServerOptions {
  std::chrono::milliseconds handshake_timeout{5'000};
  // Requests in use stay below 36 KiB, the administration's included. Larger ones are refused
  // before they are read, so that memory is not filled by callers who have not been authenticated
  // yet.
  int max_request_bytes = 64 * 1024;
};

// Some services, the standard health service and server reflection, on one call queue. One server
// for all doors: a second one would poll the connections of the first beside it.
//
// Every service is reachable through every door; one that is not for everybody looks at where its
// caller came from.
//
// Thread-safety: every method may be called from any thread; Stop once, before destruction.
class GrpcServer {
 public:
  // Begins to serve. The services and `observer` outlive the server.
  //
  // Errors: one line that names the address, the reason and the remedy.
  static Result<std::unique_ptr<GrpcServer>, std::string> Start(
      std::vector<Door> doors, std::vector<QueuedService*> services, const ServerOptions& options,
      net::ConnectionObserver& observer);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // What the health service answers, for "" and for `service_name`.
  void SetServing(const std::string& service_name, bool serving);

  // Refuses new calls and lets those of the services end until `deadline`, then cancels them;
  // returns when every call is answered.
  void Stop(std::chrono::system_clock::time_point deadline);

  // Of the door with this number, from 0.
  net::ConnectionAcceptor& door(std::size_t number) { return *acceptors_[number]; }

 private:
  GrpcServer(std::vector<QueuedService*> services, std::vector<std::string> service_names);

  // Ours included.
  std::vector<QueuedService*> all_services();
  bool NoneActive() const;

  const std::vector<QueuedService*> services_;
  HealthService health_;
  ReflectionService reflection_;
  UnknownMethods unknown_methods_;
  std::unique_ptr<CallQueue> queue_;  // outlives the server
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<net::ConnectionAcceptor>> acceptors_;
  bool stopped_ = false;
};

}  // namespace hallmark::grpc_front
