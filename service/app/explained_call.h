// The call that an Explain is about: what it would ask authorization and the key, and what comes of
// it.
#pragma once

#include "hallmark/v1/explain.pb.h"
#include "keystate/ids.h"
#include "keystate/key_view.h"
#include "keystate/policy/explain.h"
#include "keystate/result.h"
#include "service/app/access.h"
#include "service/app/given_context.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {

// What the call would be about.
struct CallTarget {
  // Whose resources bare names mean.
  AccountId account;
  std::optional<KeyReference> reference{};
  // Null: no key is named, or a foreign one that does not exist.
  KeyViewPtr view{};
  // The ARN of the alias that the call is about, too; empty: none.
  std::string alias_arn{};
  // Of UpdateAlias, the key that the alias leaves.
  KeyViewPtr previous{};
  // Of RetireGrant.
  GrantPtr grant{};

  bool has_own_key() const { return view != nullptr && view->key.account == account; }
};

// Nothing if there is no such operation, or none that is served.
std::optional<Operation> ServedOperation(std::string_view name);

// Reads what the request names; bare names mean `account`. A grant of a foreign key that is not
// there leaves the key out, too: from neither may a foreign caller learn that the other exists.
//
// Errors: ValidationException where the operation needs something else; NotFoundException,
//   InvalidArnException, InvalidGrantIdException.
Result<CallTarget> FindTarget(const Engine& engine, const v1::ExplainRequest& request,
                              Operation operation, const AccountId& account);

// A grant that names the principal or its role.
struct GrantTrace {
  std::string id;
  std::string mismatch;  // empty: it covers the request
};

// What one permission comes to.
struct ExplainedNeed {
  std::string action;
  std::string resource;
  // Without what may not be seen.
  Explanation explanation;
  bool decider_hidden = false;
  std::vector<GrantTrace> grants{};
  std::vector<std::string> changes{};
};

struct ExplainedCall {
  // Of the permission that is refused; otherwise of the last that the call needs.
  ExplainedNeed need;
  // What the call would be refused with.
  Status outcome{};
  // What the key itself says of it, whoever may make it. Nothing where no key is asked.
  std::optional<Status> key_verdict{};
  KeyViewPtr key{};
};

// Who sees what: an account its own keys and principals, the operator everything.
struct Sight {
  bool everything = false;
  AccountId account;
  // False: only the decision and what a refusal says; nothing else is worked out.
  bool reasons = true;
  bool Sees(const AccountId& other) const { return everything || other == account; }
};

// Whether the caller has the permission hallmark:Explain for the target: it is asked of its own
// account, whoever a key belongs to, since what it shows is its own account's.
//
// The call learns what decided.
//
// Errors: AccessDeniedException.
Status CheckMayExplain(const Engine& engine, CallContext& call, const v1::ExplainRequest& request,
                       CallTarget target);

// Explains a call of `principal`. `call` is what brought it, or one that is only thought of.
ExplainedCall ExplainCall(const Engine& engine, const CallContext& call, const Principal& principal,
                          Operation operation, const v1::ExplainRequest& request,
                          const CallTarget& target, GivenContext& given, const Sight& sight);

}  // namespace hallmark::app
