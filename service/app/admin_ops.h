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

// Removing a role removes its sessions. Grants and policies keep the unique id of who is removed.
//
// Each blocks for the store. Requests are validated against the schema first.
//
// Errors: ValidationException, MalformedPolicyDocumentException for the input;
//   AlreadyExistsException when the ARN, the certificate or the name of a role belongs to a
//   principal already; NotFoundException when there is none, or no role of a new session;
//   ConflictException when somebody else changed the principal meanwhile.
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

// Fills the directory from what the store holds.
//
// Errors: KMSInternalException when a stored policy does not compile: a store of another version.
Status LoadPrincipals(const StoreImage& image, PrincipalDirectory& principals);

}  // namespace hallmark::app
