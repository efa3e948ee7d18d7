#include "keystate/authorize.h"

#include "keystate/policy/operation_set.h"

#include <optional>
#include <string>

namespace hallmark {
namespace {

constexpr OperationSet kIamOnly{Operation::kCreateKey,      Operation::kExplain,
                                Operation::kGenerateRandom, Operation::kListAliases,
                                Operation::kListKeys,       Operation::kListRetirableGrants};

// Source: KMS developer guide, "Allowing users in other accounts to use a KMS key".
constexpr OperationSet kAcrossAccounts{Operation::kCreateGrant, Operation::kDescribeKey,
                                       Operation::kGenerateMac, Operation::kGetKeyRotationStatus,
                                       Operation::kListGrants,  Operation::kRetireGrant,
                                       Operation::kRevokeGrant, Operation::kVerifyMac};

const Statement* AllowBy(const KeyPolicyVerdict& verdict, Reach reach) {
  return verdict.allow[static_cast<std::size_t>(reach)];
}

// Everything that the policies of one request say.
struct Verdicts {
  KeyPolicyVerdict key;
  PolicyVerdict identity;
  PolicyVerdict boundary;
  PolicyVerdict session;
};

// What keeps a permission from a caller that a boundary or session policy limits; kNone: nothing.
Refusal LimitOf(const Verdicts& verdicts) {
  if (verdicts.boundary.present && verdicts.boundary.allow == nullptr) {
    return Refusal::kNoBoundaryAllows;
  }
  if (verdicts.session.present && verdicts.session.allow == nullptr) {
    return Refusal::kNoSessionPolicyAllows;
  }
  return Refusal::kNone;
}

Decision AllowedBy(Decider decider, std::string_view because) {
  return {true, decider, because, false, Refusal::kNone};
}

Decision Refused(Refusal refusal) { return {false, Decider::kNothing, {}, false, refusal}; }

std::optional<Decision> ExplicitDeny(const Verdicts& verdicts) {
  const auto deny = [](Decider decider, const Statement* statement) {
    return Decision{false, decider, statement->id, true, Refusal::kExplicitDeny};
  };
  if (verdicts.key.deny != nullptr) return deny(Decider::kKeyPolicy, verdicts.key.deny);
  if (verdicts.identity.deny != nullptr) {
    return deny(Decider::kIdentityPolicy, verdicts.identity.deny);
  }
  if (verdicts.boundary.deny != nullptr) {
    return deny(Decider::kPermissionsBoundary, verdicts.boundary.deny);
  }
  if (verdicts.session.deny != nullptr) return deny(Decider::kSessionPolicy, verdicts.session.deny);
  return std::nullopt;
}

// Looks for the first grant that some test accepts, and remembers whether there was any.
template <class Accepts>
class GrantSearch : public GrantVisitor {
 public:
  explicit GrantSearch(Accepts accepts) : accepts_(accepts) {}
  bool Visit(const GrantMatch& grant) override {
    seen_ = true;
    if (!accepts_(grant)) return true;
    accepted_ = AllowedBy(Decider::kGrant, grant.grant_id);
    return false;
  }
  void Run(const AccessRequest& request) {
    if (request.grants != nullptr) request.grants->VisitGrants(request, *this);
  }
  bool seen() const { return seen_; }
  const std::optional<Decision>& accepted() const { return accepted_; }

