// Whether a principal may do what it asks.
#pragma once

#include "keystate/error.h"
#include "keystate/ids.h"
#include "keystate/operation.h"
#include "keystate/principal_directory.h"

#include <string>
#include <string_view>

namespace hallmark {

struct AccessRequest {
  const Principal& caller;
  Operation operation;
  // Who owns the resource, and its ARN; "*" for an operation that is not bound to one.
  const AccountId& resource_account;
  std::string_view resource_arn;
};

struct Decision {
  bool allowed;
  // The statement that decided; empty when nothing matched.
  std::string_view because;
  bool explicit_deny = false;
};

// Explicit deny beats any allow; nothing matching means deny. There is no administrator branch: an
// administrator is an identity policy.
//
// Every key trusts its own account, as the default key policy of KMS says, so an identity policy of
// that account can allow; no principal of another account can.
Decision Authorize(const AccessRequest& request);

// The AccessDeniedException for a refusal; across accounts it does not name the resource.
// Source: recorded texts of KMS, listed in keystate/README.md.
Error AccessDenied(const AccessRequest& request, const Decision& decision);

}  // namespace hallmark
