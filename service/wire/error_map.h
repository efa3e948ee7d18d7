// How a refusal of the service looks on a transport: the only such mapping in the tree.
#pragma once

#include "keystate/error.h"

#include <grpcpp/support/status_code_enum.h>

#include <string>
#include <string_view>

namespace hallmark::wire {

grpc::StatusCode ToGrpc(Exception exception);
// 400 for a mistake of the caller, 503 when the service may be able to later, else 500.
int ToHttp(Exception exception);

// The parts of a grpc::Status, without the library that defines it.
struct GrpcStatus {
  grpc::StatusCode code;
  std::string message;
  // A serialized google.rpc.Status: ErrorInfo with the exception's name, the request id and
  // whether repeating the request can help; and RetryInfo where the error says when to come back.
  std::string details;
};

// The status for `error`. Its message is cut where a client with gRPC's default limits would reject
// the answer for its size, and would then see RESOURCE_EXHAUSTED instead of the reason.
GrpcStatus MakeGrpcStatus(const Error& error, std::string_view request_id);

}  // namespace hallmark::wire
