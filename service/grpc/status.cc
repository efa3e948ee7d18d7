#include "service/grpc/status.h"

#include "service/wire/error_map.h"

#include <exception>
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

Status UnexpectedFailure() noexcept try {
  constexpr auto kMessage = "The request failed because of an internal error. Try again.";
  try {
    throw;
  } catch (const std::exception& bug) {
    return Fail(Exception::kKMSInternalException, kMessage, bug.what());
  } catch (...) {
    return Fail(Exception::kKMSInternalException, kMessage, "an exception of unknown type");
  }
} catch (...) {  // no memory for the texts
  return Fail(Exception::kKMSInternalException);
}

}  // namespace hallmark::grpc_front
