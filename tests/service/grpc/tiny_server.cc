#include "tests/service/grpc/tiny_server.h"

#include "service/grpc/status.h"
#include "service/grpc/unary_call.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

template <class T>
T Must(Result<T, std::string> result) {
  if (!result.has_value()) {
    std::fprintf(stderr, "tiny server: %s\n", result.error().c_str());
    std::abort();
  }
  return *std::move(result);
}

}  // namespace

class EchoingRefusal::Call : public grpc_front::UnaryCall {
 public:
  explicit Call(EchoingRefusal& owner) : UnaryCall(owner), owner_(owner) {}

 private:
  void ListenForNext() override { owner_.Listen(); }
  void Arrived(const std::shared_ptr<QueuedCall>&) override {
    constexpr std::string_view kRequestId = "0b8bd6a4-36f4-4b1c-9c6c-4f5a2c1d7e90";
    context().AddInitialMetadata("x-hallmark-request-id", std::string(kRequestId));
    const std::string& key_id = static_cast<const v1::DescribeKeyRequest&>(request()).key_id();
    Answer(grpc_front::ToGrpcStatus(
        Fail(Exception::kNotFoundException, "Invalid keyId '" + key_id + "'"), kRequestId));
  }

  EchoingRefusal& owner_;
};

void EchoingRefusal::Listen() {
  const auto call = std::make_shared<
      grpc_front::TypedCall<Call, Service, v1::DescribeKeyRequest, v1::DescribeKeyResponse>>(
      service_, &Service::RequestDescribeKey, *this);
  call->Listen(call);
}

void PrintingObserver::Warning(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
}

TinyServer::TinyServer(const net::ConnectionLimits& limits,
                       const grpc_front::ServerOptions& options) {
  credentials_ = std::make_shared<grpc_front::RotatingCredentials>(
      MaterialOf(authority_.IssueServer(), authority_.certificate()));
  std::vector<grpc_front::Door> doors;
  doors.push_back({Must(net::Listener::OpenTcp("127.0.0.1:0")), credentials_, limits});
  server_ = Must(grpc_front::GrpcServer::Start(std::move(doors), {&service_}, options, observer_));
}

TinyServer::TinyServer(const std::string& socket_path, const net::ConnectionLimits& limits) {
  std::vector<grpc_front::Door> doors;
  doors.push_back(
      {Must(net::Listener::OpenUnix(socket_path)), grpc::InsecureServerCredentials(), limits});
  server_ = Must(grpc_front::GrpcServer::Start(std::move(doors), {&service_}, {}, observer_));
}

std::string TinyServer::port() const {
  const std::string& address = door().address();
  return address.substr(address.rfind(':') + 1);
}

std::shared_ptr<grpc::Channel> TinyServer::Connect() const {
  return ConnectTo(door().address(), authority_.certificate(), authority_.IssueClient());
}

net::TlsMaterial MaterialOf(const PemPair& server, const std::string& client_ca) {
  const TemporaryDirectory directory;
  return Must(net::ReadTlsFiles({directory.Write("server.pem", server.certificate),
                                 directory.Write("server.key", server.private_key),
                                 directory.Write("ca.pem", client_ca)}));
}

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address, const std::string& ca,
                                         const PemPair& client) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ca;
  options.pem_cert_chain = client.certificate;
  options.pem_private_key = client.private_key;
  grpc::ChannelArguments arguments;
  // Otherwise channels with equal arguments share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
}

grpc::Status Describe(const std::shared_ptr<grpc::Channel>& channel, const std::string& key_id) {
  const auto stub = v1::KeyService::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  v1::DescribeKeyRequest request;
  request.set_key_id(key_id);
  v1::DescribeKeyResponse response;
  return stub->DescribeKey(&context, request, &response);
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace hallmark::testing
