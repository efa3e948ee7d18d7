// The standard reflection service: grpcurl and its like learn the schema from the server itself.
#pragma once

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "service/grpc/connection_quota.h"
#include "service/grpc/queued_call.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::grpc_front {

// Knows the schema that this program was compiled with.
//
// Source: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
//
// Thread-safety: every method may be called from any thread.
class ReflectionService final : public QueuedService {
 public:
  using Service = grpc::reflection::v1alpha::ServerReflection::AsyncService;

  // Of one connection at once; more are refused with RESOURCE_EXHAUSTED.
  static constexpr std::size_t kMaxStreamsPerConnection = 4;

  // `service_names` are listed: full names.
  explicit ReflectionService(std::vector<std::string> service_names)
      : service_names_(std::move(service_names)) {}

  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  const char* full_name() const override {
    return grpc::reflection::v1alpha::ServerReflection::service_full_name();
  }

 private:
  class Stream;

  void ListenForAll() override;
  void ListenForStream();

  const std::vector<std::string> service_names_;
  Service service_;
  ConnectionQuota quota_{kMaxStreamsPerConnection};
};

}  // namespace hallmark::grpc_front
