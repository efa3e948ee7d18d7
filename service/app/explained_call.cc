#include "service/app/explained_call.h"

#include "keystate/grants/grant_rules.h"
#include "keystate/key_state.h"
#include "keystate/policy/pattern.h"
#include "service/app/operations.h"
#include "service/app/pipeline.h"
#include "service/app/retirement.h"

#include <algorithm>
#include <utility>

namespace hallmark::app {
namespace {

// So many grants to one principal are shown.
constexpr std::size_t kShownGrants = 100;

bool IsOnAlias(Operation operation) {
  return operation == Operation::kCreateAlias || operation == Operation::kUpdateAlias ||
         operation == Operation::kDeleteAlias;
}

bool ComputesMac(Operation operation) {
  return operation == Operation::kGenerateMac || operation == Operation::kVerifyMac;
}

Unexpected<Error> Invalid(std::string text) {
  return Fail(Exception::kValidationException, std::move(text));
}

Status CheckMembers(const v1::ExplainRequest& request, Operation operation) {
  const std::string action(PolicyAction(operation));
  const bool on_key = ConsultsKeyPolicy(operation);
  if (request.has_alias_name() != IsOnAlias(operation)) {
    return Invalid(request.has_alias_name()
                       ? action + " is not about an alias: AliasName must be absent."
                       : action + " is about an alias: AliasName must be given.");
  }
  if (operation == Operation::kDeleteAlias) {
    if (!request.has_key_id()) return {};
    return Invalid(action + " is about the key of its alias: KeyId must be absent.");
  }
  if (request.has_grant_id() != (operation == Operation::kRetireGrant)) {
    return Invalid(request.has_grant_id() ? action + " is explained without a GrantId."
                                          : action +
                                                " is explained for one grant: GrantId must "
                                                "be given.");
  }
  if (request.has_key_id() && !on_key && operation != Operation::kExplain) {
    return Invalid(action + " is not bound to a key: KeyId must be absent.");
  }
  if (!request.has_key_id() && on_key) {
    return Invalid(action + " is about a key: KeyId must be given.");
  }
  return {};
}

// The members of a call that it has when nobody gives them.
RequestContext DefaultsOf(Operation operation, const CallTarget& target, const Sight& sight) {
  RequestContext context;
  if (target.reference && target.reference->alias() != nullptr) {
    context.request_alias = *target.reference->alias();
  }
  // The algorithm says what spec a key has.
  const bool known = target.view != nullptr && sight.Sees(target.view->key.account);
  if (ComputesMac(operation) && known) {
    context.mac_algorithm = Row(target.view->key.spec).algorithm;
  }
  if (operation == Operation::kCreateKey) {
    context.key_usage = KeyUsage::kGenerateVerifyMac;
    context.key_origin = Origin::kAwsKms;
    context.multi_region = false;
  }
  context.pending_window_days = 30;
  context.bypass_policy_lockout_safety_check = false;
  context.grant_is_for_aws_resource = false;
  return context;
}

// For a principal of another account, of whose policies nothing may be told.
const Policy& AllowsEverything() {
  static const Policy kPolicy = *Policy::Parse(
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})",
      PolicyKind::kIdentity);
  return kPolicy;
}

// Of a session its role's path, too, which its ARN does not tell: `role_arn` takes the place of the
// role's ARN, and must outlive the question.
void LeaveOutItsAccount(const PrincipalArn& principal, Question& question, std::string& role_arn) {
  Caller& caller = question.caller();
  if (principal.kind() == PrincipalKind::kSession) {
    constexpr std::string_view kRole = ":role/";
    role_arn = caller.role_arn.substr(0, caller.role_arn.find(kRole) + kRole.size());
    caller.role_arn = role_arn += principal.role_name();
  }
  caller.identity_policy = &AllowsEverything();
  caller.permissions_boundary = nullptr;
  caller.session_policy = nullptr;
  caller.tags = {};
  caller.shows_user_id = false;
}

// The grant that a CreateGrant would make, as far as it is given: without operations one of which
// nothing is asked, and without constraints. Nothing if there cannot be such a grant.
std::optional<GrantRecord> ChildOf(const Asker& asker, const KeyView& view) {
  const std::vector<std::string_view> names = asker.given->grant_operations();
  const auto operations =
      names.empty() ? Result<GrantOperations>(GrantOperations()) : ParseGrantOperations(names);
  if (!operations) return std::nullopt;
  return GrantRecord{.id = GrantId::FromRandom({}),
                     .key_id = view.key.id,
                     .grantee_id = {},
                     .grantee = {},
                     .issuing_account = asker.caller.record.arn.account(),
                     .operations = *operations};
}

