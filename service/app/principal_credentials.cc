// Principals, and what they prove themselves with.
#include "keystate/bytes.h"
#include "keystate/spiffe_id.h"
#include "service/app/principal_parts.h"
#include "service/app/secret_recipient.h"
#include "service/app/validation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// Base 32 without look-alikes; ids made of it can be told from AWS's by their prefix.
std::string RandomId(RandomSource& random, std::string_view prefix) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::array<std::byte, 16> bytes{};
  random.Fill(bytes);
  std::string id(prefix);
  for (const std::byte b : bytes)
    id += kAlphabet[std::to_integer<std::size_t>(b) % kAlphabet.size()];
  return id;
}

// The unique id of a new principal. Users and roles have the beginnings by which tools for AWS tell
// them apart; the small letters keep them out of the nets of secret scanners, which take the
// beginning and sixteen capitals for a credential. A session is named after its role, so that
// grants can be bound to it before it is there; `role_id` is empty for others.
std::string NewUniqueId(RandomSource& random, const PrincipalArn& arn, const std::string& role_id) {
  switch (arn.kind()) {
    case PrincipalKind::kUser:
      return RandomId(random, "AIDAhm");
    case PrincipalKind::kRole:
      return RandomId(random, "AROAhm");
    case PrincipalKind::kSession:
      return role_id + ":" + std::string(arn.name());
    case PrincipalKind::kRoot:
      break;
  }
  return RandomId(random, "HMID");
}

// The secret access key, for the eyes of who asked for it alone; empty if nobody did. Asked for
// before anything is changed: a key that cannot be used must not cost the old credentials.
template <class Request>
Result<std::string> EncryptedSecret(const PrincipalAdmin& admin, const Request& request,
                                    const std::string& access_key_id) {
  if (!request.has_recipient_public_key()) return std::string();
  HALLMARK_ASSIGN_OR_RETURN(const SecretRecipient recipient,
                            SecretRecipient::Parse(AsBytes(request.recipient_public_key())));
  return recipient.Encrypt(DeriveSecretAccessKey(admin.sealer, access_key_id));
}

// `fingerprint` was validated: 64 hexadecimal digits.
CertificateRecord NewCertificate(const PrincipalAdmin& admin, const std::string& principal_id,
                                 const std::string& fingerprint) {
  CertificateRecord made{.principal_id = principal_id, .added = admin.clock.Now()};
  const std::optional<Bytes> bytes = FromHex(fingerprint);
  std::copy(bytes->begin(), bytes->end(), made.fingerprint.begin());
  return made;
}

AccessKeyRecord NewAccessKey(PrincipalAdmin& admin, const std::string& principal_id) {
  return {RandomId(admin.random, "HMAK"), principal_id};
}

// By which callers are to be known that bring their own certificates; empty: by none.
Result<std::string> WantedSpiffeId(const v1::AddPrincipalRequest& request) {
  if (!request.has_spiffe_id()) {
    if (request.has_certificate_fingerprint()) return std::string();
    return Fail(
        Exception::kValidationException,
        "Nothing says by what the principal is known: give CertificateFingerprint, SpiffeId "
        "or both.");
  }
  HALLMARK_ASSIGN_OR_RETURN(const SpiffeId id, SpiffeId::Parse(request.spiffe_id()));
  return id.text();
}

template <class Response>
void FillCredentials(const Principal& principal, const AccessKeyRecord& access_key,
                     std::string encrypted_secret, Response* response) {
  FillPrincipal(principal, response->mutable_principal());
  response->set_access_key_id(access_key.access_key_id);
  if (!encrypted_secret.empty()) {
    response->set_encrypted_secret_access_key(std::move(encrypted_secret));
  }
}

Unexpected<Error> Exists(const std::string& what) {
  return Fail(Exception::kAlreadyExistsException, what + " belongs to a principal already");
}

