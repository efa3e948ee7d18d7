#include "service/app/principal_parts.h"

#include "keystate/bytes.h"
#include "keystate/policy/pattern.h"
#include "service/app/sha256.h"
#include "service/app/timestamps.h"

#include <algorithm>
#include <utility>

namespace hallmark::app {

Result<std::shared_ptr<const Principal>> FindPrincipal(const PrincipalAdmin& admin,
                                                       const std::string& arn) {
  auto principal = admin.principals.FindByArn(arn);
  if (principal == nullptr) {
    return Fail(Exception::kNotFoundException, "Principal '" + arn + "' does not exist");
  }
  return principal;
}

void FillPrincipal(const Principal& principal, v1::Principal* out) {
  out->set_arn(principal.record.arn.text());
  out->set_unique_id(principal.record.unique_id);
  *out->mutable_creation_date() = ToProto(principal.record.created);
  for (const CertificateRecord& certificate : principal.certificates) {
    out->add_certificate_fingerprints(ToHex(certificate.fingerprint));
  }
  for (const AccessKeyRecord& key : principal.access_keys) {
    out->add_access_key_ids(key.access_key_id);
  }
  if (!principal.policy_document.empty()) out->set_policy(principal.policy_document);
  if (!principal.boundary_document.empty()) {
    out->set_permissions_boundary(principal.boundary_document);
  }
  for (const PrincipalTag& tag : principal.record.tags) {
    v1::PrincipalTag* shown = out->add_tags();
    shown->set_key(tag.key);
    shown->set_value(tag.value);
  }
  if (principal.is_session()) out->set_role_arn(principal.role_arn);
  if (!principal.record.spiffe_id.empty()) out->set_spiffe_id(principal.record.spiffe_id);
}

Result<AttachedPolicy> CompileAttached(const std::string& document) {
  HALLMARK_ASSIGN_OR_RETURN(Policy policy, Policy::Parse(document, PolicyKind::kIdentity));
  return AttachedPolicy{{Sha256Hex(document), document},
                        std::make_shared<const Policy>(std::move(policy))};
}

void SetPolicy(const AttachedPolicy& policy, Principal* principal) {
  principal->record.policy_hash = policy.record.hash;
  principal->policy_document = policy.record.document;
  (principal->is_session() ? principal->session_policy : principal->policy) = policy.compiled;
}

void SetBoundary(const AttachedPolicy& boundary, Principal* principal) {
  principal->record.boundary_hash = boundary.record.hash;
  principal->boundary_document = boundary.record.document;
  principal->boundary = boundary.compiled;
}

void TakeFromRole(const Principal& role, Principal* session) {
  session->policy = role.policy;
  session->boundary = role.boundary;
  session->role_arn = role.record.arn.text();
  session->session_tags = session->record.tags;
  for (const PrincipalTag& inherited : role.record.tags) {
    const auto& own = session->record.tags;
    const bool replaced = std::any_of(own.begin(), own.end(), [&](const PrincipalTag& tag) {
      return EqualIgnoringCase(tag.key, inherited.key);
    });
    if (!replaced) session->session_tags.push_back(inherited);
  }
}

Result<Revision> CommitFor(PrincipalAdmin& admin, const std::string& arn,
                           const std::vector<StoreWrite>& writes) {
  Result<Revision> revision = admin.store.Commit(writes);
  if (!revision && revision.error().exception == Exception::kConflictException) {
    return Fail(Exception::kConflictException,
                "Principal '" + arn + "' was changed by somebody else; repeat the call");
  }
  return revision;
}

Status CommitChange(PrincipalAdmin& admin, const std::shared_ptr<Principal>& changed,
                    std::vector<StoreWrite> writes) {
  if (changed->is_session()) {
    // Null: it was removed, and the session with it, so that the commit fails.
    const auto role = admin.principals.FindByUniqueId(changed->record.role_id);
    if (role != nullptr) TakeFromRole(*role, changed.get());
  }
  std::vector<std::shared_ptr<Principal>> affected{changed};
  for (const auto& session : admin.principals.SessionsOf(changed->record.unique_id)) {
    auto next = std::make_shared<Principal>(*session);
    TakeFromRole(*changed, next.get());
    affected.push_back(std::move(next));
  }
  for (const auto& principal : affected) writes.push_back(Put(principal->record));
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision,
                            CommitFor(admin, changed->record.arn.text(), writes));
  for (const auto& principal : affected) principal->record.revision = revision;
  admin.principals.Publish(
      std::vector<std::shared_ptr<const Principal>>(affected.begin(), affected.end()));
  return {};
}

}  // namespace hallmark::app
