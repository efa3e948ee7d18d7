#include "service/grpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <stop_token>
#include <thread>
#include <utility>

namespace hallmark::grpc_front {
namespace {

// More calls than this wait in the client: one connection must not fill the token's queue by
// itself.
constexpr int kMaxConcurrentStreams = 256;
constexpr int kKeepaliveTimeMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kMinClientPingIntervalMs = 10'000;
constexpr int kMaxSyncThreads = 8;
constexpr int kMaxConnectionIdleMs = 30 * 60'000;
constexpr std::chrono::milliseconds kActiveCallsPoll{5};
// For the last answers, and the news that we go, to leave the process.
constexpr std::chrono::milliseconds kLastWordsTime{50};

void Configure(grpc::ServerBuilder& builder, const ServerOptions& options) {
  // Also bounds the wait for the client's first HTTP/2 settings, so a silent client costs this
  // long.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(options.handshake_timeout.count()));
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams);
  // A client that vanished without a FIN gives its place back within 80 seconds.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // gRPC's default of 5 minutes punishes clients that watch their connections more closely.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinClientPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kMaxConnectionIdleMs);
  // Messages are far smaller than the default window: measuring the path would only add pings.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // Reflection is the only synchronous service; its pollers are kept few.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  // Each of its streams holds a thread; what is beyond is refused.
  grpc::ResourceQuota quota;
  quota.SetMaxThreads(kMaxSyncThreads);
  builder.SetResourceQuota(quota);
}

}  // namespace

Result<std::unique_ptr<GrpcServer>, std::string> GrpcServer::Start(
    Listener listener, std::shared_ptr<grpc::ServerCredentials> credentials, grpc::Service& service,
    const ServerOptions& options, ConnectionObserver& observer, QueueUser* queue_user) {
  // Debian builds abseil with its deadlock detector on, which remembers the order of all of gRPC's
  // locks at every call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::EnableDefaultHealthCheckService(true);
  // For grpcurl and its like. Naming it here keeps the linker from leaving the library out.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  Configure(builder, options);
  builder.RegisterService(&service);
  auto handler = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      std::move(credentials));
  std::unique_ptr<grpc::ServerCompletionQueue> queue;  // outlives the server
  if (queue_user != nullptr) queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return Unexpected<std::string>(listener.address() +
                                   ": gRPC refused to start; its own lines in the log say why");
  }
  // Nothing is served until SetServing says so.
  server->GetHealthCheckService()->SetServingStatus(false);

  auto acceptor =
      ConnectionAcceptor::Start(std::move(listener), options.limits, std::move(handler), observer);
  if (!acceptor.has_value()) return Unexpected(std::move(acceptor).error());
  if (queue_user != nullptr) queue_user->Begin(std::move(queue));
  return std::unique_ptr<GrpcServer>(
      new GrpcServer(std::move(server), *std::move(acceptor), queue_user));
}

GrpcServer::GrpcServer(std::unique_ptr<grpc::Server> server,
                       std::unique_ptr<ConnectionAcceptor> acceptor, QueueUser* queue_user)
    : server_(std::move(server)), acceptor_(std::move(acceptor)), queue_user_(queue_user) {}

GrpcServer::~GrpcServer() {
  if (!stopped_) Stop(ActiveCalls(), std::chrono::system_clock::now());
}

void GrpcServer::SetServing(const std::string& service_name, bool serving) {
  grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
  health->SetServingStatus(service_name, serving);
  health->SetServingStatus("", serving);
}

void GrpcServer::Stop(const ActiveCalls& calls, std::chrono::system_clock::time_point deadline) {
  stopped_ = true;
  // Before the server: a shut-down server drops the descriptors it is handed without closing them.
  acceptor_->StopAccepting();
  // Shutdown refuses new calls, tells every client, and then waits for connections to close, which
  // clients that sleep do not notice. When no call is left, the connections are closed from here.
  std::jthread closer([&](const std::stop_token& stop) {
    while (!calls.none() && !stop.stop_requested()) std::this_thread::sleep_for(kActiveCallsPoll);
    std::this_thread::sleep_for(kLastWordsTime);
    if (!stop.stop_requested()) grpc_server_cancel_all_calls(server_->c_server());
  });
  server_->Shutdown(deadline);
  if (queue_user_ != nullptr) queue_user_->End();
}

}  // namespace hallmark::grpc_front
