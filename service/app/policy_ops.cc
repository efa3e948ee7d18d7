// Operations on the policy of a key.
#include "keystate/policy/render.h"
#include "service/app/access.h"
#include "service/app/key_policy.h"
#include "service/app/operation_functions.h"
#include "service/app/optimistic.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace hallmark::app {
namespace {

constexpr const char* kPolicyName = "default";
// Source: KMS API reference, ListKeyPolicies.
constexpr PageSize kPolicyPage{.usual = 100, .most = 1000};

template <class Request>
Status CheckPolicyName(const Request& request) {
  if (!request.has_policy_name() || request.policy_name() == kPolicyName) return {};
  return Fail(Exception::kNotFoundException, "No such policy exists");
}

}  // namespace

Status PutKeyPolicy(Engine& engine, CallContext& call, const v1::PutKeyPolicyRequest& request,
                    v1::PutKeyPolicyResponse* /*response*/) {
  RequestContext context;
  context.bypass_policy_lockout_safety_check = request.bypass_policy_lockout_safety_check();
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                              AdmitKey(engine, call, request.key_id(), context));
    HALLMARK_RETURN_IF_ERROR(CheckPolicyName(request));
    HALLMARK_ASSIGN_OR_RETURN(StoredPolicyPtr policy, CompileKeyPolicy(engine, request.policy()));
    if (!request.bypass_policy_lockout_safety_check()) {
      RequestContext of_key = context;
      const KeyAliases aliases(engine, *view);
      FillFromKey(*view, aliases, &of_key);
      HALLMARK_RETURN_IF_ERROR(
          CheckLockoutFor(engine, call, view->key.account, view->arn, of_key, policy->compiled));
    }
    auto next = std::make_shared<KeyView>(*view);
    next->key.policy_hash = policy->record.hash;
    HALLMARK_ASSIGN_OR_RETURN(next->key.revision,
                              engine.store.Commit(std::array{Put(policy->record), Put(next->key)}));
    next->policy = std::move(policy);
    engine.keys.Publish(std::move(next));
    return {};
  });
}

Status GetKeyPolicy(Engine& engine, CallContext& call, const v1::GetKeyPolicyRequest& request,
                    v1::GetKeyPolicyResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  HALLMARK_RETURN_IF_ERROR(CheckPolicyName(request));
  const auto current_arn = [&](std::string_view unique_id) -> std::optional<std::string> {
    const auto principal = engine.principals.FindByUniqueId(unique_id);
    if (principal == nullptr) return std::nullopt;
    return principal->record.arn.text();
  };
  const PolicyRecord& policy = view->policy->record;
  HALLMARK_ASSIGN_OR_RETURN(*response->mutable_policy(),
                            RenderKeyPolicy(policy.document, policy.bindings, current_arn));
  response->set_policy_name(kPolicyName);
  return {};
}

Status ListKeyPolicies(Engine& engine, CallContext& call, const v1::ListKeyPoliciesRequest& request,
                       v1::ListKeyPoliciesResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  HALLMARK_RETURN_IF_ERROR(
      Page::Open(engine, call.operation, view->key.account, view->arn, request, kPolicyPage));
  response->add_policy_names(kPolicyName);
  response->set_truncated(false);
  return {};
}

}  // namespace hallmark::app