// The role of a session; null for other principals.
Result<std::shared_ptr<const Principal>> RoleOf(const PrincipalAdmin& admin,
                                                const PrincipalArn& arn) {
  if (arn.kind() != PrincipalKind::kSession) return std::shared_ptr<const Principal>();
  auto role = admin.principals.FindRole(arn.account(), arn.role_name());
  if (role == nullptr) {
    return Fail(Exception::kNotFoundException, "Role '" + std::string(arn.role_name()) +
                                                   "' does not exist; add it before its sessions");
  }
  return role;
}

void RemoveWithCredentials(const Principal& principal, std::vector<StoreWrite>* writes) {
  writes->push_back(Remove(principal.record));
  for (const CertificateRecord& certificate : principal.certificates) {
    writes->push_back(Remove(certificate));
  }
  for (const AccessKeyRecord& key : principal.access_keys) writes->push_back(Remove(key));
}

}  // namespace

Status AddPrincipal(PrincipalAdmin& admin, const v1::AddPrincipalRequest& request,
                    v1::AddPrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(PrincipalArn arn, PrincipalArn::Parse(request.arn(), admin.site));
  HALLMARK_ASSIGN_OR_RETURN(const std::shared_ptr<const Principal> role, RoleOf(admin, arn));
  const std::string role_id = role == nullptr ? std::string() : role->record.unique_id;
  std::string unique_id = NewUniqueId(admin.random, arn, role_id);
  auto principal = std::make_shared<Principal>(
      Principal{PrincipalRecord{.unique_id = std::move(unique_id), .arn = std::move(arn)},
                nullptr,
                {},
                {},
                {}});
  principal->record.created = admin.clock.Now();
  principal->record.role_id = role_id;
  HALLMARK_ASSIGN_OR_RETURN(principal->record.spiffe_id, WantedSpiffeId(request));

  std::vector<StoreWrite> writes;
  // Unchanged: of a new session and the removal of its role only one may win.
  if (role != nullptr) writes.push_back(Put(role->record));
  if (request.has_policy()) {
    HALLMARK_ASSIGN_OR_RETURN(const AttachedPolicy policy, CompileAttached(request.policy()));
    SetPolicy(policy, principal.get());
    writes.push_back(Put(policy.record));
  }
  if (role != nullptr) TakeFromRole(*role, principal.get());

  const std::string& id = principal->record.unique_id;
  if (request.has_certificate_fingerprint()) {
    principal->certificates.push_back(NewCertificate(admin, id, request.certificate_fingerprint()));
  }
  principal->access_keys.push_back(NewAccessKey(admin, id));
  AccessKeyRecord& access_key = principal->access_keys.front();
  HALLMARK_ASSIGN_OR_RETURN(std::string secret,
                            EncryptedSecret(admin, request, access_key.access_key_id));
  const PrincipalArn& added = principal->record.arn;
  if (admin.principals.FindByArn(request.arn()) != nullptr) {
    return Exists("The ARN " + request.arn());
  }
  // The ARN of a session does not say the path of its role.
  if (added.kind() == PrincipalKind::kRole &&
      admin.principals.FindRole(added.account(), added.role_name()) != nullptr) {
    return Exists("The role name " + std::string(added.role_name()));
  }
  if (admin.principals.FindBySpiffeId(principal->record.spiffe_id) != nullptr) {
    return Exists("The SPIFFE ID " + request.spiffe_id());
  }
  writes.push_back(Put(principal->record));
  for (const CertificateRecord& certificate : principal->certificates) {
    if (admin.principals.FindByFingerprint(certificate.fingerprint) != nullptr) {
      return Exists("The certificate " + request.certificate_fingerprint());
    }
    writes.push_back(Put(certificate));
  }
  writes.push_back(Put(access_key));
  const Result<Revision> revision = CommitFor(admin, request.arn(), writes);
  if (!revision) {
    // Somebody was faster with this ARN or certificate; with a session it may also be its role.
    if (revision.error().exception == Exception::kConflictException && role == nullptr) {
      return Exists("The ARN " + request.arn() + ", its certificate or its SPIFFE ID");
    }
    return Unexpected(revision.error());
  }
  principal->record.revision = access_key.revision = *revision;
  for (CertificateRecord& certificate : principal->certificates) certificate.revision = *revision;
  std::vector<std::shared_ptr<const Principal>> visible{principal};
  if (role != nullptr) {
    auto written = std::make_shared<Principal>(*role);
    written->record.revision = *revision;
    visible.push_back(std::move(written));
  }
  // At once: who changes the role from here on knows all of its sessions.
  admin.principals.Publish(visible);

  FillCredentials(*principal, access_key, std::move(secret), response);
  return {};
}

