#include "service/app/other_usages.h"

#include "service/app/pipeline.h"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace hallmark::app {
namespace {

// The refusal of a key that was found, whose caller is allowed, and which is enabled.
Error Refusal(const Engine& engine, CallContext& call, std::string_view key_id,
              GrantTokens grant_tokens) {
  Result<KeyViewPtr> admitted = AdmitKey(engine, call, key_id, {}, grant_tokens);
  if (admitted) std::abort();  // the table of key states allows it in no state
  return std::move(admitted).error();
}

Status RefuseCiphertext(const Engine& engine, CallContext& call, std::string_view key_id,
                        GrantTokens grant_tokens) {
  Error refusal = Refusal(engine, call, key_id, grant_tokens);
  if (refusal.exception != Exception::kInvalidKeyUsageException) {
    return Unexpected(std::move(refusal));
  }
  return Fail(Exception::kIncorrectKeyException,
              "The key ID in the request does not identify a CMK that can perform this operation.");
}

}  // namespace

Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::UseOtherwiseRequest& request,
                        v1::UseOtherwiseResponse* /*response*/) {
  return Unexpected(Refusal(engine, call, request.key_id(), &request.grant_tokens()));
}

Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::DecryptRequest& request,
                        v1::UseOtherwiseResponse* /*response*/) {
  if (!request.has_key_id()) return Fail(Exception::kInvalidCiphertextException);
  return RefuseCiphertext(engine, call, request.key_id(), &request.grant_tokens());
}

Status RefuseOtherUsage(Engine& engine, CallContext& call, const v1::ReEncryptRequest& request,
                        v1::UseOtherwiseResponse* /*response*/) {
  if (request.has_source_key_id()) {
    return RefuseCiphertext(engine, call, request.source_key_id(), &request.grant_tokens());
  }
  return Unexpected(Refusal(engine, call, request.destination_key_id(), &request.grant_tokens()));
}

}  // namespace hallmark::app
