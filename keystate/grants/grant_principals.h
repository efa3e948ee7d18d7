// Whom the principals of grants mean.
#pragma once

#include "keystate/ids.h"
#include "keystate/principal_directory.h"
#include "keystate/result.h"

#include <string>
#include <string_view>

namespace hallmark {

// Somebody to whom a grant is bound.
struct GrantPrincipal {
  // Of a user or role the unique id; of a session "<unique id of its role>:<session>", whether the
  // session was ever there or not; of an account its number; of a federated user
  // "<account>:<name>".
  std::string unique_id;
  std::string arn;
  AccountId account;
};

// The members of requests that name principals; their refusals differ.
enum class PrincipalMember {
  kGrantee,         // CreateGrant
  kRetiring,        // CreateGrant
  kGranteeFilter,   // ListGrants
  kRetiringFilter,  // ListRetirableGrants
};

// Takes the ARN of an account root, user, role, assumed-role session or federated user, or a unique
// id, of any account that has principals here.
//
// Errors: InvalidArnException for an ARN of another form (a group, a service, a session with its
//   role's path) and for a principal that does not exist, with the recorded text of the member;
//   NotFoundException for a unique id that is nobody's, in kRetiringFilter alone.
Result<GrantPrincipal> ResolveGrantPrincipal(std::string_view text, PrincipalMember member,
                                             const Site& site,
                                             const PrincipalDirectory& principals);

// How a grant's principal is listed: by its ARN while it exists, and by its unique id afterwards,
// whoever has the ARN by then.
std::string ShownPrincipal(const std::string& unique_id, const std::string& arn,
                           const PrincipalDirectory& principals);

}  // namespace hallmark
