// Whether a caller may do what it asks.
#pragma once

#include "keystate/error.h"
#include "keystate/policy/access_request.h"
#include "keystate/policy/policy.h"

#include <array>
#include <string_view>

namespace hallmark {

// What decided.
enum class Decider {
  kNothing,  // nothing allows
  kKeyPolicy,
  kIdentityPolicy,
  kPermissionsBoundary,
  kSessionPolicy,
  kGrant,
};

// "key policy", "grant"; empty for kNothing.
std::string_view Name(Decider decider);

// Why a request is refused, as its text says it.
enum class Refusal {
  kNone,
  kExplicitDeny,  // by the decider
  kNoIdentityPolicyAllows,
  kNoResourcePolicyAllows,
  kNoBoundaryAllows,
  kNoSessionPolicyAllows,
  kForeignResource,  // a foreign resource that does not exist or gives nothing
};

// Borrows from the policies and grants of its request.
struct Decision {
  bool allowed = false;
  Decider decider = Decider::kNothing;
  // The statement or grant that decided; empty when nothing matched.
  std::string_view because{};
  bool explicit_deny = false;
  Refusal refusal = Refusal::kNone;
};

// Explicit deny beats any allow; nothing matching means deny. There is no administrator branch: an
// administrator is a policy. The rules stand in keystate/README.md, "Who may do what".
//
// Does not allocate where policies decide, unless a condition asks for kms:ResourceAliases, a
// variable makes a text longer than 512 bytes, or more than 256 bytes stand between two * of a
// pattern.
Decision Authorize(const AccessRequest& request);

// The AccessDeniedException for a refusal; across accounts it does not name the resource.
// Source: recorded texts of KMS, listed in keystate/README.md.
Error AccessDenied(const AccessRequest& request, const Decision& decision);

// What each policy of a request says: the first statement that denies, the first that allows.
struct PolicyVerdict {
  bool present = false;
  const Statement* deny = nullptr;
  const Statement* allow = nullptr;
};
struct KeyPolicyVerdict {
  bool consulted = false;
  const Statement* deny = nullptr;
  // By how the statement means the caller; the place of kNone stays empty.
  std::array<const Statement*, kReaches> allow{};
};
PolicyVerdict Judge(const Policy* policy, const AccessRequest& request);
KeyPolicyVerdict JudgeKeyPolicy(const AccessRequest& request);

// Whether the operation ever consults key policies, and whether a foreign caller may use it.
bool ConsultsKeyPolicy(Operation operation);
bool WorksAcrossAccounts(Operation operation);

// Whether a new key policy leaves its author the right to change it again. `request` is the
// author's PutKeyPolicy with the new policy as its key policy; delegation to the author's account
// is enough.
//
// Errors: MalformedPolicyDocumentException `The new key policy will not allow you to update the key
//   policy in the future.`
Status CheckLockout(const AccessRequest& request);

}  // namespace hallmark
