// The rotation family as it answers for HMAC keys, which are not rotated. What is refused is
// refused by the table of key states.
#include "service/app/operation_functions.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"

#include <cstdlib>

namespace hallmark::app {
namespace {

// Source: KMS API reference, ListKeyRotations.
constexpr PageSize kRotationPage{.usual = 100, .most = 1000};

}  // namespace

Status GetKeyRotationStatus(Engine& engine, CallContext& call,
                            const v1::GetKeyRotationStatusRequest& request,
                            v1::GetKeyRotationStatusResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  response->set_key_rotation_enabled(false);
  response->set_key_id(view->arn);
  return {};
}

Status EnableKeyRotation(Engine& engine, CallContext& call,
                         const v1::EnableKeyRotationRequest& request,
                         v1::EnableKeyRotationResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(AdmitKey(engine, call, request.key_id()));
  std::abort();  // the table of key states allows it in no state
}

Status DisableKeyRotation(Engine& engine, CallContext& call,
                          const v1::DisableKeyRotationRequest& request,
                          v1::DisableKeyRotationResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(AdmitKey(engine, call, request.key_id()));
  return {};
}

Status RotateKeyOnDemand(Engine& engine, CallContext& call,
                         const v1::RotateKeyOnDemandRequest& request,
                         v1::RotateKeyOnDemandResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(AdmitKey(engine, call, request.key_id()));
  std::abort();  // the table of key states allows it in no state
}

Status ListKeyRotations(Engine& engine, CallContext& call,
                        const v1::ListKeyRotationsRequest& request,
                        v1::ListKeyRotationsResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  if (request.include_key_material() != v1::INCLUDE_KEY_MATERIAL_UNSPECIFIED) {
    return Fail(Exception::kValidationException,
                "Input parameter includeKeyMaterial can only be used with symmetric keys.");
  }
  HALLMARK_ASSIGN_OR_RETURN(const Page page, Page::Open(engine, call.operation, view->key.account,
                                                        view->arn, request, kRotationPage));
  page.Close(/*truncated=*/false, {}, response);
  return {};
}

}  // namespace hallmark::app
