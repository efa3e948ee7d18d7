// How long a call may last.
#pragma once

#include "keystate/clock.h"

#include <grpcpp/server_context.h>

#include <chrono>

namespace hallmark::grpc_front {

// The client's deadline, but at most `longest` from `now`.
SteadyTime DeadlineOf(const grpc::ServerContextBase& context, SteadyTime now,
                      std::chrono::milliseconds longest);

}  // namespace hallmark::grpc_front
