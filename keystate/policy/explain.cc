#include "keystate/policy/explain.h"

#include "keystate/policy/malformed.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace hallmark {
namespace {

std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += "\"" + text + "\"";
  }
  return joined;
}

// Of a long value, and of a key with many values: so many conditions may ask for it that an answer
// would not arrive.
constexpr std::size_t kShownValues = 5;
constexpr std::size_t kShownBytes = 256;

ConditionTrace Trace(const Condition& condition, const AccessRequest& request, PolicyKind kind,
                     Effect effect) {
  ConditionTrace trace{condition.operator_name(),
                       condition.key().name,
                       condition.value_texts(),
                       {},
                       condition.Evaluate(request, kind, effect)};
  ValueBuffer buffer;
  const KeyValues values = KeyValues::Read(condition.key(), request, kind, buffer);
  const std::size_t shown = std::min(values.size(), kShownValues);
  for (std::size_t i = 0; i < shown; ++i)
    trace.request_values.push_back(Shortened(values[i], kShownBytes));
  if (shown < values.size()) {
    trace.request_values.push_back("… and " + std::to_string(values.size() - shown) + " more");
  }
  return trace;
}

StatementTrace Trace(const Statement& statement, const AccessRequest& request, PolicyKind kind) {
  StatementTrace trace{
      statement.id, statement.effect, ReachOf(statement, request.caller), Mismatch::kNone, "", {}};
  for (const Condition& condition : statement.conditions) {
    trace.conditions.push_back(Trace(condition, request, kind, statement.effect));
  }
  const auto mismatch = [&](Mismatch element, std::string reason) {
    trace.mismatch = element;
    trace.reason = std::move(reason);
    return trace;
  };
  if (!statement.has_action || !statement.has_resource) {
    return mismatch(Mismatch::kInert,
                    "it has no " + std::string(statement.has_action ? "Resource" : "Action") +
                        " and therefore no effect");
  }
  if (trace.reach == Reach::kNone) {
    return mismatch(Mismatch::kPrincipal,
                    std::string(statement.not_principal ? "NotPrincipal" : "Principal") +
                        " does not mean " + std::string(request.caller.arn));
  }
  if (!statement.operations.Contains(request.operation)) {
    return mismatch(Mismatch::kAction,
                    "it does not name " + std::string(PolicyAction(request.operation)));
  }
  const std::optional<bool> resource = ResourceMatches(statement, request, kind);
  if (!resource) {
    return mismatch(Mismatch::kResource, "a variable of its resource has no value in the request");
  }
  if (!*resource) {
    return mismatch(Mismatch::kResource, "it does not name " + std::string(request.resource_arn));
  }
  for (const ConditionTrace& condition : trace.conditions) {
    if (condition.outcome != ConditionOutcome::kMet) {
      return mismatch(Mismatch::kCondition, Describe(condition));
    }
  }
  return trace;
}

}  // namespace

std::string Describe(const ConditionTrace& trace) {
  const std::string condition =
      trace.operator_name + " of " + trace.key + " with " + Join(trace.policy_values);
  if (trace.outcome == ConditionOutcome::kUnresolved) {
    return condition + ": a variable has no value in the request";
  }
  if (trace.request_values.empty())
    return condition + ": the condition key is absent from the request";
  return condition + ": the request has " + Join(trace.request_values);
}

Explanation Explain(const AccessRequest& request) { return Explain(request, Authorize(request)); }

Explanation ExplainInShort(const AccessRequest& request, const Decision& decision) {
  Explanation explanation{{decision.allowed, decision.decider, std::string(decision.because),
                           decision.explicit_deny, decision.refusal},
                          std::nullopt,
                          {}};
  if (!decision.allowed) explanation.refusal_text = AccessDenied(request, decision).message;
  return explanation;
}

Explanation Explain(const AccessRequest& request, const Decision& decision) {
  Explanation explanation = ExplainInShort(request, decision);
  const std::array policies{
      std::pair{Decider::kKeyPolicy, request.key_policy},
      std::pair{Decider::kIdentityPolicy, request.caller.identity_policy},
      std::pair{Decider::kPermissionsBoundary, request.caller.permissions_boundary},
      std::pair{Decider::kSessionPolicy, request.caller.session_policy}};
  for (const auto& [decider, policy] : policies) {
    if (policy == nullptr) continue;
    PolicyTrace trace{
        decider, decider != Decider::kKeyPolicy || ConsultsKeyPolicy(request.operation), {}};
    for (const Statement& statement : policy->statements()) {
      trace.statements.push_back(Trace(statement, request, policy->kind()));
    }
    explanation.policies.push_back(std::move(trace));
  }
  return explanation;
}

}  // namespace hallmark
