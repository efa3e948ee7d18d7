#include "keystate/grants/grant_rules.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

std::optional<Operation> GrantOperation(std::string_view name) {
  const auto* found = std::find_if(GrantOperations::kAll.begin(), GrantOperations::kAll.end(),
                                   [name](Operation operation) { return Name(operation) == name; });
  if (found == GrantOperations::kAll.end()) return std::nullopt;
  return *found;
}

// "[GenerateMac, VerifyMac]"
std::string ListOf(std::span<const std::string_view> names) {
  std::string list = "[";
  for (const std::string_view name : names) {
    if (list.size() > 1) list += ", ";
    list += name;
  }
  return list + "]";
}

Status CheckConstraints(const GrantRequest& request) {
  if (request.has_encryption_context) {
    return Fail(Exception::kValidationException,
                "EncryptionContext is supported only when creating a grant for a symmetric "
                "encryption KMS key.");
  }
  const std::string_view arn = request.source_arn;
  constexpr auto kColons = 5;
  if (!arn.empty() &&
      (!arn.starts_with("arn:") || std::count(arn.begin(), arn.end(), ':') < kColons)) {
    return Fail(Exception::kInvalidArnException, "ARN is not valid: " + std::string(arn));
  }
  return {};
}

// How the caller is the principal of this unique id; a session that is named itself has more than
// one whose role is.
enum class Named { kNone, kThroughRole, kSelf };

Named NamedBy(const std::string& unique_id, const GrantCaller& caller) {
  if (unique_id.empty()) return Named::kNone;
  if (unique_id == caller.unique_id) return Named::kSelf;
  if (caller.is_root && unique_id == caller.account.text()) return Named::kSelf;
  return unique_id == caller.role_id ? Named::kThroughRole : Named::kNone;
}

}  // namespace

Result<GrantOperations> ParseGrantOperations(std::span<const std::string_view> names) {
  GrantOperations operations;
  std::vector<std::string_view> unsupported;
  for (const std::string_view name : names) {
    if (const std::optional<Operation> operation = GrantOperation(name)) {
      operations.Add(*operation);
    } else if (std::find(unsupported.begin(), unsupported.end(), name) == unsupported.end()) {
      unsupported.push_back(name);
    }
  }
  if (!unsupported.empty()) {
    std::vector<std::string_view> valid;
    valid.reserve(GrantOperations::kAll.size());
    for (const Operation operation : GrantOperations::kAll) valid.push_back(Name(operation));
    return Fail(Exception::kValidationException,
                "Operations " + ListOf(unsupported) +
                    " are not supported when creating a grant for a symmetric KMS key with key "
                    "usage GENERATE_VERIFY_MAC. Valid operations are " +
                    ListOf(valid));
  }
  if (operations.empty()) {
    return Fail(Exception::kValidationException, "Grants must contain at least one operation.");
  }
  if (operations.size() == 1 && operations.Contains(Operation::kCreateGrant)) {
    return Fail(Exception::kValidationException,
                "Grants must not contain only the CreateGrant operation.");
  }
  return operations;
}

Result<GrantRecord> DraftGrant(const GrantRequest& request, const GrantOrigin& origin,
                               const Site& site, const PrincipalDirectory& principals) {
  HALLMARK_ASSIGN_OR_RETURN(const GrantOperations operations,
                            ParseGrantOperations(request.operations));
  HALLMARK_RETURN_IF_ERROR(CheckConstraints(request));
  HALLMARK_ASSIGN_OR_RETURN(
      GrantPrincipal grantee,
      ResolveGrantPrincipal(request.grantee, PrincipalMember::kGrantee, site, principals));
  GrantRecord grant{.id = origin.id,
                    .key_id = origin.key_id,
                    .grantee_id = std::move(grantee.unique_id),
                    .grantee = std::move(grantee.arn),
                    .issuing_account = origin.issuing_account};
  if (!request.retiring.empty()) {
    HALLMARK_ASSIGN_OR_RETURN(
        GrantPrincipal retiring,
        ResolveGrantPrincipal(request.retiring, PrincipalMember::kRetiring, site, principals));
    grant.retiring_id = std::move(retiring.unique_id);
    grant.retiring = std::move(retiring.arn);
  }
  grant.name = request.name;
  grant.operations = operations;
  grant.source_arn = request.source_arn;
  // KMS gives the creation date of a grant in whole seconds.
  grant.created = std::chrono::floor<std::chrono::seconds>(origin.now);
  return grant;
}

Status CheckGrantQuota(const GrantSet& grants) {
  if (grants.size() < kMaxGrantsPerKey) return {};
  return Fail(
      Exception::kLimitExceededException,
      "A key may have at most " + std::to_string(kMaxGrantsPerKey) + " grants, and this one does.");
}

Result<GrantPtr> FindGrant(const GrantSet& grants, std::string_view grant_id) {
  const std::optional<GrantId> id = GrantId::Parse(grant_id);
  if (!id) {
    return Fail(Exception::kInvalidGrantIdException,
                "Grant ID " + std::string(grant_id) + " is not valid");
  }
  GrantPtr grant = grants.Find(*id);
  if (grant == nullptr) {
    return Fail(Exception::kNotFoundException, "Grant ID " + std::string(grant_id) + " not found");
  }
  return grant;
}

GrantDemand DemandOnParent(const GrantRecord& child, std::string_view source_arn) {
  const auto wanted = static_cast<GrantOperations::Bits>(
      child.operations.bits() | GrantOperations::BitOf(Operation::kCreateGrant));
  // A parent that is constrained counts in this call only if it has the call's SourceArn, and the
  // child is as strict only if it has the same.
  if (child.source_arn != source_arn) source_arn = {};
  return {.operations = wanted, .source_arn = source_arn};
}

RetireDecision MayRetire(const GrantRecord& grant, const GrantCaller& caller,
                         const AccountId& key_account) {
  Named named = NamedBy(grant.retiring_id, caller);
  if (grant.operations.Contains(Operation::kRetireGrant)) {
    named = std::max(named, NamedBy(grant.grantee_id, caller));
  }
  const bool to_session = caller.is_session && named == Named::kSelf;
  if (named != Named::kNone && caller.account == key_account) {
    return {RetireRight::kByGrant, to_session};
  }
  const bool issuer = caller.account == grant.issuing_account;
  if (issuer && caller.is_root) return {RetireRight::kByGrant};
  if (named != Named::kNone || issuer || grant.retiring_id == caller.account.text()) {
    return {RetireRight::kWithIdentityPolicy, to_session};
  }
  return {RetireRight::kNone};
}

}  // namespace hallmark
