#include "keystate/policy/condition_keys.h"

#include "keystate/policy/pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace hallmark {
namespace {

using Op = Operation;

// Which operations carry a key.
constexpr OperationSet kEvery = OperationSet::All();
constexpr OperationSet kMac{Op::kGenerateMac, Op::kVerifyMac};
// Those whose KeyId may be an alias.
constexpr OperationSet kByAlias{Op::kGenerateMac, Op::kVerifyMac, Op::kDescribeKey, Op::kExplain};
// All but those that are not bound to a key. An Explain has the values of the key that it is about.
constexpr OperationSet kOnKey = OperationSet{Op::kCreateKey, Op::kGenerateRandom, Op::kListAliases,
                                             Op::kListKeys, Op::kListRetirableGrants}
                                    .Complement();
constexpr OperationSet kCreateOrOnKey =
    OperationSet{Op::kGenerateRandom, Op::kListAliases, Op::kListKeys, Op::kListRetirableGrants}
        .Complement();
constexpr OperationSet kPolicyWriting{Op::kCreateKey, Op::kPutKeyPolicy};
constexpr OperationSet kCreateGrant{Op::kCreateGrant};
constexpr OperationSet kGrants{Op::kCreateGrant, Op::kListGrants, Op::kRevokeGrant};
constexpr OperationSet kImport{Op::kImportKeyMaterial};
constexpr OperationSet kImportParameters{Op::kGetParametersForImport};
constexpr OperationSet kScheduleDeletion{Op::kScheduleKeyDeletion};
constexpr OperationSet kTagging{Op::kCreateKey, Op::kTagResource, Op::kUntagResource};

enum class SeenBy { kBoth, kIamOnly };
constexpr SeenBy kBoth = SeenBy::kBoth;
constexpr SeenBy kIamOnly = SeenBy::kIamOnly;

struct KeyRow {
  std::string_view name;
  OperationSet operations;
  SeenBy policies;
};

constexpr std::array kKeyRows = {
#define HALLMARK_CONDITION_KEY(id, name, operations, policies) KeyRow{name, operations, policies},
#include "keystate/policy/condition_keys.def"
#undef HALLMARK_CONDITION_KEY
};

// Keys of KMS and of every service that AWS knows and that no request here carries. A name that
// ends in / or : stands for all that begin so.
constexpr auto kNeverPresent = std::to_array<std::string_view>({
    "kms:DataKeyPairSpec",
    "kms:EncryptionAlgorithm",
    "kms:EncryptionContext:",
    "kms:EncryptionContextKeys",
    "kms:KeyAgreementAlgorithm",
    "kms:MessageType",
    "kms:PrimaryRegion",
    "kms:RecipientAttestation:",
    "kms:ReEncryptOnSameKey",
    "kms:ReplicaRegion",
    "kms:RotationPeriodInDays",
    "kms:SigningAlgorithm",
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:ChatbotSourceArn",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:Referer",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:SourceAccount",
    "aws:SourceIdentity",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpcArn",
    "aws:SourceVpce",
    "aws:TokenIssueTime",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:VpceOrgPaths",
    "aws:VpcSourceIp",
});

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualIgnoringCase(text.substr(0, prefix.size()), prefix);
}

// The rest of `name` behind `listed`, if it is that key; empty for a key without a suffix.
std::optional<std::string_view> SuffixOf(std::string_view name, std::string_view listed) {
  const bool open = listed.ends_with('/') || listed.ends_with(':');
  if (open && name.size() > listed.size() && StartsWithIgnoringCase(name, listed)) {
    return name.substr(listed.size());
  }
  if (!open && EqualIgnoringCase(name, listed)) return std::string_view();
  return std::nullopt;
}

using Text = std::optional<std::string_view>;

Text BoolText(std::optional<bool> value) {
  if (!value) return std::nullopt;
  return *value ? "true" : "false";
}

