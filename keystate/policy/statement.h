// One compiled statement of a policy, and whether it means a request.
#pragma once

#include "keystate/policy/condition.h"
#include "keystate/policy/operation_set.h"
#include "keystate/policy/principals.h"
#include "keystate/policy/text_template.h"

#include <optional>
#include <string>
#include <vector>

namespace hallmark {

struct Statement {
  std::string id;  // the Sid, or "statement 2" (counted from 1)
  Effect effect = Effect::kDeny;
  // Of a key policy; in a policy of a principal there is none, and the principal itself is meant.
  std::optional<PrincipalSet> principals{};
  bool not_principal = false;
  // What Action or NotAction names among the operations.
  OperationSet operations{};
  std::vector<TextTemplate> resources{};
  bool not_resource = false;
  std::vector<Condition> conditions{};
  // A statement of a key policy may lack them; then it is stored and means nothing.
  bool has_action = false;
  bool has_resource = false;
};

// How the statement means the caller, Principal or NotPrincipal applied.
//
// NotPrincipal with Deny spares only who is listed: the user, the role with its sessions, the
// session; a listed account spares its root alone. NotPrincipal with Allow means everyone else as
// "*" does, and a listed account leaves out all its principals. Both err on the side of refusal.
Reach ReachOf(const Statement& statement, const Caller& caller);

// Nothing if a variable has no value: the statement does not match then.
std::optional<bool> ResourceMatches(const Statement& statement, const AccessRequest& request,
                                    PolicyKind kind);

// Whether action, resource and conditions match; who is meant is not asked.
bool MatchesBesidesPrincipal(const Statement& statement, const AccessRequest& request,
                             PolicyKind kind);

}  // namespace hallmark