std::string MismatchOf(const GrantRecord& grant, Operation operation, const GrantDemand& demand) {
  if (Covers(grant, demand)) return "";
  const GrantOperations::Bits asked = GrantOperations::BitOf(operation);
  if (asked == 0) return "no grant allows " + std::string(PolicyAction(operation));
  if ((grant.operations.bits() & asked) == 0) {
    return "it does not allow " + std::string(Name(operation));
  }
  if ((grant.operations.bits() & demand.operations) != demand.operations) {
    return "it does not allow every operation of the grant that is to be made";
  }
  std::string constraint = "it counts only in calls with aws:SourceArn " + grant.source_arn;
  if (operation == Operation::kCreateGrant) constraint += ", and for grants with this constraint";
  return constraint;
}

std::vector<GrantTrace> GrantsTo(const Principal& principal, const KeyView& view,
                                 const AccessRequest& access, const GrantRecord* child) {
  const GrantCaller caller = GrantCaller::Of(principal.record);
  const std::string_view source_arn = access.context.source_arn.value_or(std::string_view());
  const GrantDemand demand =
      child != nullptr ? DemandOnParent(*child, source_arn)
                       : GrantDemand{GrantOperations::BitOf(access.operation), source_arn};
  const std::string_view self = caller.is_root ? caller.account.text() : caller.unique_id;
  std::vector<GrantTrace> traces;
  for (const std::string_view grantee : {self, caller.role_id}) {
    if (grantee.empty()) continue;
    for (const GrantPtr& grant : view.grants.ListTo(grantee, std::nullopt, kShownGrants)) {
      traces.push_back({grant->id.ToString(), MismatchOf(*grant, access.operation, demand)});
    }
  }
  return traces;
}

// What helps against the refusal of the key itself.
std::string KeyRemedy(const Error& refusal, const KeyView& view) {
  if (refusal.exception == Exception::kDisabledException) {
    return "The key has to be enabled: EnableKey.";
  }
  if (refusal.exception == Exception::kInvalidKeyUsageException) {
    return "The algorithm of the key is " + std::string(Row(view.key.spec).algorithm_name) +
           ": it has to be asked for, or another key.";
  }
  if (refusal.exception != Exception::kKMSInvalidStateException) {
    return "Nothing helps: the operation is not there for such a key.";
  }
  if (view.key.state == KeyState::kPendingDeletion) {
    return "The deletion of the key has to be cancelled, CancelKeyDeletion, and then the key be "
           "enabled, EnableKey.";
  }
  if (view.key.state == KeyState::kPendingImport) {
    return "The material of the key has to be imported: ImportKeyMaterial.";
  }
  return "The key has to be pending deletion: otherwise there is nothing to cancel.";
}

class Explainer {
 public:
  Explainer(const Asker& asker, const v1::ExplainRequest& request, const CallTarget& target,
            const Sight& sight)
      : asker_(asker),
        request_(request),
        target_(target),
        sight_(sight),
        sees_principal_(sight.Sees(asker.caller.record.arn.account())) {}

  // What the operation needs for something that is not a key.
  ExplainedNeed OnResource(Operation operation, std::string_view resource) const {
    Asker asker = asker_;
    asker.operation = operation;
    const Question question(asker, target_.account, resource);
    return Judged(question.access(), Authorize(question.access()));
  }

  // What it needs for the key that the request names.
  ExplainedNeed OnNamedKey() const {
    const KeyViewPtr& view = target_.view;
    if (asker_.operation == Operation::kExplain && !target_.has_own_key()) {
      return OnResource(asker_.operation, request_.key_id());
    }
    if (view == nullptr) return Abroad(std::nullopt);
    if (target_.grant != nullptr) return Retiring(*target_.grant);
    return OnKey(*view);
  }

  // What the operation needs for a key that is there.
  ExplainedNeed OnKey(const KeyView& view) const {
    const auto child =
        asker_.operation == Operation::kCreateGrant ? ChildOf(asker_, view) : std::nullopt;
    std::string role_arn;
    Question question(asker_, view, child ? &*child : nullptr);
    if (!sight_.Sees(view.key.account)) return Abroad(Authorize(question.access()), &question);
    if (!sees_principal_) LeaveOutItsAccount(asker_.caller.record.arn, question, role_arn);
    ExplainedNeed need = Judged(question.access(), Authorize(question.access()));
    if (sight_.reasons && ConsultsKeyPolicy(asker_.operation)) {
      need.grants = GrantsTo(asker_.caller, view, question.access(), child ? &*child : nullptr);
    }
    return need;
  }

