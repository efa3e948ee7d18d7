// Key policies on their way between documents, records and views.
#pragma once

#include "keystate/ids.h"
#include "keystate/policy/policy_cache.h"
#include "keystate/policy/request_context.h"
#include "service/app/call_context.h"
#include "service/app/engine.h"

#include <string>
#include <string_view>

namespace hallmark::app {

// A document that somebody wants for a key: its principals are bound to who they are now.
//
// Errors: MalformedPolicyDocumentException; LimitExceededException for its size.
Result<StoredPolicyPtr> CompileKeyPolicy(const Engine& engine, const std::string& document);

// The policy of a key that was made without one.
Result<StoredPolicyPtr> DefaultPolicyOf(PolicyCache& policies, const Site& site,
                                        const AccountId& account);

// Whether the caller could change the policy of this key again if it were `policy`. `context` says
// what conditions may ask of the key.
//
// Errors: MalformedPolicyDocumentException.
Status CheckLockoutFor(const Engine& engine, const CallContext& call, const AccountId& account,
                       std::string_view key_arn, RequestContext context, const Policy& policy);

}  // namespace hallmark::app
