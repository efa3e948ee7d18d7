#include "keystate/authorize.h"

#include <algorithm>

namespace hallmark {
namespace {

bool AnyMatches(const std::vector<Pattern>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.Matches(text); });
}

}  // namespace

Decision Authorize(const AccessRequest& request) {
  Decision decision{false, {}};
  if (request.caller.policy == nullptr) return decision;
  const std::string_view action = PolicyAction(request.operation);
  for (const Statement& statement : request.caller.policy->statements()) {
    if (!AnyMatches(statement.actions, action)) continue;
    if (!AnyMatches(statement.resources, request.resource_arn)) continue;
    if (statement.effect == Effect::kDeny) return {false, statement.id, true};
    if (!decision.allowed) decision = {true, statement.id};
  }
  // A foreign key needs its owner's permission too, which no key gives yet.
  if (request.caller.record.arn.account() != request.resource_account) return {false, {}};
  return decision;
}

Error AccessDenied(const AccessRequest& request, const Decision& decision) {
  const std::string action(PolicyAction(request.operation));
  const bool foreign = request.caller.record.arn.account() != request.resource_account;
  std::string text = "User: " + request.caller.record.arn.text() +
                     " is not authorized to perform: " + action + " on ";
  text += foreign ? "this resource" : "resource: " + std::string(request.resource_arn);
  if (decision.explicit_deny) {
    text += " with an explicit deny in an identity-based policy";
  } else if (foreign) {
    text +=
        " because the resource does not exist in this Region, no resource-based policies allow "
        "access, or a resource-based policy explicitly denies access";
  } else {
    text += " because no identity-based policy allows the " + action + " action";
  }
  return {Exception::kAccessDeniedException, std::move(text), std::string(decision.because)};
}

}  // namespace hallmark
