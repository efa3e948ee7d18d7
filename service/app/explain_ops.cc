#include "service/app/explain_ops.h"

#include "keystate/key_state.h"
#include "service/app/explained_call.h"
#include "service/app/operation_functions.h"
#include "service/app/validation.h"

#include <memory>
#include <string>
#include <utility>

namespace hallmark::app {
namespace {

v1::PolicyType TypeOf(Decider decider) {
  switch (decider) {
    case Decider::kKeyPolicy:
      return v1::POLICY_TYPE_KEY_POLICY;
    case Decider::kIdentityPolicy:
      return v1::POLICY_TYPE_IDENTITY_POLICY;
    case Decider::kPermissionsBoundary:
      return v1::POLICY_TYPE_PERMISSIONS_BOUNDARY;
    case Decider::kSessionPolicy:
      return v1::POLICY_TYPE_SESSION_POLICY;
    case Decider::kGrant:
      return v1::POLICY_TYPE_GRANT;
    case Decider::kNothing:
      break;
  }
  return v1::POLICY_TYPE_UNSPECIFIED;
}

v1::StatementEffect ToProto(Effect effect) {
  return effect == Effect::kAllow ? v1::STATEMENT_EFFECT_ALLOW : v1::STATEMENT_EFFECT_DENY;
}

v1::ConditionResult ToProto(ConditionOutcome outcome) {
  switch (outcome) {
    case ConditionOutcome::kMet:
      return v1::CONDITION_RESULT_MET;
    case ConditionOutcome::kNotMet:
      return v1::CONDITION_RESULT_NOT_MET;
    case ConditionOutcome::kUnresolved:
      break;
  }
  return v1::CONDITION_RESULT_UNRESOLVED;
}

v1::MeansPrincipal ToProto(Reach reach) {
  switch (reach) {
    case Reach::kNone:
      return v1::MEANS_PRINCIPAL_NOT;
    case Reach::kAccount:
      return v1::MEANS_PRINCIPAL_BY_ACCOUNT;
    case Reach::kEveryone:
      return v1::MEANS_PRINCIPAL_AS_EVERYONE;
    case Reach::kRole:
      return v1::MEANS_PRINCIPAL_BY_ROLE;
    case Reach::kSelf:
      break;
  }
  return v1::MEANS_PRINCIPAL_ITSELF;
}

void Fill(const StatementTrace& trace, Decider policy, v1::ExplainedStatement* out) {
  out->set_statement(trace.id);
  out->set_effect(ToProto(trace.effect));
  out->set_matches(trace.mismatch == Mismatch::kNone);
  if (!trace.reason.empty()) out->set_mismatch(trace.reason);
  if (policy == Decider::kKeyPolicy) out->set_means_principal(ToProto(trace.reach));
  for (const ConditionTrace& condition : trace.conditions) {
    v1::ExplainedCondition* entry = out->add_conditions();
    entry->set_operator_(condition.operator_name);
    entry->set_key(condition.key);
    for (const std::string& value : condition.policy_values) entry->add_policy_values(value);
    for (const std::string& value : condition.request_values) entry->add_request_values(value);
    entry->set_result(ToProto(condition.outcome));
  }
}

void Fill(const ExplainedNeed& need, v1::ExplainDetails* out) {
  out->set_action(need.action);
  out->set_resource(need.resource);
  const ExplainedDecision& decision = need.explanation.decision;
  if (decision.decider != Decider::kNothing && !need.decider_hidden) {
    v1::DecidedBy* decided = out->mutable_decided_by();
    decided->set_type(TypeOf(decision.decider));
    decided->set_name(decision.because);
    decided->set_effect(ToProto(decision.explicit_deny ? Effect::kDeny : Effect::kAllow));
  }
  for (const PolicyTrace& trace : need.explanation.policies) {
    v1::ExplainedPolicy* policy = out->add_policies();
    policy->set_type(TypeOf(trace.policy));
    policy->set_consulted(trace.consulted);
    for (const StatementTrace& statement : trace.statements) {
      Fill(statement, trace.policy, policy->add_statements());
    }
  }
  for (const GrantTrace& trace : need.grants) {
    v1::ExplainedGrant* grant = out->add_grants();
    grant->set_grant_id(trace.id);
    grant->set_matches(trace.mismatch.empty());
    if (!trace.mismatch.empty()) grant->set_mismatch(trace.mismatch);
  }
  for (const std::string& change : need.changes) out->add_changes(change);
}

void Fill(const KeyView& view, const Status& verdict, v1::ExplainedKeyState* out) {
  out->set_key_arn(view.arn);
  out->set_state(std::string(Name(view.key.state)));
  if (verdict) return;
  out->set_refusal(std::string(Describe(verdict.error().exception).name));
  out->set_refusal_text(verdict.error().message);
}

void Fill(const ExplainedCall& explained, const Sight& sight, v1::ExplainResponse* response) {
  response->set_decision(explained.need.explanation.decision.allowed ? v1::ACCESS_DECISION_ALLOWED
                                                                     : v1::ACCESS_DECISION_DENIED);
  if (!explained.outcome) {
    const Error& refusal = explained.outcome.error();
    response->set_refusal(std::string(Describe(refusal.exception).name));
    response->set_refusal_text(refusal.message);
  }
  if (!sight.reasons) return;
  Fill(explained.need, response->mutable_details());
  if (explained.key_verdict && sight.Sees(explained.key->key.account)) {
    Fill(*explained.key, *explained.key_verdict, response->mutable_details()->mutable_key_state());
  }
}

Result<Operation> OperationOf(const v1::ExplainRequest& request) {
  const std::optional<Operation> operation = ServedOperation(request.operation());
  if (operation) return *operation;
  return Fail(Exception::kValidationException,
              "There is no operation '" + request.operation() +
                  "'. Operations have KMS's names: GenerateMac, or kms:GenerateMac.");
}

Result<std::shared_ptr<const Principal>> PrincipalOf(const Engine& engine, const std::string& arn) {
  std::shared_ptr<const Principal> principal = engine.principals.FindByArn(arn);
  if (principal != nullptr) return principal;
  return Fail(Exception::kNotFoundException, "Principal '" + arn + "' does not exist");
}

}  // namespace

Status Explain(Engine& engine, CallContext& call, const v1::ExplainRequest& request,
               v1::ExplainResponse* response) {
  const Principal& caller = *call.caller;
  const AccountId& home = caller.record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(const Operation operation, OperationOf(request));
  HALLMARK_ASSIGN_OR_RETURN(GivenContext given, GivenContext::Parse(request.context()));
  HALLMARK_ASSIGN_OR_RETURN(const CallTarget target, FindTarget(engine, request, operation, home));
  call.key_arn = target.has_own_key() ? target.view->arn : request.key_id();

  const bool of_itself =
      !request.has_principal() || request.principal() == caller.record.arn.text();
  Status permitted = CheckMayExplain(engine, call, request, target);
  // Without the permission it may ask what it could find out by making the call.
  const bool tries = of_itself && !given.GoesBeyondTheRequest(target.reference.has_value());
  if (!permitted && !tries) return permitted;

  const Sight sight{.account = home, .reasons = permitted.has_value()};
  const bool foreign = target.reference && !sight.Sees(target.reference->account);
  if (foreign && given.GoesBeyondTheRequest(/*names_key=*/true)) {
    // The decision is the real one: value by value it would spell out the key's policy.
    return Fail(Exception::kValidationException,
                "A call with a key of account " + std::string(target.reference->account.text()) +
                    " is explained as it is: Context can have only what its request would say.");
  }
  if (of_itself) {
    Fill(ExplainCall(engine, call, caller, operation, request, target, given, sight), sight,
         response);
    return {};
  }
  // By its ARN alone: nothing is said of who there is in another account.
  const Result<PrincipalArn> named = PrincipalArn::Parse(request.principal(), engine.site);
  if (named && !sight.Sees(named->account()) && !target.has_own_key()) {
    return Fail(
        Exception::kAccessDeniedException,
        "User: " + caller.record.arn.text() +
            " is not authorized to perform: hallmark:Explain on this resource because neither "
            "the principal nor the key belongs to its account");
  }
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, PrincipalOf(engine, request.principal()));
  CallContext as_if;
  as_if.operation = operation;
  Fill(ExplainCall(engine, as_if, *principal, operation, request, target, given, sight), sight,
       response);
  return {};
}

Status ExplainForOperator(const Engine& engine, const v1::ExplainRequest& request,
                          v1::ExplainResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  if (!request.has_principal()) {
    return Fail(Exception::kValidationException, "Principal must be given.");
  }
  HALLMARK_ASSIGN_OR_RETURN(const Operation operation, OperationOf(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, PrincipalOf(engine, request.principal()));
  HALLMARK_ASSIGN_OR_RETURN(GivenContext given, GivenContext::Parse(request.context()));
  const AccountId& home = principal->record.arn.account();
  HALLMARK_ASSIGN_OR_RETURN(const CallTarget target, FindTarget(engine, request, operation, home));
  const Sight everything{.everything = true, .account = home};
  CallContext as_if;
  as_if.operation = operation;
  Fill(ExplainCall(engine, as_if, *principal, operation, request, target, given, everything),
       everything, response);
  return {};
}

}  // namespace hallmark::app