Text NumberText(std::optional<std::int64_t> value, ValueBuffer& buffer) {
  if (!value) return std::nullopt;
  char* const begin = buffer.text.data();
  const auto [end, error] = std::to_chars(begin, begin + buffer.text.size(), *value);
  return std::string_view(begin, static_cast<std::size_t>(end - begin));
}

Text TimeText(std::optional<WallTime> value, ValueBuffer& buffer) {
  if (!value) return std::nullopt;
  return FormatPolicyTime(*value, buffer.text);
}

Text OriginText(std::optional<Origin> origin) {
  if (!origin) return std::nullopt;
  return *origin == Origin::kAwsKms ? "AWS_KMS" : "EXTERNAL";
}

std::optional<std::int64_t> EpochSeconds(std::optional<WallTime> time) {
  if (!time) return std::nullopt;
  return std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
}

Text PrincipalType(const Caller& caller) {
  if (caller.is_session()) return "AssumedRole";
  return caller.is_root() ? "Account" : "User";
}

Text UserId(const Caller& caller) {
  if (!caller.shows_user_id) return std::nullopt;
  if (caller.is_root()) return caller.account.text();
  return caller.unique_id.empty() ? caller.role_id : caller.unique_id;
}

// Of a user the last part of the ARN; others have none.
Text UserName(const Caller& caller) {
  if (caller.is_session() || caller.arn.find(":user/") == std::string_view::npos) {
    return std::nullopt;
  }
  return caller.arn.substr(caller.arn.rfind('/') + 1);
}

Text PrincipalArnText(const Caller& caller) {
  return caller.is_session() && !caller.role_arn.empty() ? caller.role_arn : caller.arn;
}

