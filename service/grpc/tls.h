// TLS of the gRPC listener: client certificates are required, TLS 1.3 only.
#pragma once

#include "keystate/result.h"

#include <grpcpp/security/server_credentials.h>

#include <filesystem>
#include <memory>
#include <string>

namespace hallmark::grpc_front {

// gRPC 1.51 has no setting for a lowest TLS version, and allows 1.2. This leaves TLS 1.2 without a
// cipher suite that could ever be agreed on, so that 1.3 remains.
//
// Called at the start of main: gRPC reads the setting once, at its first TLS use, and setenv is
// safe only while there is one thread.
void RestrictTlsToVersion13();

struct TlsFiles {
  std::filesystem::path certificate;  // the server's, with its chain
  std::filesystem::path private_key;
  std::filesystem::path client_ca;
};

// Credentials that demand a certificate issued by `client_ca` of every client. The files are
// checked first, since gRPC would only refuse each connection later.
//
// Errors: one line that names the file, what is wrong with it and the remedy.
Result<std::shared_ptr<grpc::ServerCredentials>, std::string> MakeServerCredentials(
    const TlsFiles& files);

}  // namespace hallmark::grpc_front
