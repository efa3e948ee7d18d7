// What a grant may be, who may end it, and what may come from one: the rules of the grant
// operations.
#pragma once

#include "keystate/grants/grant_principals.h"
#include "keystate/grants/grant_set.h"
#include "keystate/records.h"
#include "keystate/result.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace hallmark {

// Source: KMS developer guide, resource quotas.
inline constexpr std::size_t kMaxGrantsPerKey = 50'000;

// What a CreateGrant asks for, as it was written; empty: absent. Sizes and characters were checked
// with the schema.
struct GrantRequest {
  std::span<const std::string_view> operations;  // names of operations of KMS
  bool has_encryption_context = false;           // EncryptionContextEquals or -Subset
  std::string_view source_arn{};
  std::string_view grantee{};
  std::string_view retiring{};
  std::string_view name{};
};

// Where a grant comes to be.
struct GrantOrigin {
  GrantId id;  // drawn at random
  KeyId key_id;
  AccountId issuing_account;  // of the caller, not of the key
  WallTime now;
};

// The operations of a grant, from their names. A name given twice counts once.
//
// Errors: ValidationException if there are none, if an HMAC key does not have one of them, or if
//   CreateGrant is the only one.
Result<GrantOperations> ParseGrantOperations(std::span<const std::string_view> names);

// The grant that the request asks for, not yet written. Checks operations, constraints and
// principals, in this order.
//
// Errors: those of ParseGrantOperations and ResolveGrantPrincipal; ValidationException for an
//   encryption context; InvalidArnException for a SourceArn that is no ARN.
Result<GrantRecord> DraftGrant(const GrantRequest& request, const GrantOrigin& origin,
                               const Site& site, const PrincipalDirectory& principals);

// Errors: LimitExceededException when the key has all the grants that it may have.
Status CheckGrantQuota(const GrantSet& grants);

// The grant of this id, for an operation that ends it.
//
// Errors: InvalidGrantIdException for a text that cannot be an id; NotFoundException.
Result<GrantPtr> FindGrant(const GrantSet& grants, std::string_view grant_id);

// What a grant must allow that lets its grantee make `child`: CreateGrant and every operation of
// the child, and every constraint of its own is the child's, too: one parent has it all. What a
// policy lets the caller make has no such limit. `source_arn` is that of the call, and borrowed;
// empty: none.
GrantDemand DemandOnParent(const GrantRecord& child, std::string_view source_arn);

// What retiring a grant takes beside that no policy explicitly denies it.
enum class RetireRight {
  // Nothing helps: kms:RetireGrant alone is not enough, and a key policy never is.
  kNone,
  // An identity policy of the caller's account must allow kms:RetireGrant.
  kWithIdentityPolicy,
  // Nothing: the grant itself says so.
  kByGrant,
};

struct RetireDecision {
  RetireRight right;
  // As in CoveringGrant: the grant names this very session, so what its session policy or
  // permissions boundary does not allow takes nothing away.
  bool to_session = false;
};

// Whether the caller may retire the grant of a key of `key_account`. The retiring principal may,
// and the grantee if RetireGrant is among the operations: of the key's account by the grant alone,
// of another with its own account's identity policy. The account in which the grant was made may:
// its root by itself, its principals with an identity policy; so may the principals of an account
// that is the retiring principal.
RetireDecision MayRetire(const GrantRecord& grant, const GrantCaller& caller,
                         const AccountId& key_account);

}  // namespace hallmark