 private:
  ExplainedNeed Retiring(const GrantRecord& grant) const {
    const KeyView& view = *target_.view;
    std::string role_arn;
    Retirement retirement(asker_, view, grant);
    if (!sight_.Sees(view.key.account)) {
      return Abroad(retirement.Decide(), &retirement.question());
    }
    if (!sees_principal_) {
      LeaveOutItsAccount(asker_.caller.record.arn, retirement.question(), role_arn);
    }
    ExplainedNeed need = Judged(retirement.access(), retirement.Decide());
    if (!sight_.reasons) return need;
    const bool named = retirement.right() != RetireRight::kNone;
    need.grants.push_back(
        {grant.id.ToString(), named ? "" : "it does not let the principal retire it"});
    if (!named) {
      need.changes.insert(need.changes.begin(),
                          "Only these may retire the grant: its retiring principal, its grantee if "
                          "RetireGrant is among its operations, and the account that made it.");
    }
    return need;
  }

  // A key of an account that is not to be seen: the decision is the real one, and the reasons are
  // judged by what was sent, so that they tell nothing about the key.
  ExplainedNeed Abroad(std::optional<Decision> decision, const Question* real = nullptr) const {
    const Question question(asker_, target_.reference->account, request_.key_id());
    if (!decision) decision = Authorize(question.access());
    ExplainedNeed need = Judged(question.access(), *decision);
    if (!decision->allowed && real != nullptr) {
      need.explanation.refusal_text = AccessDenied(real->access(), *decision).message;
    }
    if (!sight_.reasons) return need;
    need.decider_hidden = need.decider_hidden || decision->refusal == Refusal::kForeignResource;
    need.changes.push_back("The policy, the grants and the state of a key of account " +
                           std::string(target_.reference->account.text()) +
                           " are not shown here, and what the key itself gives to conditions is "
                           "shown as absent.");
    return need;
  }

  // The reasons, where they are shown, of a decision about the request; `access` can be less than
  // what was asked. Leaves out what may not be seen.
  ExplainedNeed Judged(const AccessRequest& access, const Decision& decision) const {
    const auto hidden = [&](Decider decider) {
      const bool of_key = decider == Decider::kKeyPolicy || decider == Decider::kGrant;
      return of_key ? !sight_.Sees(access.resource_account) : !sees_principal_;
    };
    Explanation explanation =
        sight_.reasons ? Explain(access, decision) : ExplainInShort(access, decision);
    std::erase_if(explanation.policies,
                  [&](const PolicyTrace& trace) { return hidden(trace.policy); });
    ExplainedNeed need{std::string(PolicyAction(access.operation)),
                       std::string(access.resource_arn), std::move(explanation)};
    need.decider_hidden = hidden(need.explanation.decision.decider);
    if (!sight_.reasons) return need;
    need.changes = Remedies(access, need.explanation);
    if (!sees_principal_) {
      need.changes.push_back("The policies, the tags and the unique id of " +
                             std::string(access.caller.arn) + " belong to account " +
                             std::string(access.caller.account.text()) +
                             " and are not taken into account here: they have to allow it, too.");
    }
    return need;
  }

  const Asker& asker_;
  const v1::ExplainRequest& request_;
  const CallTarget& target_;
  const Sight& sight_;
  const bool sees_principal_;
};

}  // namespace

std::optional<Operation> ServedOperation(std::string_view name) {
  for (const OperationRow& row : Operations()) {
    if (Name(row.operation) == name || PolicyAction(row.operation) == name) return row.operation;
  }
  return std::nullopt;
}

