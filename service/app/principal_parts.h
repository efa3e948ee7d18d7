// What the operations on principals share.
#pragma once

#include "keystate/key_store.h"
#include "keystate/principal_directory.h"
#include "keystate/result.h"
#include "service/app/admin_ops.h"

#include <memory>
#include <string>
#include <vector>

namespace hallmark::app {

// Errors: NotFoundException.
Result<std::shared_ptr<const Principal>> FindPrincipal(const PrincipalAdmin& admin,
                                                       const std::string& arn);

// As callers of AdminService see it.
void FillPrincipal(const Principal& principal, v1::Principal* out);

// A policy that somebody was given: as it is stored, and compiled.
struct AttachedPolicy {
  PolicyRecord record;
  std::shared_ptr<const Policy> compiled;
};

// Errors: MalformedPolicyDocumentException with the place.
Result<AttachedPolicy> CompileAttached(const std::string& document);

// Makes it the principal's own: of a session its session policy, of others the identity policy.
void SetPolicy(const AttachedPolicy& policy, Principal* principal);
void SetBoundary(const AttachedPolicy& boundary, Principal* principal);

// Gives a session what it has from its role: policy, boundary, tags.
void TakeFromRole(const Principal& role, Principal* session);

// Errors: ConflictException, which names the principal, when somebody else changed it meanwhile.
Result<Revision> CommitFor(PrincipalAdmin& admin, const std::string& arn,
                           const std::vector<StoreWrite>& writes);

// Commits `writes` with the changed principal and makes it visible; of a role its sessions too,
// since they have what it has. They are written, unchanged: of a change of a role and one of its
// sessions at once only one wins, or the slower would bring back what the faster has replaced.
//
// Errors: as CommitFor.
Status CommitChange(PrincipalAdmin& admin, const std::shared_ptr<Principal>& changed,
                    std::vector<StoreWrite> writes);

}  // namespace hallmark::app
