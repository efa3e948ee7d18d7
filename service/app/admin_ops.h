// Administration of principals: what AdminService serves, and what the command line does on the
// store when no daemon runs.
#pragma once

#include "hallmark/v1/admin.pb.h"
#include "keystate/clock.h"
#include "keystate/ids.h"
#include "keystate/key_store.h"
#include "keystate/principal_directory.h"
#include "keystate/random.h"
#include "keystate/result.h"
#include "keystate/sealer.h"

namespace hallmark::app {

// The parts that administration of principals works on; all outlive it.
struct PrincipalAdmin {
  Site site;
  PrincipalDirectory& principals;
  KeyStore& store;
  Clock& clock;
  RandomSource& random;
  Sealer& sealer;  // secret access keys are derived by it
};

// Removing a role removes its sessions, and what changes a role changes them. Grants and key
// policies keep the unique id of who is removed. An account's root is a principal like any other:
// what it may do, and what limits it, is a policy too.
//
// Each blocks for the store. Requests are validated against the schema first. A change is visible
// to every call that is decided after it returns.
//
// Errors: ValidationException, MalformedPolicyDocumentException, TagException for the input, the
//   first also for the boundary of a session, which has its role's; AlreadyExistsException when the
//   ARN, the certificate or the name of a role belongs to a principal already; NotFoundException
//   when there is none, no role of a new session, or no policy to detach; ConflictException when
//   somebody else changed the principal, its role or one of its sessions meanwhile.
Status AddPrincipal(PrincipalAdmin& admin, const v1::AddPrincipalRequest& request,
                    v1::AddPrincipalResponse* response);
Status ListPrincipals(PrincipalAdmin& admin, const v1::ListPrincipalsRequest& request,
                      v1::ListPrincipalsResponse* response);
Status GetPrincipal(PrincipalAdmin& admin, const v1::GetPrincipalRequest& request,
                    v1::GetPrincipalResponse* response);
Status RotatePrincipal(PrincipalAdmin& admin, const v1::RotatePrincipalRequest& request,
                       v1::RotatePrincipalResponse* response);
Status RemovePrincipal(PrincipalAdmin& admin, const v1::RemovePrincipalRequest& request,
                       v1::RemovePrincipalResponse* response);
Status AttachPolicy(PrincipalAdmin& admin, const v1::AttachPolicyRequest& request,
                    v1::AttachPolicyResponse* response);
Status DetachPolicy(PrincipalAdmin& admin, const v1::DetachPolicyRequest& request,
                    v1::DetachPolicyResponse* response);
Status TagPrincipal(PrincipalAdmin& admin, const v1::TagPrincipalRequest& request,
                    v1::TagPrincipalResponse* response);
Status UntagPrincipal(PrincipalAdmin& admin, const v1::UntagPrincipalRequest& request,
                      v1::UntagPrincipalResponse* response);

}  // namespace hallmark::app