Result<CallTarget> FindTarget(const Engine& engine, const v1::ExplainRequest& request,
                              Operation operation, const AccountId& account) {
  HALLMARK_RETURN_IF_ERROR(CheckMembers(request, operation));
  CallTarget target{.account = account};
  std::string key_id = request.key_id();
  if (request.has_alias_name()) {
    HALLMARK_ASSIGN_OR_RETURN(const AliasName name, AliasName::Parse(request.alias_name()));
    target.alias_arn = AliasArn(engine.site, account, name.text());
    if (operation != Operation::kCreateAlias) {
      const KeyReference alias{account, std::string(name.text())};
      HALLMARK_ASSIGN_OR_RETURN(target.previous, FindReferenced(engine, alias, /*foreign=*/false));
    }
    if (operation == Operation::kDeleteAlias) {
      // No other key is asked, and this one is asked by its id.
      key_id = target.previous->key.id.ToString();
      target.previous = nullptr;
    }
  }
  if (key_id.empty()) return target;
  HALLMARK_ASSIGN_OR_RETURN(
      target.reference, ParseKeyReference(key_id, engine.site, account, KeyIdForms::kKeyOrAlias));
  const bool foreign = target.reference->account != account;
  HALLMARK_ASSIGN_OR_RETURN(target.view, FindReferenced(engine, *target.reference, foreign));
  if (request.has_grant_id()) {
    // Of a key that is not there no grant is either.
    const GrantSet none;
    const GrantSet& grants = target.view == nullptr ? none : target.view->grants;
    Result<GrantPtr> grant = FindGrant(grants, request.grant_id());
    if (grant) {
      target.grant = *std::move(grant);
    } else if (foreign && grant.error().exception == Exception::kNotFoundException) {
      target.view = nullptr;
    } else {
      return Unexpected(std::move(grant).error());
    }
  }
  return target;
}

Status CheckMayExplain(const Engine& engine, CallContext& call, const v1::ExplainRequest& request,
                       CallTarget target) {
  if (target.reference) target.alias_arn.clear();
  target.grant = nullptr;
  GivenContext nothing;
  ExplainedCall permission =
      ExplainCall(engine, call, *call.caller, Operation::kExplain, request, target, nothing,
                  {.account = target.account, .reasons = false});
  const ExplainedDecision& decision = permission.need.explanation.decision;
  call.decided_by = DecidedBy({.decider = decision.decider, .because = decision.because});
  return std::move(permission.outcome);
}

ExplainedCall ExplainCall(const Engine& engine, const CallContext& call, const Principal& principal,
                          Operation operation, const v1::ExplainRequest& request,
                          const CallTarget& target, GivenContext& given, const Sight& sight) {
  const RequestContext context = DefaultsOf(operation, target, sight);
  const Asker asker{engine, call, principal, operation, context, &given};
  const Explainer explainer(asker, request, target, sight);
  // In the order of the call itself, which ends with the first refusal.
  std::optional<ExplainedNeed> need;
  const auto allowed = [&] { return !need || need->explanation.decision.allowed; };
  KeyViewPtr key = target.view;
  KeyRole role = KeyRole::kTarget;
  if (!target.alias_arn.empty()) need = explainer.OnResource(operation, target.alias_arn);
  if (allowed() && target.previous != nullptr) {
    need = explainer.OnKey(*target.previous);
    // Its state never stands in the way.
    if (!allowed()) {
      key = target.previous;
      role = KeyRole::kPreviousTarget;
    }
  }
  if (allowed() && role == KeyRole::kTarget && target.reference) need = explainer.OnNamedKey();
  if (!need) need = explainer.OnResource(operation, "*");
  // There is no key yet whose policy could allow it.
  if (allowed() && operation == Operation::kCreateKey && given.has_request_tags()) {
    need = explainer.OnResource(Operation::kTagResource, "*");
  }

  ExplainedCall explained{*std::move(need)};
  if (key != nullptr && ConsultsKeyPolicy(operation)) {
    Status verdict = CheckState(operation, key->key.state, key->key.origin, key->arn, role);
    RequestContext asked = context;
    given.ApplyTo(&asked);
    if (verdict && ComputesMac(operation) && asked.mac_algorithm) {
      verdict = CheckAlgorithm(*key, *asked.mac_algorithm);
    }
    if (!verdict && sight.reasons && sight.Sees(key->key.account)) {
      explained.need.changes.push_back(KeyRemedy(verdict.error(), *key));
    }
    explained.key_verdict = std::move(verdict);
    explained.key = std::move(key);
  }
  const Explanation& explanation = explained.need.explanation;
  if (!explanation.decision.allowed) {
    explained.outcome = Fail(Exception::kAccessDeniedException, *explanation.refusal_text);
  } else if (explained.key_verdict) {
    explained.outcome = *explained.key_verdict;
  }
  return explained;
}

}  // namespace hallmark::app
