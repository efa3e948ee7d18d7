// The operations themselves, one function each. A function fills in `response` and returns success,
// or returns the refusal; it may assume that the request satisfies its schema.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/result.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

namespace hallmark::app {

Status CancelKeyDeletion(Engine& engine, CallContext& call,
                         const v1::CancelKeyDeletionRequest& request,
                         v1::CancelKeyDeletionResponse* response);
Status CreateAlias(Engine& engine, CallContext& call, const v1::CreateAliasRequest& request,
                   v1::CreateAliasResponse* response);
Status CreateKey(Engine& engine, CallContext& call, const v1::CreateKeyRequest& request,
                 v1::CreateKeyResponse* response);
Status DeleteAlias(Engine& engine, CallContext& call, const v1::DeleteAliasRequest& request,
                   v1::DeleteAliasResponse* response);
Status DescribeKey(Engine& engine, CallContext& call, const v1::DescribeKeyRequest& request,
                   v1::DescribeKeyResponse* response);
Status DisableKey(Engine& engine, CallContext& call, const v1::DisableKeyRequest& request,
                  v1::DisableKeyResponse* response);
Status DisableKeyRotation(Engine& engine, CallContext& call,
                          const v1::DisableKeyRotationRequest& request,
                          v1::DisableKeyRotationResponse* response);
Status EnableKey(Engine& engine, CallContext& call, const v1::EnableKeyRequest& request,
                 v1::EnableKeyResponse* response);
Status EnableKeyRotation(Engine& engine, CallContext& call,
                         const v1::EnableKeyRotationRequest& request,
                         v1::EnableKeyRotationResponse* response);
Status Explain(Engine& engine, CallContext& call, const v1::ExplainRequest& request,
               v1::ExplainResponse* response);
Status GenerateRandom(Engine& engine, CallContext& call, const v1::GenerateRandomRequest& request,
                      v1::GenerateRandomResponse* response);
Status GetKeyLastUsage(Engine& engine, CallContext& call, const v1::GetKeyLastUsageRequest& request,
                       v1::GetKeyLastUsageResponse* response);
Status GetKeyRotationStatus(Engine& engine, CallContext& call,
                            const v1::GetKeyRotationStatusRequest& request,
                            v1::GetKeyRotationStatusResponse* response);
Status ListAliases(Engine& engine, CallContext& call, const v1::ListAliasesRequest& request,
                   v1::ListAliasesResponse* response);
Status ListKeyRotations(Engine& engine, CallContext& call,
                        const v1::ListKeyRotationsRequest& request,
                        v1::ListKeyRotationsResponse* response);
Status ListKeys(Engine& engine, CallContext& call, const v1::ListKeysRequest& request,
                v1::ListKeysResponse* response);
Status ListResourceTags(Engine& engine, CallContext& call,
                        const v1::ListResourceTagsRequest& request,
                        v1::ListResourceTagsResponse* response);
Status RotateKeyOnDemand(Engine& engine, CallContext& call,
                         const v1::RotateKeyOnDemandRequest& request,
                         v1::RotateKeyOnDemandResponse* response);
Status ScheduleKeyDeletion(Engine& engine, CallContext& call,
                           const v1::ScheduleKeyDeletionRequest& request,
                           v1::ScheduleKeyDeletionResponse* response);
Status TagResource(Engine& engine, CallContext& call, const v1::TagResourceRequest& request,
                   v1::TagResourceResponse* response);
Status UntagResource(Engine& engine, CallContext& call, const v1::UntagResourceRequest& request,
                     v1::UntagResourceResponse* response);
Status UpdateAlias(Engine& engine, CallContext& call, const v1::UpdateAliasRequest& request,
                   v1::UpdateAliasResponse* response);
Status UpdateKeyDescription(Engine& engine, CallContext& call,
                            const v1::UpdateKeyDescriptionRequest& request,
                            v1::UpdateKeyDescriptionResponse* response);

// Who may use a key.
Status CreateGrant(Engine& engine, CallContext& call, const v1::CreateGrantRequest& request,
                   v1::CreateGrantResponse* response);
Status GetKeyPolicy(Engine& engine, CallContext& call, const v1::GetKeyPolicyRequest& request,
                    v1::GetKeyPolicyResponse* response);
Status ListGrants(Engine& engine, CallContext& call, const v1::ListGrantsRequest& request,
                  v1::ListGrantsResponse* response);
Status ListKeyPolicies(Engine& engine, CallContext& call, const v1::ListKeyPoliciesRequest& request,
                       v1::ListKeyPoliciesResponse* response);
Status ListRetirableGrants(Engine& engine, CallContext& call,
                           const v1::ListRetirableGrantsRequest& request,
                           v1::ListRetirableGrantsResponse* response);
Status PutKeyPolicy(Engine& engine, CallContext& call, const v1::PutKeyPolicyRequest& request,
                    v1::PutKeyPolicyResponse* response);
Status RetireGrant(Engine& engine, CallContext& call, const v1::RetireGrantRequest& request,
                   v1::RetireGrantResponse* response);
Status RevokeGrant(Engine& engine, CallContext& call, const v1::RevokeGrantRequest& request,
                   v1::RevokeGrantResponse* response);

// These end on whichever thread computes the MAC, this one or another; `response` is written only
// just before `done` gets a success.
void GenerateMac(Engine& engine, const CallPtr& call, const v1::GenerateMacRequest& request,
                 v1::GenerateMacResponse* response, Done done);
void VerifyMac(Engine& engine, const CallPtr& call, const v1::VerifyMacRequest& request,
               v1::VerifyMacResponse* response, Done done);

}  // namespace hallmark::app
