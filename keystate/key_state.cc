#include "keystate/key_state.h"

#include <array>
#include <cstdlib>
#include <string>

namespace hallmark {
namespace {

// The outcomes of the table in keystate/README.md, by their numbers there.
enum class Verdict {
  kYes,
  kDisabled,         // 1
  kPendingDeletion,  // 3
  kNotPending,       // 4
  kPendingImport,    // 5
  kNotForSpec,       // 10: the key spec rules the operation out, no text
  kOtherUsage,       // 11: what keys of another usage are for
};

// Which origin the operation demands, and whether that is asked before the state is.
enum class OriginRule {
  kAny,
  kExternalOnly,      // 9 for a key that the token made
  kMadeHereOnly,      // 6 for an imported key, whatever its state
  kMadeHereIfEnabled  // 6 for an imported key, but the state's refusal comes first
};

struct StateRow {
  Operation operation;
  Verdict enabled, disabled, pending_deletion, pending_import;
  OriginRule origin;
};

using enum Operation;
constexpr auto kYes = Verdict::kYes;
constexpr auto kDis = Verdict::kDisabled;
constexpr auto kDel = Verdict::kPendingDeletion;
constexpr auto kNot = Verdict::kNotPending;
constexpr auto kImp = Verdict::kPendingImport;
constexpr auto kNone = Verdict::kNotForSpec;
constexpr auto kUse = Verdict::kOtherUsage;
constexpr auto kAny = OriginRule::kAny;
constexpr auto kExternal = OriginRule::kExternalOnly;

// Laid out as the published table is, so that the two can be compared.
// clang-format off
constexpr std::array kTable = {
    //                                    Enabled Disabled PendDel PendImp origin
    StateRow{kGenerateMac,                kYes,   kDis,    kDel,   kImp,   kAny},
    StateRow{kVerifyMac,                  kYes,   kDis,    kDel,   kImp,   kAny},
    StateRow{kDescribeKey,                kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kEnableKey,                  kYes,   kYes,    kDel,   kImp,   kAny},
    StateRow{kDisableKey,                 kYes,   kYes,    kDel,   kImp,   kAny},
    StateRow{kScheduleKeyDeletion,        kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kCancelKeyDeletion,          kNot,   kNot,    kYes,   kNot,   kAny},
    StateRow{kUpdateKeyDescription,       kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kCreateAlias,                kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kUpdateAlias,                kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kDeleteAlias,                kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kListAliases,                kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kCreateGrant,                kYes,   kDis,    kDel,   kImp,   kAny},
    StateRow{kListGrants,                 kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kRetireGrant,                kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kRevokeGrant,                kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kPutKeyPolicy,               kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kGetKeyPolicy,               kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kListKeyPolicies,            kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kTagResource,                kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kUntagResource,              kYes,   kYes,    kDel,   kYes,   kAny},
    StateRow{kListResourceTags,           kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kGetParametersForImport,     kYes,   kYes,    kDel,   kYes,   kExternal},
    StateRow{kImportKeyMaterial,          kYes,   kYes,    kDel,   kYes,   kExternal},
    StateRow{kDeleteImportedKeyMaterial,  kYes,   kYes,    kYes,   kYes,   kExternal},
    StateRow{kGetKeyLastUsage,            kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kGetKeyRotationStatus,       kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kListKeyRotations,           kYes,   kYes,    kYes,   kYes,   kAny},
    StateRow{kDisableKeyRotation,         kYes,   kDis,    kDel,   kImp,   OriginRule::kMadeHereOnly},
    StateRow{kEnableKeyRotation,          kNone,  kDis,    kDel,   kImp,   OriginRule::kMadeHereOnly},
    StateRow{kRotateKeyOnDemand,          kNone,  kDis,    kDel,   kImp,   OriginRule::kMadeHereIfEnabled},
    StateRow{kReplicateKey,               kYes,   kDis,    kDel,   kImp,   kAny},
    StateRow{kUpdatePrimaryRegion,        kYes,   kDis,    kDel,   kImp,   kAny},
    StateRow{kDecapsulate,                kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kDecrypt,                    kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kDeriveSharedSecret,         kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kEncapsulate,                kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kEncrypt,                    kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kGenerateDataKey,            kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kGenerateDataKeyPair,        kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kGenerateDataKeyPairWithoutPlaintext,
                                          kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kGenerateDataKeyWithoutPlaintext,
                                          kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kReEncrypt,                  kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kSign,                       kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kVerify,                     kUse,   kDis,    kDel,   kImp,   kAny},
    StateRow{kGetPublicKey,               kNone,  kDis,    kDel,   kImp,   kAny},
};
// clang-format on

const StateRow& FindRow(Operation operation) {
  for (const StateRow& row : kTable) {
    if (row.operation == operation) return row;
  }
  std::abort();  // an operation that is not bound to a key has no state to check
}

Verdict VerdictFor(const StateRow& row, KeyState state) {
  switch (state) {
    case KeyState::kEnabled:
      return row.enabled;
    case KeyState::kDisabled:
      return row.disabled;
    case KeyState::kPendingDeletion:
      return row.pending_deletion;
    case KeyState::kPendingImport:
      return row.pending_import;
  }
  std::abort();
}

Status Refuse(Operation operation, Verdict verdict, std::string_view key_arn) {
  const std::string arn(key_arn);
  switch (verdict) {
    case Verdict::kYes:
      return {};
    case Verdict::kDisabled:
      return Fail(Exception::kDisabledException, arn + " is disabled.");
    case Verdict::kPendingDeletion:
      return Fail(Exception::kKMSInvalidStateException, arn + " is pending deletion.");
    case Verdict::kNotPending:
      return Fail(Exception::kKMSInvalidStateException, arn + " is not pending deletion.");
    case Verdict::kPendingImport:
      return Fail(Exception::kKMSInvalidStateException, arn + " is pending import.");
    case Verdict::kNotForSpec:
      return Fail(Exception::kUnsupportedOperationException);
    case Verdict::kOtherUsage:
      return Fail(Exception::kInvalidKeyUsageException,
                  arn + " key usage is GENERATE_VERIFY_MAC which is not valid for " +
                      std::string(Name(operation)) + ".");
  }
  std::abort();
}

Status RefuseOrigin(Origin origin, std::string_view key_arn) {
  return Fail(Exception::kUnsupportedOperationException,
              std::string(key_arn) + " origin is " + std::string(Name(origin)) +
                  " which is not valid for this operation.");
}

}  // namespace

std::string_view Name(KeyState state) {
  switch (state) {
    case KeyState::kEnabled:
      return "Enabled";
    case KeyState::kDisabled:
      return "Disabled";
    case KeyState::kPendingDeletion:
      return "PendingDeletion";
    case KeyState::kPendingImport:
      return "PendingImport";
  }
  std::abort();
}

std::string_view Name(Origin origin) {
  switch (origin) {
    case Origin::kAwsKms:
      return "AWS_KMS";
    case Origin::kExternal:
      return "EXTERNAL";
  }
  std::abort();
}

Status CheckState(Operation operation, KeyState state, Origin origin, std::string_view key_arn,
                  KeyRole role) {
  // An alias may always leave a key, whatever becomes of that key.
  if (operation == Operation::kUpdateAlias && role == KeyRole::kPreviousTarget) return {};

  const StateRow& row = FindRow(operation);
  const Verdict verdict = VerdictFor(row, state);
  const bool imported = origin == Origin::kExternal;
  switch (row.origin) {
    case OriginRule::kAny:
      break;
    case OriginRule::kExternalOnly:
      if (!imported) return RefuseOrigin(origin, key_arn);
      break;
    case OriginRule::kMadeHereOnly:
      if (imported) return RefuseOrigin(origin, key_arn);
      break;
    case OriginRule::kMadeHereIfEnabled:
      if (imported && state == KeyState::kEnabled) return RefuseOrigin(origin, key_arn);
      break;
  }
  return Refuse(operation, verdict, key_arn);
}

KeyState StateAfterCancellation(bool has_material) {
  return has_material ? KeyState::kDisabled : KeyState::kPendingImport;
}

}  // namespace hallmark
