#include "service/grpc/rotating_credentials.h"

#include <grpc/grpc.h>

#include <cstdlib>
#include <utility>

namespace hallmark::grpc_front {

RotatingCredentials::RotatingCredentials(net::TlsMaterial first)
    : pending_(std::move(first)),
      credentials_(grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, Fetch, this))) {}

RotatingCredentials::~RotatingCredentials() = default;

void RotatingCredentials::Replace(net::TlsMaterial next) {
  const MutexLock lock(mu_);
  pending_ = std::move(next);
}

void RotatingCredentials::SetAuthMetadataProcessor(
    const std::shared_ptr<grpc::AuthMetadataProcessor>&) {
  std::abort();
}

grpc_ssl_certificate_config_reload_status RotatingCredentials::Fetch(
    void* self, grpc_ssl_server_certificate_config** config) {
  auto& credentials = *static_cast<RotatingCredentials*>(self);
  std::optional<net::TlsMaterial> next;
  {
    const MutexLock lock(credentials.mu_);
    next.swap(credentials.pending_);
  }
  if (!next.has_value()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{next->private_key.c_str(), next->certificate_chain.c_str()};
  *config = grpc_ssl_server_certificate_config_create(next->client_ca.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

// What gRPC's own credentials do, which cannot be made with a fetcher from C++.
int RotatingCredentials::AddPortToServer(const std::string& address, grpc_server* server) {
  return grpc_server_add_http2_port(server, address.c_str(), credentials_.get());
}

}  // namespace hallmark::grpc_front
