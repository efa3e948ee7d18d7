#include "service/wire/error_map.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include <cstddef>
#include <cstdlib>

namespace hallmark::wire {
namespace {

// gRPC clients accept 8 KiB of metadata unless told otherwise. A message travels twice: as
// grpc-message (percent-encoded) and inside grpc-status-details-bin (base64). The rest of the 8 KiB
// is for ErrorInfo and the headers that come with every answer.
constexpr std::size_t kMessageBudgetBytes = 6'400;
constexpr std::string_view kEllipsis = "\u2026";

// What one byte of the message costs in both places, in thirds of a byte.
constexpr std::size_t CostInThirds(char c) {
  const bool sent_as_is = c >= ' ' && c <= '~' && c != '%';
  return (sent_as_is ? 3 : 9) + 4;
}

constexpr std::size_t CostInThirds(std::string_view text) {
  std::size_t thirds = 0;
  for (const char c : text) thirds += CostInThirds(c);
  return thirds;
}

constexpr bool IsUtf8Continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::string FitToBudget(std::string_view message) {
  constexpr std::size_t kBudgetInThirds = 3 * kMessageBudgetBytes;
  if (CostInThirds(message) <= kBudgetInThirds) return std::string(message);
  std::size_t spent = CostInThirds(kEllipsis);
  std::size_t kept = 0;
  while (spent + CostInThirds(message[kept]) <= kBudgetInThirds)
    spent += CostInThirds(message[kept++]);
  while (kept > 0 && IsUtf8Continuation(message[kept])) --kept;
  return std::string(message.substr(0, kept)).append(kEllipsis);
}

std::string SerializeDetails(const Error& error, grpc::StatusCode code, const std::string& message,
                             std::string_view request_id) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(message);

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(Describe(error.exception).name));
  info.set_domain("hallmark");
  (*info.mutable_metadata())["request_id"] = std::string(request_id);
  const bool retryable = Describe(error.exception).retry == Retry::kBackoff;
  (*info.mutable_metadata())["retryable"] = retryable ? "true" : "false";
  status.add_details()->PackFrom(info);

  if (error.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    const auto milliseconds = error.retry_after->count();
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(milliseconds % 1'000) * 1'000'000);
    status.add_details()->PackFrom(retry);
  }
  return status.SerializeAsString();
}

}  // namespace

grpc::StatusCode ToGrpc(Exception exception) {
  switch (exception) {  // no default: a new row in exceptions.def must fail to compile here
    case Exception::kExpiredImportTokenException:
    case Exception::kIncorrectKeyException:
    case Exception::kIncorrectKeyMaterialException:
    case Exception::kInvalidAliasNameException:
    case Exception::kInvalidArnException:
    case Exception::kInvalidCiphertextException:
    case Exception::kInvalidGrantIdException:
    case Exception::kInvalidGrantTokenException:
    case Exception::kInvalidImportTokenException:
    case Exception::kInvalidMarkerException:
    case Exception::kKMSInvalidMacException:
    case Exception::kMalformedPolicyDocumentException:
    case Exception::kSerializationException:
    case Exception::kTagException:
    case Exception::kValidationException:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Exception::kNotFoundException:
      return grpc::StatusCode::NOT_FOUND;
    case Exception::kAlreadyExistsException:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Exception::kAccessDeniedException:
    case Exception::kNotAuthorizedException:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Exception::kIncompleteSignatureException:
    case Exception::kInvalidSignatureException:
    case Exception::kMissingAuthenticationTokenException:
    case Exception::kUnrecognizedClientException:
      return grpc::StatusCode::UNAUTHENTICATED;
    case Exception::kDisabledException:
    case Exception::kDryRunOperationException:
    case Exception::kInvalidKeyUsageException:
    case Exception::kKMSInvalidStateException:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Exception::kUnknownOperationException:
    case Exception::kUnsupportedOperationException:
      return grpc::StatusCode::UNIMPLEMENTED;
    case Exception::kLimitExceededException:
    case Exception::kThrottlingException:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    // Two writers met: what gRPC calls ABORTED, to be repeated from reading the state on.
    case Exception::kConflictException:
      return grpc::StatusCode::ABORTED;
    case Exception::kDependencyTimeoutException:
    case Exception::kKeyUnavailableException:
      return grpc::StatusCode::UNAVAILABLE;
    case Exception::kKMSInternalException:
      return grpc::StatusCode::INTERNAL;
  }
  std::abort();
}

int ToHttp(Exception exception) {
  if (exception == Exception::kDependencyTimeoutException) return 503;
  return Describe(exception).fault == Fault::kCaller ? 400 : 500;
}

GrpcStatus MakeGrpcStatus(const Error& error, std::string_view request_id) {
  const grpc::StatusCode code = ToGrpc(error.exception);
  std::string message = FitToBudget(error.message);
  std::string details = SerializeDetails(error, code, message, request_id);
  return {code, std::move(message), std::move(details)};
}

}  // namespace hallmark::wire
