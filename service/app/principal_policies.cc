// What principals may do, and what limits them.
#include "service/app/principal_parts.h"
#include "service/app/validation.h"

#include <memory>
#include <string>

namespace hallmark::app {
namespace {

// Errors: ValidationException, with the remedy, when the request means the boundary of a session.
template <class Request>
Status CheckMayHave(const Principal& principal, const Request& request) {
  if (!request.permissions_boundary() || !principal.is_session()) return {};
  return Fail(Exception::kValidationException,
              "A session has the permissions boundary of its role and none of its own: change that "
              "of '" +
                  principal.role_arn + "', or limit the session by a session policy");
}

}  // namespace

Status AttachPolicy(PrincipalAdmin& admin, const v1::AttachPolicyRequest& request,
                    v1::AttachPolicyResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, FindPrincipal(admin, request.arn()));
  HALLMARK_RETURN_IF_ERROR(CheckMayHave(*old, request));
  HALLMARK_ASSIGN_OR_RETURN(const AttachedPolicy policy, CompileAttached(request.policy()));
  const auto next = std::make_shared<Principal>(*old);
  if (request.permissions_boundary()) {
    SetBoundary(policy, next.get());
  } else {
    SetPolicy(policy, next.get());
  }
  HALLMARK_RETURN_IF_ERROR(CommitChange(admin, next, {Put(policy.record)}));
  FillPrincipal(*next, response->mutable_principal());
  return {};
}

Status DetachPolicy(PrincipalAdmin& admin, const v1::DetachPolicyRequest& request,
                    v1::DetachPolicyResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, FindPrincipal(admin, request.arn()));
  HALLMARK_RETURN_IF_ERROR(CheckMayHave(*old, request));
  const bool boundary = request.permissions_boundary();
  if ((boundary ? old->record.boundary_hash : old->record.policy_hash).empty()) {
    return Fail(Exception::kNotFoundException,
                "Principal '" + request.arn() + "' has no " +
                    (boundary ? "permissions boundary" : "policy of its own"));
  }
  const auto next = std::make_shared<Principal>(*old);
  if (boundary) {
    SetBoundary({}, next.get());
  } else {
    SetPolicy({}, next.get());
  }
  HALLMARK_RETURN_IF_ERROR(CommitChange(admin, next, {}));
  FillPrincipal(*next, response->mutable_principal());
  return {};
}

}  // namespace hallmark::app
