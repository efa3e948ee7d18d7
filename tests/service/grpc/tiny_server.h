// A real gRPC server behind our acceptor whose service refuses everything: for tests of what lies
// below the operations.
#pragma once

#include "hallmark/v1/kms.grpc.pb.h"
#include "service/grpc/grpc_server.h"
#include "service/grpc/rotating_credentials.h"
#include "service/net/tls_files.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_certificates.h"

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>

namespace hallmark::testing {

// Refuses with a NotFoundException whose message is the request's KeyId.
class EchoingRefusal final : public grpc_front::QueuedService {
 public:
  using Service = v1::KeyService::WithAsyncMethod_DescribeKey<v1::KeyService::Service>;

  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  const char* full_name() const override { return v1::KeyService::service_full_name(); }

 private:
  class Call;

  void ListenForAll() override { Listen(); }
  void Listen();

  Service service_;
};

class PrintingObserver final : public net::ConnectionObserver {
 public:
  void Opened() override {}
  void Closed() override {}
  void Refused() override {}
  void Warning(const std::string& text) override;
};

class TinyServer {
 public:
  // On a free port of 127.0.0.1. Aborts on failure.
  explicit TinyServer(const net::ConnectionLimits& limits,
                      const grpc_front::ServerOptions& options = {});
  // On a Unix socket, without TLS.
  TinyServer(const std::string& socket_path, const net::ConnectionLimits& limits);

  grpc_front::GrpcServer& server() { return *server_; }
  net::ConnectionAcceptor& door() { return server_->door(0); }
  const net::ConnectionAcceptor& door() const { return server_->door(0); }
  // Only over TCP.
  grpc_front::RotatingCredentials& credentials() { return *credentials_; }
  const TestAuthority& authority() const { return authority_; }
  std::string port() const;

  // A channel of its own connection, with a client certificate of `authority`.
  std::shared_ptr<grpc::Channel> Connect() const;

 private:
  TestAuthority authority_;
  EchoingRefusal service_;
  PrintingObserver observer_;
  std::shared_ptr<grpc_front::RotatingCredentials> credentials_;
  std::unique_ptr<grpc_front::GrpcServer> server_;
};

net::TlsMaterial MaterialOf(const PemPair& server, const std::string& client_ca);

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address, const std::string& ca,
                                         const PemPair& client);

// Calls DescribeKey once; the status says whether the server was reached.
grpc::Status Describe(const std::shared_ptr<grpc::Channel>& channel, const std::string& key_id);

// Whether `condition` becomes true within ten seconds.
bool Eventually(const std::function<bool()>& condition);

}  // namespace hallmark::testing