// The keys with at most one value.
Text Single(const ConditionKey& key, const AccessRequest& request, ValueBuffer& buffer) {
  const RequestContext& context = request.context;
  const Caller& caller = request.caller;
  switch (key.id) {
    case ConditionKeyId::kMacAlgorithm:
      return context.mac_algorithm ? Text(Name(*context.mac_algorithm)) : std::nullopt;
    case ConditionKeyId::kRequestAlias:
      return context.request_alias;
    case ConditionKeyId::kKeySpec:
    case ConditionKeyId::kCustomerMasterKeySpec:
      return context.key_spec ? Text(Name(*context.key_spec)) : std::nullopt;
    case ConditionKeyId::kKeyUsage:
    case ConditionKeyId::kCustomerMasterKeyUsage:
      return context.key_usage ? Text("GENERATE_VERIFY_MAC") : std::nullopt;
    case ConditionKeyId::kKeyOrigin:
      return OriginText(context.key_origin);
    case ConditionKeyId::kMultiRegion:
      return BoolText(context.multi_region);
    case ConditionKeyId::kMultiRegionKeyType:
      return context.multi_region_key_type;
    case ConditionKeyId::kBypassPolicyLockoutSafetyCheck:
      return BoolText(context.bypass_policy_lockout_safety_check);
    case ConditionKeyId::kGranteePrincipal:
      return context.grantee_principal;
    case ConditionKeyId::kRetiringPrincipal:
      return context.retiring_principal;
    case ConditionKeyId::kGrantConstraintType:
      return context.grant_constraint_type;
    case ConditionKeyId::kGrantIsForAWSResource:
      return BoolText(context.grant_is_for_aws_resource);
    case ConditionKeyId::kExpirationModel:
      return context.expiration_model;
    case ConditionKeyId::kValidTo:
      return TimeText(context.valid_to, buffer);
    case ConditionKeyId::kWrappingAlgorithm:
      return context.wrapping_algorithm;
    case ConditionKeyId::kWrappingKeySpec:
      return context.wrapping_key_spec;
    case ConditionKeyId::kPendingWindowInDays:
      return NumberText(context.pending_window_days, buffer);
    case ConditionKeyId::kCallerAccount:
    case ConditionKeyId::kPrincipalAccount:
      return caller.account.text();
    case ConditionKeyId::kViaService:
      return context.via_service;
    case ConditionKeyId::kResourceTag:
      return context.resource_tags.Find(key.suffix);
    case ConditionKeyId::kRequestTag:
      return context.request_tags.Find(key.suffix);
    case ConditionKeyId::kPrincipalTag:
      return caller.tags.Find(key.suffix);
    case ConditionKeyId::kPrincipalArn:
      return PrincipalArnText(caller);
    case ConditionKeyId::kPrincipalType:
      return PrincipalType(caller);
    case ConditionKeyId::kUserId:
      return UserId(caller);
    case ConditionKeyId::kUserName:
      return UserName(caller);
    case ConditionKeyId::kPrincipalIsAWSService:
    case ConditionKeyId::kViaAWSService:
      return "false";
    case ConditionKeyId::kResourceAccount:
      return request.resource_account.text();
    case ConditionKeyId::kRequestedRegion:
      return context.requested_region;
    case ConditionKeyId::kSourceArn:
      return context.source_arn;
    case ConditionKeyId::kSourceIp:
      return context.source_ip;
    case ConditionKeyId::kUserAgent:
      return context.user_agent;
    case ConditionKeyId::kCurrentTime:
      return TimeText(context.current_time, buffer);
    case ConditionKeyId::kEpochTime:
      return NumberText(EpochSeconds(context.current_time), buffer);
    case ConditionKeyId::kSecureTransport:
      return BoolText(context.secure_transport);
    case ConditionKeyId::kGrantOperations:
    case ConditionKeyId::kTagKeys:
    case ConditionKeyId::kResourceAliases:
    case ConditionKeyId::kNeverPresent:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ConditionKey> ConditionKey::Parse(std::string_view name) {
  for (std::size_t i = 0; i < kKeyRows.size(); ++i) {
    if (const auto suffix = SuffixOf(name, kKeyRows[i].name)) {
      return ConditionKey{static_cast<ConditionKeyId>(i), std::string(name), std::string(*suffix)};
    }
  }
  const auto never_present = [&] {
    return ConditionKey{ConditionKeyId::kNeverPresent, std::string(name), {}};
  };
  for (const std::string_view listed : kNeverPresent) {
    if (SuffixOf(name, listed)) return never_present();
  }
  // Keys of other services exist, but nobody here can give them a value.
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == name.size()) {
    return std::nullopt;
  }
  if (StartsWithIgnoringCase(name, "kms:") || StartsWithIgnoringCase(name, "aws:")) {
    return std::nullopt;
  }
  return never_present();
}

bool CanBePresent(ConditionKeyId key, Operation operation, PolicyKind kind) {
  if (key == ConditionKeyId::kNeverPresent) return false;
  const KeyRow& row = kKeyRows[static_cast<std::size_t>(key)];
  return row.operations.Contains(operation) &&
         (kind == PolicyKind::kIdentity || row.policies == SeenBy::kBoth);
}

KeyValues KeyValues::Read(const ConditionKey& key, const AccessRequest& request, PolicyKind kind,
                          ValueBuffer& buffer) {
  if (!CanBePresent(key.id, request.operation, kind)) return KeyValues();
  if (key.id == ConditionKeyId::kGrantOperations) {
    return KeyValues(request.context.grant_operations);
  }
  if (key.id == ConditionKeyId::kTagKeys) return KeyValues(request.context.tag_keys);
  if (key.id == ConditionKeyId::kResourceAliases) {
    if (request.context.resource_aliases == nullptr) return KeyValues();
    buffer.aliases = request.context.resource_aliases->Names();
    KeyValues values{ValueList(buffer.aliases)};
    values.over_quota_ = buffer.aliases.size() > kMaxJudgedAliases;
    return values;
  }
  return KeyValues(Single(key, request, buffer));
}

}  // namespace hallmark
