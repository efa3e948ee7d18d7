#include "service/app/admin_ops.h"

#include "service/app/secret_recipient.h"
#include "service/app/sha256.h"
#include "service/app/timestamps.h"
#include "service/app/validation.h"

#include <algorithm>
#include <array>
#include <map>
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
  return recipient.Encrypt(admin.sealer.DeriveSecret("secret access key " + access_key_id));
}

void Fill(const Principal& principal, v1::Principal* out) {
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
}

Result<std::shared_ptr<const Principal>> Find(const PrincipalAdmin& admin, const std::string& arn) {
  auto principal = admin.principals.FindByArn(arn);
  if (principal == nullptr) {
    return Fail(Exception::kNotFoundException, "Principal '" + arn + "' does not exist");
  }
  return principal;
}

// What a caller proves itself with.
struct Credentials {
  CertificateRecord certificate;
  AccessKeyRecord access_key;
};

// `fingerprint` was validated: 64 hexadecimal digits.
Credentials NewCredentials(PrincipalAdmin& admin, const std::string& principal_id,
                           const std::string& fingerprint) {
  Credentials made{{.principal_id = principal_id, .added = admin.clock.Now()},
                   {RandomId(admin.random, "HMAK"), principal_id}};
  const std::optional<Bytes> bytes = FromHex(fingerprint);
  std::copy(bytes->begin(), bytes->end(), made.certificate.fingerprint.begin());
  return made;
}

template <class Response>
void FillCredentials(const Principal& principal, const AccessKeyRecord& access_key,
                     std::string encrypted_secret, Response* response) {
  Fill(principal, response->mutable_principal());
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

// A session has its role's policy and boundary; a document of its own limits it.
void GiveRole(const Principal& role, Principal* session) {
  session->session_policy = std::move(session->policy);
  session->policy = role.policy;
  session->boundary = role.boundary;
  session->role_arn = role.record.arn.text();
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
                request.policy(),
                {},
                {}});
  principal->record.created = admin.clock.Now();
  principal->record.role_id = role_id;

  std::vector<StoreWrite> writes;
  // Unchanged: of a new session and the removal of its role only one may win.
  if (role != nullptr) writes.push_back(Put(role->record));
  if (request.has_policy()) {
    HALLMARK_ASSIGN_OR_RETURN(Policy policy,
                              Policy::Parse(request.policy(), PolicyKind::kIdentity));
    principal->policy = std::make_shared<const Policy>(std::move(policy));
    principal->record.policy_hash = Sha256Hex(request.policy());
    writes.push_back(Put(PolicyRecord{principal->record.policy_hash, request.policy()}));
  }

  if (role != nullptr) GiveRole(*role, principal.get());

  auto [certificate, access_key] =
      NewCredentials(admin, principal->record.unique_id, request.certificate_fingerprint());
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
  if (admin.principals.FindByFingerprint(certificate.fingerprint) != nullptr) {
    return Exists("The certificate " + request.certificate_fingerprint());
  }
  writes.push_back(Put(principal->record));
  writes.push_back(Put(certificate));
  writes.push_back(Put(access_key));
  const Result<Revision> revision = admin.store.Commit(writes);
  if (!revision) {
    // Somebody was faster with this ARN or certificate.
    if (revision.error().exception == Exception::kConflictException) {
      return Exists("The ARN " + request.arn() + " or its certificate");
    }
    return Unexpected(revision.error());
  }
  principal->record.revision = certificate.revision = access_key.revision = *revision;
  principal->certificates.push_back(certificate);
  principal->access_keys.push_back(access_key);
  if (role != nullptr) {
    auto written = std::make_shared<Principal>(*role);
    written->record.revision = *revision;
    admin.principals.Publish(written);
  }
  admin.principals.Publish(principal);

  FillCredentials(*principal, access_key, std::move(secret), response);
  return {};
}

Status ListPrincipals(PrincipalAdmin& admin, const v1::ListPrincipalsRequest& request,
                      v1::ListPrincipalsResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  for (const auto& principal : admin.principals.List())
    Fill(*principal, response->add_principals());
  return {};
}

Status GetPrincipal(PrincipalAdmin& admin, const v1::GetPrincipalRequest& request,
                    v1::GetPrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, Find(admin, request.arn()));
  Fill(*principal, response->mutable_principal());
  return {};
}

