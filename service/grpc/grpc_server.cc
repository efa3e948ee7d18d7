#include "service/grpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
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
constexpr int kMaxConnectionIdleMs = 30 * 60'000;
constexpr std::chrono::milliseconds kCallsPoll{5};
// For the last answers, and the news that we go, to leave the process.
constexpr std::chrono::milliseconds kLastWordsTime{50};

// What all connections together may hold of requests that are on their way, half-sent ones too;
// beyond it gRPC reads no further and cuts off who holds most.
constexpr std::size_t kMaxBufferedBytes = 256 * 1024 * 1024;

class HandOver final : public net::ConnectionHandler {
 public:
  explicit HandOver(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc)
      : grpc_(std::move(grpc)) {}
  void Serve(net::UniqueFd connection, const net::Listener& listener) override {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener.fd();
    parameters.fd = connection.release();  // gRPC closes it
    grpc_->HandleNewConnection(&parameters);
  }

 private:
  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> grpc_;
};

void Configure(grpc::ServerBuilder& builder, const ServerOptions& options) {
  // Also bounds the wait for the client's first HTTP/2 settings, so a silent client costs this
  // long.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(options.handshake_timeout.count()));
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  builder.SetResourceQuota(grpc::ResourceQuota().Resize(kMaxBufferedBytes));
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
}

}  // namespace

GrpcServer::GrpcServer(std::vector<QueuedService*> services, std::vector<std::string> service_names)
    : services_(std::move(services)), reflection_(std::move(service_names)) {}

Result<std::unique_ptr<GrpcServer>, std::string> GrpcServer::Start(
    std::vector<Door> doors, std::vector<QueuedService*> services, const ServerOptions& options,
    net::ConnectionObserver& observer) {
  // Debian builds abseil with its deadlock detector on, which remembers the order of all of gRPC's
  // locks at every call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // gRPC's own comes with callbacks.
  grpc::EnableDefaultHealthCheckService(false);
  std::vector<std::string> names;
  names.reserve(services.size() + 2);
  for (const QueuedService* service : services) names.emplace_back(service->full_name());
  names.emplace_back(grpc::health::v1::Health::service_full_name());
  names.emplace_back(grpc::reflection::v1alpha::ServerReflection::service_full_name());
  std::unique_ptr<GrpcServer> started(new GrpcServer(std::move(services), std::move(names)));

  grpc::ServerBuilder builder;
  Configure(builder, options);
  for (QueuedService* service : started->all_services()) service->Register(builder);
  std::vector<std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>> handlers;
  handlers.reserve(doors.size());
  for (Door& door : doors) {
    handlers.push_back(builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        std::move(door.credentials)));
  }
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  started->server_ = builder.BuildAndStart();
  if (started->server_ == nullptr) {
    return Unexpected<std::string>(doors.front().listener.address() +
                                   ": gRPC refused to start; its own lines in the log say why");
  }
  started->queue_ = std::make_unique<CallQueue>(std::move(queue));
  for (QueuedService* service : started->all_services()) service->Begin(*started->queue_);
  // Nothing is served until SetServing says so.
  started->health_.SetServing("", false);
  for (QueuedService* service : started->services_) {
    started->health_.SetServing(service->full_name(), false);
  }

  for (std::size_t i = 0; i < doors.size(); ++i) {
    auto acceptor = net::ConnectionAcceptor::Start(
        std::move(doors[i].listener), doors[i].limits,
        std::make_unique<HandOver>(std::move(handlers[i])), observer);
    if (!acceptor.has_value()) return Unexpected(std::move(acceptor).error());
    started->acceptors_.push_back(*std::move(acceptor));
  }
  return started;
}

GrpcServer::~GrpcServer() {
  if (!stopped_ && server_ != nullptr) Stop(std::chrono::system_clock::now());
}

std::vector<QueuedService*> GrpcServer::all_services() {
  std::vector<QueuedService*> all = services_;
  all.push_back(&health_);
  all.push_back(&reflection_);
  all.push_back(&unknown_methods_);
  return all;
}

void GrpcServer::SetServing(const std::string& service_name, bool serving) {
  health_.SetServing(service_name, serving);
  health_.SetServing("", serving);
}

bool GrpcServer::NoneActive() const {
  return std::all_of(services_.begin(), services_.end(),
                     [](QueuedService* service) { return service->active_calls().none(); });
}

void GrpcServer::Stop(std::chrono::system_clock::time_point deadline) {
  stopped_ = true;
  // Before the server: a shut-down server drops the descriptors it is handed without closing them.
  for (const auto& acceptor : acceptors_) acceptor->StopAccepting();
  // Shutdown refuses new calls, tells every client, and then waits for connections to close, which
  // clients that sleep do not notice. When no call is left but streams of health and reflection,
  // the connections are closed from here. A call that was on its way in is seen at the second look.
  std::jthread closer([this](const std::stop_token& stop) {
    bool none_before = false;
    while (!stop.stop_requested()) {
      const bool none = NoneActive();
      if (none && none_before) return grpc_server_cancel_all_calls(server_->c_server());
      none_before = none;
      std::this_thread::sleep_for(none ? kLastWordsTime : kCallsPoll);
    }
  });
  server_->Shutdown(deadline);
  // A server that was shut down does not wait for its calls, and a queue that was shut down takes
  // no answers.
  for (QueuedService* service : all_services()) {
    while (!service->queued_calls().none()) std::this_thread::sleep_for(kCallsPoll);
  }
  queue_->ShutDown();
}

}  // namespace hallmark::grpc_front
