// The log lines of gRPC and protobuf themselves.
#pragma once

#include <functional>
#include <string>

namespace hallmark::grpc_front {

// Sends their error lines to `sink`, from any thread, at most ten a second: a failed handshake or a
// malformed message writes one, so whoever can reach the port could fill a disk with them. An empty
// sink drops them; without a call they go to standard error.
void SetGrpcLogSink(std::function<void(const std::string& text)> sink);

}  // namespace hallmark::grpc_front