Status RotatePrincipal(PrincipalAdmin& admin, const v1::RotatePrincipalRequest& request,
                       v1::RotatePrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, Find(admin, request.arn()));
  auto [certificate, access_key] =
      NewCredentials(admin, old->record.unique_id, request.certificate_fingerprint());
  HALLMARK_ASSIGN_OR_RETURN(std::string secret,
                            EncryptedSecret(admin, request, access_key.access_key_id));
  if (admin.principals.FindByFingerprint(certificate.fingerprint) != nullptr) {
    return Exists("The certificate " + request.certificate_fingerprint());
  }
  // The principal is written too, unchanged: of two rotations at once, and of a rotation and a
  // removal, only one may win.
  std::vector<StoreWrite> writes{Put(old->record), Put(certificate), Put(access_key)};
  auto next = std::make_shared<Principal>(*old);
  if (!request.keep_old()) {
    for (const CertificateRecord& ended : old->certificates) writes.push_back(Remove(ended));
    for (const AccessKeyRecord& ended : old->access_keys) writes.push_back(Remove(ended));
    next->certificates.clear();
    next->access_keys.clear();
  }
  const Result<Revision> revision = admin.store.Commit(writes);
  if (!revision) {
    if (revision.error().exception == Exception::kConflictException) {
      return Fail(
          Exception::kConflictException,
          "Principal '" + request.arn() + "' was changed by somebody else; repeat the call");
    }
    return Unexpected(revision.error());
  }
  next->record.revision = certificate.revision = access_key.revision = *revision;
  next->certificates.push_back(certificate);
  next->access_keys.push_back(access_key);
  admin.principals.Publish(next);
  FillCredentials(*next, access_key, std::move(secret), response);
  return {};
}

Status RemovePrincipal(PrincipalAdmin& admin, const v1::RemovePrincipalRequest& request,
                       v1::RemovePrincipalResponse* /*response*/) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto principal, Find(admin, request.arn()));
  std::vector<StoreWrite> writes;
  RemoveWithCredentials(*principal, &writes);
  // Sessions end with their role.
  const auto sessions = admin.principals.SessionsOf(principal->record.unique_id);
  for (const auto& session : sessions) RemoveWithCredentials(*session, &writes);
  HALLMARK_RETURN_IF_ERROR(admin.store.Commit(writes));
  for (const auto& session : sessions) admin.principals.Withdraw(session->record.unique_id);
  admin.principals.Withdraw(principal->record.unique_id);
  return {};
}

Status LoadPrincipals(const StoreImage& image, PrincipalDirectory& principals) {
  std::map<std::string, const PolicyRecord*> policies;
  for (const PolicyRecord& policy : image.policies) policies[policy.hash] = &policy;

  std::map<std::string, std::shared_ptr<Principal>> by_id;
  for (const PrincipalRecord& record : image.principals) {
    auto principal = std::make_shared<Principal>(Principal{record, nullptr, {}, {}, {}});
    if (!record.policy_hash.empty()) {
      const auto document = policies.find(record.policy_hash);
      if (document == policies.end()) {
        return Fail(Exception::kKMSInternalException,
                    "The store lacks the policy of principal " + record.arn.text());
      }
      Result<Policy> policy = Policy::Parse(document->second->document, PolicyKind::kIdentity);
      if (!policy) {
        return Fail(Exception::kKMSInternalException,
                    "The stored policy of principal " + record.arn.text() +
                        " does not compile: " + policy.error().message);
      }
      principal->policy = std::make_shared<const Policy>(*std::move(policy));
      principal->policy_document = document->second->document;
    }
    by_id[record.unique_id] = std::move(principal);
  }
  for (const CertificateRecord& certificate : image.certificates) {
    const auto owner = by_id.find(certificate.principal_id);
    if (owner != by_id.end()) owner->second->certificates.push_back(certificate);
  }
  for (const AccessKeyRecord& key : image.access_keys) {
    const auto owner = by_id.find(key.principal_id);
    if (owner != by_id.end()) owner->second->access_keys.push_back(key);
  }
  for (auto& [id, principal] : by_id) {
    const auto role = by_id.find(principal->record.role_id);
    if (role != by_id.end()) GiveRole(*role->second, principal.get());
  }
  std::vector<std::shared_ptr<const Principal>> all;
  all.reserve(by_id.size());
  for (auto& [id, principal] : by_id) all.push_back(std::move(principal));
  principals.Load(all);
  return {};
}

}  // namespace hallmark::app