 private:
  Accepts accepts_;
  bool seen_ = false;
  std::optional<Decision> accepted_;
};

// In the account that owns the resource. Policies that name the caller, the account's own policies
// where the key policy trusts the account, and grants: any one of them is enough.
Decision DecideAtHome(const AccessRequest& request, const Verdicts& verdicts) {
  const Caller& caller = request.caller;
  const Refusal limit = LimitOf(verdicts);
  // Something allows, but for the limit.
  bool limited = false;
  if (const Statement* self = AllowBy(verdicts.key, Reach::kSelf)) {
    return AllowedBy(Decider::kKeyPolicy, self->id);
  }
  // A boundary and a session policy limit what a session has from its role or from everyone, not
  // what a user has.
  for (const Reach reach : {Reach::kRole, Reach::kEveryone}) {
    const Statement* allow = AllowBy(verdicts.key, reach);
    if (allow == nullptr) continue;
    if (!caller.is_session() || limit == Refusal::kNone) {
      return AllowedBy(Decider::kKeyPolicy, allow->id);
    }
    limited = true;
  }
  const bool delegated =
      !verdicts.key.consulted || AllowBy(verdicts.key, Reach::kAccount) != nullptr;
  if (delegated && verdicts.identity.allow != nullptr) {
    if (limit == Refusal::kNone) {
      return AllowedBy(Decider::kIdentityPolicy, verdicts.identity.allow->id);
    }
    limited = true;
  }
  GrantSearch search([&](const GrantMatch& grant) {
    return grant.to_session || !caller.is_session() || limit == Refusal::kNone;
  });
  search.Run(request);
  if (search.accepted()) return *search.accepted();
  if (limited || search.seen()) return Refused(limit);
  return Refused(delegated ? Refusal::kNoIdentityPolicyAllows : Refusal::kNoResourcePolicyAllows);
}

// The statement by which the owner of the key lets this foreign caller, or its account, in.
const Statement* OwnersAllow(const KeyPolicyVerdict& verdict) {
  for (const Reach reach : {Reach::kSelf, Reach::kRole, Reach::kEveryone, Reach::kAccount}) {
    if (const Statement* allow = AllowBy(verdict, reach)) return allow;
  }
  return nullptr;
}

// Across accounts: the owner of the key and the caller's account must both allow. A grant that the
// caller's own account issued has the consent of both.
Decision DecideAbroad(const AccessRequest& request, const Verdicts& verdicts) {
  if (!WorksAcrossAccounts(request.operation)) return Refused(Refusal::kForeignResource);
  const Refusal limit = LimitOf(verdicts);
  const bool caller_allows = verdicts.identity.allow != nullptr && limit == Refusal::kNone;
  const Statement* owners = OwnersAllow(verdicts.key);
  if (owners != nullptr && caller_allows) return AllowedBy(Decider::kKeyPolicy, owners->id);
  bool of_own_account = false;
  GrantSearch search([&](const GrantMatch& grant) {
    if (grant.issuing_account != request.caller.account) return caller_allows;
    of_own_account = true;
    return grant.to_session || !request.caller.is_session() || limit == Refusal::kNone;
  });
  search.Run(request);
  if (search.accepted()) return *search.accepted();
  if (owners == nullptr && !search.seen()) return Refused(Refusal::kForeignResource);
  const bool only_limited = verdicts.identity.allow != nullptr || of_own_account;
  return Refused(only_limited ? limit : Refusal::kNoIdentityPolicyAllows);
}

// A foreign caller must not learn from its own deny whether the resource exists: that is said only
// to those whom the resource lets in.
Decision DeniedAbroad(const AccessRequest& request, const Verdicts& verdicts, Decision denied) {
  if (denied.decider == Decider::kKeyPolicy || !WorksAcrossAccounts(request.operation)) {
    denied.refusal = Refusal::kForeignResource;
    return denied;
  }
  if (OwnersAllow(verdicts.key) != nullptr) return denied;
  GrantSearch search([](const GrantMatch&) { return true; });
  search.Run(request);
  if (!search.seen()) denied.refusal = Refusal::kForeignResource;
  return denied;
}

// As texts for callers have it.
std::string_view KindOf(Decider decider) {
  switch (decider) {
    case Decider::kKeyPolicy:
      return "a resource-based policy";
    case Decider::kIdentityPolicy:
      return "an identity-based policy";
    case Decider::kPermissionsBoundary:
      return "a permissions boundary";
    case Decider::kSessionPolicy:
      return "a session policy";
    case Decider::kGrant:
    case Decider::kNothing:
      break;
  }
  return "";
}

std::string Reason(const Decision& decision, const std::string& action) {
  const auto nothing = [&](const char* what) {
    return " because no " + std::string(what) + " allows the " + action + " action";
  };
  switch (decision.refusal) {
    case Refusal::kExplicitDeny:
      return " with an explicit deny in " + std::string(KindOf(decision.decider));
    case Refusal::kNoIdentityPolicyAllows:
      return nothing("identity-based policy");
    case Refusal::kNoResourcePolicyAllows:
      return nothing("resource-based policy");
    case Refusal::kNoBoundaryAllows:
      return nothing("permissions boundary");
    case Refusal::kNoSessionPolicyAllows:
      return nothing("session policy");
    case Refusal::kForeignResource:
      return " because the resource does not exist in this Region, no resource-based policies "
             "allow access, or a resource-based policy explicitly denies access";
    case Refusal::kNone:
      break;
  }
  return "";
}

}  // namespace

std::string_view Name(Decider decider) {
  switch (decider) {
    case Decider::kNothing:
      return "";
    case Decider::kKeyPolicy:
      return "key policy";
    case Decider::kIdentityPolicy:
      return "identity policy";
    case Decider::kPermissionsBoundary:
      return "permissions boundary";
    case Decider::kSessionPolicy:
      return "session policy";
    case Decider::kGrant:
      return "grant";
  }
  return "";
}

bool ConsultsKeyPolicy(Operation operation) { return !kIamOnly.Contains(operation); }

bool WorksAcrossAccounts(Operation operation) { return kAcrossAccounts.Contains(operation); }

PolicyVerdict Judge(const Policy* policy, const AccessRequest& request) {
  PolicyVerdict verdict;
  if (policy == nullptr) return verdict;
  verdict.present = true;
  for (const Statement& statement : policy->statements()) {
    const bool allows = statement.effect == Effect::kAllow;
    if (allows && verdict.allow != nullptr) continue;
    if (!MatchesBesidesPrincipal(statement, request, policy->kind())) continue;
    if (!allows) {
      verdict.deny = &statement;
      break;
    }
    verdict.allow = &statement;
  }
  return verdict;
}

KeyPolicyVerdict JudgeKeyPolicy(const AccessRequest& request) {
  KeyPolicyVerdict verdict;
  if (request.key_policy == nullptr || !ConsultsKeyPolicy(request.operation)) return verdict;
  // Who may retire a grant is said by the grant and by the policies of the account that made it:
  // kms:RetireGrant in an Allow of a key policy has no effect.
  const bool allows_count = request.operation != Operation::kRetireGrant;
  verdict.consulted = allows_count;
  for (const Statement& statement : request.key_policy->statements()) {
    const bool allows = statement.effect == Effect::kAllow;
    if (allows && !allows_count) continue;
    if (!statement.operations.Contains(request.operation)) continue;
    const Reach reach = ReachOf(statement, request.caller);
    if (reach == Reach::kNone) continue;
    const Statement*& first = verdict.allow[static_cast<std::size_t>(reach)];
    if (allows && first != nullptr) continue;
    if (!MatchesBesidesPrincipal(statement, request, PolicyKind::kKey)) continue;
    if (!allows) {
      verdict.deny = &statement;
      break;
    }
    first = &statement;
  }
  return verdict;
}

Decision Authorize(const AccessRequest& request) {
  const Verdicts verdicts{JudgeKeyPolicy(request), Judge(request.caller.identity_policy, request),
                          Judge(request.caller.permissions_boundary, request),
                          Judge(request.caller.session_policy, request)};
  const bool abroad = request.caller.account != request.resource_account;
  if (const auto denied = ExplicitDeny(verdicts)) {
    return abroad ? DeniedAbroad(request, verdicts, *denied) : *denied;
  }
  return abroad ? DecideAbroad(request, verdicts) : DecideAtHome(request, verdicts);
}

Error AccessDenied(const AccessRequest& request, const Decision& decision) {
  const std::string action(PolicyAction(request.operation));
  const bool abroad = request.caller.account != request.resource_account;
  std::string text = "User: " + std::string(request.caller.arn) +
                     " is not authorized to perform: " + action + " on ";
  text += abroad ? "this resource" : "resource: " + std::string(request.resource_arn);
  text += Reason(decision, action);
  return {Exception::kAccessDeniedException, std::move(text), std::string(decision.because)};
}

Status CheckLockout(const AccessRequest& request) {
  const KeyPolicyVerdict verdict = JudgeKeyPolicy(request);
  if (verdict.deny == nullptr && OwnersAllow(verdict) != nullptr) return {};
  return Fail(Exception::kMalformedPolicyDocumentException,
              "The new key policy will not allow you to update the key policy in the future.");
}

}  // namespace hallmark
