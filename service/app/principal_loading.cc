#include "service/app/principal_loading.h"

#include "service/app/principal_parts.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

using Documents = std::map<std::string, const PolicyRecord*>;

Result<AttachedPolicy> Compile(const Documents& documents, const std::string& hash,
                               const PrincipalRecord& owner) {
  const auto document = documents.find(hash);
  if (document == documents.end()) {
    return Fail(Exception::kKMSInternalException,
                "The store lacks a policy of principal " + owner.arn.text());
  }
  Result<AttachedPolicy> policy = CompileAttached(document->second->document);
  if (!policy) {
    return Fail(Exception::kKMSInternalException,
                "A stored policy of principal " + owner.arn.text() +
                    " does not compile: " + policy.error().message);
  }
  return policy;
}

}  // namespace

Status LoadPrincipals(const StoreImage& image, PrincipalDirectory& principals) {
  Documents documents;
  for (const PolicyRecord& policy : image.policies) documents[policy.hash] = &policy;

  std::map<std::string, std::shared_ptr<Principal>> by_id;
  for (const PrincipalRecord& record : image.principals) {
    auto principal = std::make_shared<Principal>(Principal{record, nullptr, {}, {}, {}});
    if (!record.policy_hash.empty()) {
      HALLMARK_ASSIGN_OR_RETURN(const AttachedPolicy policy,
                                Compile(documents, record.policy_hash, record));
      SetPolicy(policy, principal.get());
    }
    if (!record.boundary_hash.empty()) {
      HALLMARK_ASSIGN_OR_RETURN(const AttachedPolicy boundary,
                                Compile(documents, record.boundary_hash, record));
      SetBoundary(boundary, principal.get());
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
    if (role != by_id.end()) TakeFromRole(*role->second, principal.get());
  }
  std::vector<std::shared_ptr<const Principal>> all;
  all.reserve(by_id.size());
  for (auto& [id, principal] : by_id) all.push_back(std::move(principal));
  principals.Load(all);
  return {};
}

}  // namespace hallmark::app
