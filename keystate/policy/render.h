// Policy documents as they are given out, and the one that a key has when none was given.
#pragma once

#include "keystate/policy/principals.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark {

// The ARN that the principal with this unique id has now; nothing if it is gone.
using CurrentArn = std::function<std::optional<std::string>(std::string_view unique_id)>;

// The document of a key policy written anew, as KMS does: two spaces of indent, " : " between name
// and value, arrays as [ a, b ]. A principal that is gone is shown as its unique id, and one that
// is there as its ARN, whichever of the two was written.
//
// Errors: MalformedPolicyDocumentException for a document that is not JSON.
Result<std::string> RenderKeyPolicy(std::string_view document, const PolicyBindings& bindings,
                                    const CurrentArn& current_arn);

// The policy of a key that was created without one: the account's own policies decide.
// Source: KMS developer guide, "Default key policy".
std::string DefaultKeyPolicy(const Site& site, const AccountId& account);

}  // namespace hallmark
