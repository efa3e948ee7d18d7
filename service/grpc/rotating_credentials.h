// Server credentials whose certificate, key and client CA are replaced while the server runs.
#pragma once

#include "keystate/mutex.h"
#include "service/net/tls_files.h"

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>
#include <string>

namespace hallmark::grpc_front {

// Demands a certificate issued by the client CA of every client.
//
// gRPC asks at the begin of each handshake whether there is something new, and what it is handed
// then is certificate, key and CA together: a handshake sees all of the old or all of the new.
// Connections that are open, and handshakes that have begun, go on with what they have.
//
// For one server. Its connections must begin on one thread at a time, as our acceptor's do: gRPC
// puts the new material where the handshake after next looks without a lock.
//
// Thread-safety: Replace may be called from any thread. Outlives the server.
class RotatingCredentials final : public grpc::ServerCredentials {
 public:
  explicit RotatingCredentials(net::TlsMaterial first);
  ~RotatingCredentials() override;
  RotatingCredentials(const RotatingCredentials&) = delete;
  RotatingCredentials& operator=(const RotatingCredentials&) = delete;

  // For every connection that is accepted after it returns.
  void Replace(net::TlsMaterial next) HALLMARK_EXCLUDES(mu_);

  // Callers are known by their certificates; nothing looks at metadata. Aborts.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& processor) override;

 private:
  struct Release {
    void operator()(grpc_server_credentials* credentials) const {
      grpc_server_credentials_release(credentials);
    }
  };

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config);
  int AddPortToServer(const std::string& address, grpc_server* server) override;

  Mutex mu_;
  // Not handed to gRPC yet.
  std::optional<net::TlsMaterial> pending_ HALLMARK_GUARDED_BY(mu_);
  const std::unique_ptr<grpc_server_credentials, Release> credentials_;
};

}  // namespace hallmark::grpc_front
