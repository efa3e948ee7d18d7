// TLS of the gRPC listener: TLS 1.3 only.
#pragma once

namespace hallmark::grpc_front {

// gRPC 1.51 has no setting for a lowest TLS version, and allows 1.2. This leaves TLS 1.2 without a
// cipher suite that could ever be agreed on, so that 1.3 remains.
//
// Called at the start of main: gRPC reads the setting once, at its first TLS use, and setenv is
// safe only while there is one thread.
void RestrictTlsToVersion13();

}  // namespace hallmark::grpc_front
