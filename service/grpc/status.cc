#include "service/grpc/status.h"

#include "service/wire/error_map.h"

#include <utility>

namespace hallmark::grpc_front {

grpc::Status ToGrpcStatus(const Status& status, std::string_view request_id) noexcept {
  if (status.has_value()) return {};
  try {
    wire::GrpcStatus mapped = wire::MakeGrpcStatus(status.error(), request_id);
    return {mapped.code, std::move(mapped.message), std::move(mapped.details)};
  } catch (...) {
    return {grpc::StatusCode::INTERNAL, {}};
  }
}

}  // namespace hallmark::grpc_front