Status ListPrincipals(PrincipalAdmin& admin, const v1::ListPrincipalsRequest& request,
                      v1::ListPrincipalsResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  for (const auto& principal : admin.principals.List())
    FillPrincipal(*principal, response->add_principals());
  return {};
}

Status GetPrincipal(PrincipalAdmin& admin, const v1::GetPrincipalRequest& request,
                    v1::GetPrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, FindPrincipal(admin, request.arn()));
  FillPrincipal(*principal, response->mutable_principal());
  return {};
}

Status RotatePrincipal(PrincipalAdmin& admin, const v1::RotatePrincipalRequest& request,
                       v1::RotatePrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, FindPrincipal(admin, request.arn()));
  std::optional<CertificateRecord> certificate;
  if (request.has_certificate_fingerprint()) {
    certificate = NewCertificate(admin, old->record.unique_id, request.certificate_fingerprint());
  } else if (old->record.spiffe_id.empty() || (!request.keep_old() && !old->certificates.empty())) {
    // No certificate is ended without another in its place.
    return Fail(Exception::kValidationException,
                request.arn() +
                    " does not come by a SPIFFE id alone: CertificateFingerprint must be "
                    "given.");
  }
  AccessKeyRecord access_key = NewAccessKey(admin, old->record.unique_id);
  HALLMARK_ASSIGN_OR_RETURN(std::string secret,
                            EncryptedSecret(admin, request, access_key.access_key_id));
  if (certificate && admin.principals.FindByFingerprint(certificate->fingerprint) != nullptr) {
    return Exists("The certificate " + request.certificate_fingerprint());
  }
  // The principal is written too, unchanged: of two rotations at once, and of a rotation and a
  // removal, only one may win.
  std::vector<StoreWrite> writes{Put(old->record), Put(access_key)};
  if (certificate) writes.push_back(Put(*certificate));
  auto next = std::make_shared<Principal>(*old);
  if (!request.keep_old()) {
    for (const CertificateRecord& ended : old->certificates) writes.push_back(Remove(ended));
    for (const AccessKeyRecord& ended : old->access_keys) writes.push_back(Remove(ended));
    next->certificates.clear();
    next->access_keys.clear();
  }
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision, CommitFor(admin, request.arn(), writes));
  next->record.revision = access_key.revision = revision;
  if (certificate) {
    certificate->revision = revision;
    next->certificates.push_back(*certificate);
  }
  next->access_keys.push_back(access_key);
  admin.principals.Publish(next);
  FillCredentials(*next, access_key, std::move(secret), response);
  return {};
}

Status RemovePrincipal(PrincipalAdmin& admin, const v1::RemovePrincipalRequest& request,
                       v1::RemovePrincipalResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, FindPrincipal(admin, request.arn()));
  std::vector<StoreWrite> writes;
  RemoveWithCredentials(*principal, &writes);
  // Sessions end with their role.
  const auto sessions = admin.principals.SessionsOf(principal->record.unique_id);
  for (const auto& session : sessions) RemoveWithCredentials(*session, &writes);
  HALLMARK_RETURN_IF_ERROR(CommitFor(admin, request.arn(), writes));
  for (const auto& session : sessions) admin.principals.Withdraw(session->record.unique_id);
  admin.principals.Withdraw(principal->record.unique_id);
  return {};
}

}  // namespace hallmark::app
