// Calls of gRPC's own services, whose generated stubs Debian does not ship: as bytes.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace hallmark::testing {

enum class Health { kServing, kNotServing, kUnreachable };

// Asks grpc.health.v1.Health about "hallmark.v1.KeyService".
Health CheckHealth(const std::shared_ptr<grpc::Channel>& channel);

// The answer of grpc.reflection.v1alpha.ServerReflection to "list services", serialised; empty on
// failure.
std::string ListServices(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace hallmark::testing
