#include "keystate/key_state.h"

#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::RaisesWith;

constexpr std::string_view kArn =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

// The published table, typed from the developer guide and the recordings that correct it: one line
// per operation, one letter per cell. Numbers are those of the guide's footnotes.
//   .  allowed          1  DisabledException "is disabled."
//   3  "is pending deletion."    4  "is not pending deletion."    5  "is pending import."
//   6  origin EXTERNAL refused   9  origin AWS_KMS refused        u  unsupported, no text
//   k  "key usage is ... not valid for ..."
//   -  cannot occur: a key that the token made is never pending import
struct Published {
  Operation operation;
  const char* made_here;  // Enabled, Disabled, PendingDeletion
  const char* imported;   // Enabled, Disabled, PendingDeletion, PendingImport
};

const Published kPublished[] = {
    {Operation::kGenerateMac, ".13", ".135"},
    {Operation::kVerifyMac, ".13", ".135"},
    {Operation::kDescribeKey, "...", "...."},
    {Operation::kEnableKey, "..3", "..35"},
    {Operation::kDisableKey, "..3", "..35"},
    {Operation::kScheduleKeyDeletion, "..3", "..3."},
    {Operation::kCancelKeyDeletion, "44.", "44.4"},
    {Operation::kUpdateKeyDescription, "..3", "..3."},
    {Operation::kCreateAlias, "..3", "..3."},
    {Operation::kUpdateAlias, "..3", "..3."},
    {Operation::kDeleteAlias, "...", "...."},
    {Operation::kListAliases, "...", "...."},
    {Operation::kCreateGrant, ".13", ".135"},
    {Operation::kListGrants, "...", "...."},
    {Operation::kRetireGrant, "...", "...."},
    {Operation::kRevokeGrant, "...", "...."},
    {Operation::kPutKeyPolicy, "...", "...."},
    {Operation::kGetKeyPolicy, "...", "...."},
    {Operation::kListKeyPolicies, "...", "...."},
    {Operation::kTagResource, "..3", "..3."},
    {Operation::kUntagResource, "..3", "..3."},
    {Operation::kListResourceTags, "...", "...."},
    {Operation::kGetParametersForImport, "999", "..3."},
    {Operation::kImportKeyMaterial, "999", "..3."},
    {Operation::kDeleteImportedKeyMaterial, "999", "...."},
    {Operation::kGetKeyLastUsage, "...", "...."},
    {Operation::kGetKeyRotationStatus, "...", "...."},
    {Operation::kListKeyRotations, "...", "...."},
    {Operation::kDisableKeyRotation, ".13", "6666"},
    {Operation::kEnableKeyRotation, "u13", "6666"},
    {Operation::kRotateKeyOnDemand, "u13", "6135"},
    {Operation::kReplicateKey, ".13", ".135"},
    {Operation::kUpdatePrimaryRegion, ".13", ".135"},
    {Operation::kDecapsulate, "k13", "k135"},
    {Operation::kDecrypt, "k13", "k135"},
    {Operation::kDeriveSharedSecret, "k13", "k135"},
    {Operation::kEncapsulate, "k13", "k135"},
    {Operation::kEncrypt, "k13", "k135"},
    {Operation::kGenerateDataKey, "k13", "k135"},
    {Operation::kGenerateDataKeyPair, "k13", "k135"},
    {Operation::kGenerateDataKeyPairWithoutPlaintext, "k13", "k135"},
    {Operation::kGenerateDataKeyWithoutPlaintext, "k13", "k135"},
    {Operation::kReEncrypt, "k13", "k135"},
    {Operation::kSign, "k13", "k135"},
    {Operation::kVerify, "k13", "k135"},
    {Operation::kGetPublicKey, "u13", "u135"},
};

// Operations that are not bound to a key have no row.
constexpr Operation kWithoutKey[] = {Operation::kCreateKey, Operation::kExplain,
                                     Operation::kGenerateRandom, Operation::kListKeys,
                                     Operation::kListRetirableGrants};

constexpr KeyState kStates[] = {KeyState::kEnabled, KeyState::kDisabled, KeyState::kPendingDeletion,
                                KeyState::kPendingImport};

void ExpectCell(const Published& row, KeyState state, Origin origin, char cell) {
  SCOPED_TRACE(std::string(Name(row.operation)) + " on " + std::string(Name(state)) + ", origin " +
               std::string(Name(origin)));
  const std::string arn(kArn);
  const Status status = CheckState(row.operation, state, origin, kArn);
  switch (cell) {
    case '.':
      EXPECT_THAT(status, IsOk());
      break;
    case '1':
      EXPECT_THAT(status, RaisesWith(Exception::kDisabledException, arn + " is disabled."));
      break;
    case '3':
      EXPECT_THAT(status,
                  RaisesWith(Exception::kKMSInvalidStateException, arn + " is pending deletion."));
      break;
    case '4':
      EXPECT_THAT(status, RaisesWith(Exception::kKMSInvalidStateException,
                                     arn + " is not pending deletion."));
      break;
    case '5':
      EXPECT_THAT(status,
                  RaisesWith(Exception::kKMSInvalidStateException, arn + " is pending import."));
      break;
    case '6':
      EXPECT_THAT(status,
                  RaisesWith(Exception::kUnsupportedOperationException,
                             arn + " origin is EXTERNAL which is not valid for this operation."));
      break;
    case '9':
      EXPECT_THAT(status,
                  RaisesWith(Exception::kUnsupportedOperationException,
                             arn + " origin is AWS_KMS which is not valid for this operation."));
      break;
    case 'k':
      EXPECT_THAT(status,
                  RaisesWith(Exception::kInvalidKeyUsageException,
                             arn + " key usage is GENERATE_VERIFY_MAC which is not valid for " +
                                 std::string(Name(row.operation)) + "."));
      break;
    case 'u':
      EXPECT_THAT(status, RaisesWith(Exception::kUnsupportedOperationException, ""));
      break;
    default:
      FAIL() << "no such cell: " << cell;
  }
}

TEST(KeyStateTest, EveryCellOfThePublishedTable) {
  for (const Published& row : kPublished) {
    for (int i = 0; i < 3; ++i) ExpectCell(row, kStates[i], Origin::kAwsKms, row.made_here[i]);
    for (int i = 0; i < 4; ++i) ExpectCell(row, kStates[i], Origin::kExternal, row.imported[i]);
  }
}

TEST(KeyStateTest, ThePublishedTableNamesEveryOperationOnce) {
  std::map<Operation, int> seen;
  for (const Published& row : kPublished) ++seen[row.operation];
  for (const Operation operation : kWithoutKey) ++seen[operation];
#define HALLMARK_OPERATION(name) EXPECT_EQ(seen[Operation::k##name], 1) << #name;
#include "keystate/operations.def"
#undef HALLMARK_OPERATION
}

TEST(KeyStateTest, AnAliasMayLeaveAKeyInAnyState) {
  for (const KeyState state : kStates) {
    EXPECT_THAT(CheckState(Operation::kUpdateAlias, state, Origin::kExternal, kArn,
                           KeyRole::kPreviousTarget),
                IsOk());
  }
}

TEST(KeyStateTest, AnOperationWithoutAKeyHasNoRow) {
  for (const Operation operation : kWithoutKey) {
    EXPECT_DEATH(
        static_cast<void>(CheckState(operation, KeyState::kEnabled, Origin::kAwsKms, kArn)), "");
  }
}

}  // namespace
}  // namespace hallmark
