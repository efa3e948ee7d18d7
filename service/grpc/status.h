// From the service's outcome to gRPC's.
#pragma once

#include "keystate/result.h"

#include <grpcpp/support/status.h>

#include <string_view>

namespace hallmark::grpc_front {

// Without memory for the details it is a bare INTERNAL: a call is answered whatever happens.
grpc::Status ToGrpcStatus(const Status& status, std::string_view request_id) noexcept;

}  // namespace hallmark::grpc_front
