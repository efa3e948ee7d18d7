// What is stored. Plain structs; each carries the store revision at which it was last written,
// 0 while it has not been.
#pragma once

#include "keystate/clock.h"
#include "keystate/grants/grant_operations.h"
#include "keystate/ids.h"
#include "keystate/key_spec.h"
#include "keystate/operation.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace hallmark {

using Revision = std::uint64_t;

// CKA_ID of a token object: 16 random bytes, not the key's UUID.
using CkaId = std::array<std::byte, 16>;
// SHA-256 of the tag of one fixed, documented string under the key. The tag itself is never kept:
// it would be a valid MAC.
using KeyCheckValue = std::array<std::byte, 32>;
// SHA-256 of the DER certificate.
using CertificateFingerprint = std::array<std::byte, 32>;

// What administrators set. Trouble with a token never changes it.
enum class KeyState { kEnabled, kDisabled, kPendingDeletion, kPendingImport };

// What a key may be used for; HMAC keys have one usage.
enum class KeyUsage { kGenerateVerifyMac };

enum class Origin { kAwsKms, kExternal };

struct KeyRecord {
  KeyId id;
  AccountId account;
  KeySpec spec;
  KeyUsage usage = KeyUsage::kGenerateVerifyMac;
  Origin origin = Origin::kAwsKms;
  KeyState state = KeyState::kEnabled;
  std::string description{};
  WallTime created{};
  std::optional<WallTime> deletion_date{};
  std::string policy_hash{};
  std::uint32_t current_material = 1;
  Revision revision = 0;

  bool operator==(const KeyRecord&) const = default;
};

struct MaterialRecord {
  KeyId key_id;
  std::uint32_t number = 1;
  // Absent until the material exists.
  std::optional<KeyCheckValue> check_value{};
  Origin origin = Origin::kAwsKms;
  std::optional<WallTime> valid_to{};
  Revision revision = 0;
};

// kDestroying: the key has ended for every caller, and only its object is left to be destroyed.
enum class BindingState { kCreating, kReady, kDestroying };

// A key's material on one token.
struct BindingRecord {
  KeyId key_id;
  std::uint32_t material_number = 1;
  std::string token_id;
  CkaId cka_id{};
  // We made the object, so we may destroy it.
  bool owned = true;
  // CKA_LOCAL as the token reported it: made there, not brought there.
  bool local = false;
  BindingState state = BindingState::kCreating;
  // The daemon instance that set out to create it; tells whether a `creating` binding is abandoned.
  std::string creator_instance{};
  WallTime verified_at{};
  Revision revision = 0;
};

struct AliasRecord {
  AccountId account;
  std::string name;  // "alias/" included
  KeyId target;
  WallTime created{};
  WallTime updated{};
  Revision revision = 0;
};

struct TagRecord {
  KeyId key_id;
  std::string tag_key;
  std::string tag_value;
  // Tags are listed in the order in which their keys were first given.
  std::uint32_t position = 0;
  Revision revision = 0;
};

// The last use of a key that succeeded.
struct LastUsageRecord {
  KeyId key_id;
  Operation operation;
  WallTime time{};
  std::string request_id{};
  Revision revision = 0;
};

// What the deletion sweeper must not forget; there is at most one.
struct SweeperRecord {
  // The highest time that the daemon has seen.
  WallTime time_seen{};
  // Time has jumped: nothing is destroyed until an operator has looked at the clock.
  bool halted = false;
  Revision revision = 0;
};

// Never changed once it is made: retiring and revoking remove it.
struct GrantRecord {
  GrantId id;
  KeyId key_id;
  // Whom the grant helps: a unique id, so that who comes later under the same ARN gets nothing; and
  // the ARN that was his when it was made.
  std::string grantee_id;
  std::string grantee;
  // Who may retire it; empty: nobody was named.
  std::string retiring_id{};
  std::string retiring{};
  // The account of who made it.
  AccountId issuing_account;
  std::string name{};  // empty: none
  GrantOperations operations{};
  // The grant counts only in calls that carry this aws:SourceArn; empty: in all.
  std::string source_arn{};
  WallTime created{};
  Revision revision = 0;

  bool operator==(const GrantRecord&) const = default;
};

// A principal as a policy names it, and whom it named when the policy was written.
struct PrincipalBinding {
  std::string arn;
  std::string unique_id;

  bool operator==(const PrincipalBinding&) const = default;
};

struct PolicyRecord {
  std::string hash;  // SHA-256 of the document and the bindings, lower-case hex
  std::string document;
  // Of a key policy; an identity policy names nobody.
  std::vector<PrincipalBinding> bindings{};
  Revision revision = 0;
};

struct PrincipalTag {
  std::string key;
  std::string value;

  bool operator==(const PrincipalTag&) const = default;
};

struct PrincipalRecord {
  // Made anew whenever a principal is added: grants and policies bind to it, not to the ARN.
  std::string unique_id;
  PrincipalArn arn;
  // Hash of the identity policy; empty: none.
  std::string policy_hash{};
  WallTime created{};
  // Hash of the policy that bounds what the identity policy can allow; empty: none.
  std::string boundary_hash{};
  // Of an assumed-role session, the unique id of its role; empty otherwise.
  std::string role_id{};
  std::vector<PrincipalTag> tags{};
  // By which certificates of its trust domain know it; empty: it is known by fingerprints alone.
  std::string spiffe_id{};
  Revision revision = 0;
};

struct CertificateRecord {
  CertificateFingerprint fingerprint{};
  std::string principal_id;
  WallTime added{};
  Revision revision = 0;
};

// The secret access key is not stored: it is derived from the token's anchor and the access key id.
struct AccessKeyRecord {
  std::string access_key_id;
  std::string principal_id;
  Revision revision = 0;
};

// Up to which second of its client's clock signatures of an access key may have been used. Only
// kept for clients whose clock is ahead of ours: what others signed is past when a service starts.
struct SignatureMarkRecord {
  std::string access_key_id;
  WallTime until{};
  Revision revision = 0;
};

struct TokenRecord {
  std::string token_id;
  std::string label{};
  std::string serial{};
  std::string manufacturer{};
  CkaId anchor_cka_id{};
  KeyCheckValue anchor_check_value{};
  // An operator has taken the token out of use.
  bool drained = false;
  Revision revision = 0;
};

// The first answer to a CreateKey that carried a client token.
struct ClientTokenRecord {
  std::string principal_id;
  std::string client_token;
  std::string request_hash;  // SHA-256 of the request, lower-case hex
  KeyId key_id;
  Revision revision = 0;
};

using Record =
    std::variant<KeyRecord, MaterialRecord, BindingRecord, AliasRecord, TagRecord, LastUsageRecord,
                 SweeperRecord, GrantRecord, PolicyRecord, PrincipalRecord, CertificateRecord,
                 AccessKeyRecord, SignatureMarkRecord, TokenRecord, ClientTokenRecord>;

}  // namespace hallmark
