#include "service/app/key_policy.h"

#include "keystate/policy/render.h"
#include "service/app/access.h"
#include "service/app/sha256.h"

#include <optional>
#include <string_view>
#include <utility>

namespace hallmark::app {
namespace {

// Over the document and, behind a byte that no document holds, the ids that its principals meant.
std::string HashOf(std::string_view document, const PolicyBindings& bindings) {
  std::string text(document);
  for (const PrincipalBinding& binding : bindings) {
    text.append(1, '\0').append(binding.arn).append(1, '\0').append(binding.unique_id);
  }
  return Sha256Hex(text);
}

}  // namespace

Result<StoredPolicyPtr> CompileKeyPolicy(const Engine& engine, const std::string& document) {
  const auto resolve = [&](std::string_view principal) -> std::optional<std::string> {
    auto found = engine.principals.FindByArn(principal);
    if (found == nullptr) found = engine.principals.FindByUniqueId(principal);
    if (found == nullptr) return std::nullopt;
    return found->record.unique_id;
  };
  HALLMARK_ASSIGN_OR_RETURN(PolicyBindings bindings,
                            BindPrincipals(document, engine.site, resolve));
  PolicyRecord record{.hash = HashOf(document, bindings), .document = document};
  record.bindings = std::move(bindings);
  return engine.policies.Get(record, PolicyKind::kKey);
}

Result<StoredPolicyPtr> DefaultPolicyOf(PolicyCache& policies, const Site& site,
                                        const AccountId& account) {
  const std::string document = DefaultKeyPolicy(site, account);
  return policies.Get({.hash = HashOf(document, {}), .document = document}, PolicyKind::kKey);
}

Status CheckLockoutFor(const Engine& engine, const CallContext& call, const AccountId& account,
                       std::string_view key_arn, RequestContext context, const Policy& policy) {
  FillFromCall(engine, call, &context);
  const Caller caller = CallerOf(*call.caller);
  return CheckLockout(
      {caller, Operation::kPutKeyPolicy, account, key_arn, context, &policy, nullptr});
}

}  // namespace hallmark::app
