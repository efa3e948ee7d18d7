// Every condition key of KMS's table, and what is known of every caller.
#include "tests/keystate/policy/full_context.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hallmark {
namespace {

using Op = Operation;
using testing::Decide;
using testing::Full;
using testing::kAlice;
using testing::kBob;
using testing::kFewAliases;
using testing::kKeyPolicy;
using testing::kRoot;
using testing::kSession;
using testing::kTooManyAliases;
using testing::Matches;
using testing::TestCaller;
using testing::World;

// One value of a condition key in a full request.
struct KeyRow {
  const char* name;
  std::string condition;
  std::vector<Operation> operations;        // in which it matches
  std::vector<Operation> other_operations;  // in which the key is absent
  bool iam_only = false;
};

class ConditionKeyTest : public ::testing::TestWithParam<KeyRow> {};

TEST_P(ConditionKeyTest, IsThereWhereTheTableSays) {
  const KeyRow& row = GetParam();
  for (const Operation operation : row.operations) {
    const World world{.operation = operation, .context = Full()};
    EXPECT_TRUE(Matches(row.condition, world)) << Name(operation) << " " << row.condition;
    if (!ConsultsKeyPolicy(operation)) continue;
    EXPECT_EQ(Matches(row.condition, world, PolicyKind::kKey), !row.iam_only)
        << "key policy, " << Name(operation) << " " << row.condition;
  }
  for (const Operation operation : row.other_operations) {
    EXPECT_FALSE(Matches(row.condition, {.operation = operation, .context = Full()}))
        << Name(operation) << " " << row.condition;
  }
  // A request that says nothing about itself has no such value.
  EXPECT_FALSE(Matches(
      row.condition,
      {.who = &kBob, .operation = row.operations.front(), .resource_account = testing::kAbroad}))
      << row.condition;
}

const std::vector<Op> kOnKey{Op::kGenerateMac, Op::kDescribeKey, Op::kPutKeyPolicy,
                             Op::kTagResource};
const std::vector<Op> kWithoutKey{Op::kListKeys, Op::kListAliases, Op::kGenerateRandom};

// KMS's condition keys, one by one.
INSTANTIATE_TEST_SUITE_P(
    Table, ConditionKeyTest,
    ::testing::ValuesIn<KeyRow>({
        {"MacAlgorithm",
         R"({"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_256"}})",
         {Op::kGenerateMac, Op::kVerifyMac},
         {Op::kDescribeKey, Op::kCreateGrant}},
        {"RequestAlias",
         R"({"StringLike":{"kms:RequestAlias":"alias/a*"}})",
         {Op::kGenerateMac, Op::kVerifyMac, Op::kDescribeKey},
         {Op::kPutKeyPolicy, Op::kListKeys}},
        {"ResourceAliases", R"({"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/app-2"}})",
         kOnKey, kWithoutKey, true},
        {"KeySpec",
         R"({"StringEquals":{"kms:KeySpec":"HMAC_256"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"KeyUsage",
         R"({"StringEquals":{"kms:KeyUsage":"GENERATE_VERIFY_MAC"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"KeyOrigin",
         R"({"StringEquals":{"kms:KeyOrigin":"EXTERNAL"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"DeprecatedTwinOfKeySpec",
         R"({"StringEquals":{"kms:CustomerMasterKeySpec":"HMAC_256"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"DeprecatedTwinOfKeyUsage",
         R"({"StringEquals":{"kms:CustomerMasterKeyUsage":"GENERATE_VERIFY_MAC"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"MultiRegion",
         R"({"Bool":{"kms:MultiRegion":"true"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"MultiRegionKeyType",
         R"({"StringEquals":{"kms:MultiRegionKeyType":"PRIMARY"}})",
         {Op::kCreateKey, Op::kGenerateMac},
         kWithoutKey},
        {"BypassPolicyLockoutSafetyCheck",
         R"({"Bool":{"kms:BypassPolicyLockoutSafetyCheck":true}})",
         {Op::kCreateKey, Op::kPutKeyPolicy},
         {Op::kGenerateMac}},
        {"GrantOperations",
         R"({"ForAllValues:StringEquals":{"kms:GrantOperations":["GenerateMac","VerifyMac"]},"Null":{"kms:GrantOperations":"false"}})",
         {Op::kCreateGrant},
         {Op::kListGrants, Op::kGenerateMac}},
        {"GranteePrincipal",
         R"({"ArnLike":{"kms:GranteePrincipal":"arn:aws:iam::*:role/sign*"}})",
         {Op::kCreateGrant},
         {Op::kRetireGrant}},
        {"RetiringPrincipal",
         R"({"StringEquals":{"kms:RetiringPrincipal":"arn:aws:iam::111122223333:user/carol"}})",
         {Op::kCreateGrant},
         {Op::kListRetirableGrants}},
        {"GrantConstraintType",
         R"({"StringEquals":{"kms:GrantConstraintType":"EncryptionContextSubset"}})",
         {Op::kCreateGrant},
         {Op::kListGrants}},
        {"GrantIsForAWSResource",
         R"({"Bool":{"kms:GrantIsForAWSResource":"false"}})",
         {Op::kCreateGrant, Op::kListGrants, Op::kRevokeGrant},
         {Op::kRetireGrant}},
        {"ExpirationModel",
         R"({"StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_EXPIRES"}})",
         {Op::kImportKeyMaterial},
         {Op::kGetParametersForImport}},
        {"ValidTo",
         R"({"DateLessThanEquals":{"kms:ValidTo":"2026-11-22T12:00:00Z"}})",
         {Op::kImportKeyMaterial},
         {Op::kGenerateMac}},
        {"WrappingAlgorithm",
         R"({"StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256"}})",
         {Op::kGetParametersForImport},
         {Op::kImportKeyMaterial}},
        {"WrappingKeySpec",
         R"({"StringEquals":{"kms:WrappingKeySpec":"RSA_4096"}})",
         {Op::kGetParametersForImport},
         {Op::kImportKeyMaterial}},
        {"ScheduleKeyDeletionPendingWindowInDays",
         R"({"NumericGreaterThanEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":"7"}})",
         {Op::kScheduleKeyDeletion},
         {Op::kCancelKeyDeletion}},
        {"ViaService", R"({"StringLike":{"kms:ViaService":"sns.*"}})", kOnKey, kWithoutKey},
        {"ResourceTag",
         R"({"StringEquals":{"aws:ResourceTag/team":"red"}})",
         kOnKey,
         {Op::kCreateKey, Op::kListKeys},
         true},
        {"RequestTag",
         R"({"StringEquals":{"aws:RequestTag/team":"blue"}})",
         {Op::kCreateKey, Op::kTagResource, Op::kUntagResource},
         {Op::kGenerateMac}},
        {"TagKeys",
         R"({"ForAnyValue:StringEquals":{"aws:TagKeys":"cost"}})",
         {Op::kCreateKey, Op::kTagResource, Op::kUntagResource},
         {Op::kGenerateMac}},
        {"SourceIp",
         R"({"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}})",
         {Op::kGenerateMac, Op::kListKeys},
         {}},
        {"SourceArn",
         R"({"ArnEquals":{"aws:SourceArn":"arn:aws:sns:*:*:topic"}})",
         {Op::kGenerateMac},
         {}},
        {"CurrentTime",
         R"({"DateEquals":{"aws:CurrentTime":"2026-11-22T12:00:00Z"}})",
         {Op::kGenerateMac, Op::kListKeys},
         {}},
        {"EpochTime", R"({"NumericEquals":{"aws:EpochTime":1795348800}})", {Op::kGenerateMac}, {}},
        {"SecureTransport",
         R"({"Bool":{"aws:SecureTransport":"true"}})",
         {Op::kGenerateMac, Op::kListKeys},
         {}},
        {"RequestedRegion",
         R"({"StringEquals":{"aws:RequestedRegion":"us-west-2"}})",
         {Op::kCreateKey},
         {}},
        {"UserAgent", R"({"StringLike":{"aws:UserAgent":"hallmark/*"}})", {Op::kGenerateMac}, {}},
    }),
    [](const auto& row) { return row.param.name; });

// What is known of the caller in every request.
struct CallerRow {
  const char* name;
  const TestCaller* who;
  std::string condition;
  bool matches;
};

class CallerKeyTest : public ::testing::TestWithParam<CallerRow> {};

TEST_P(CallerKeyTest, SaysWhoCalls) {
  EXPECT_EQ(Matches(GetParam().condition,
                    {.who = GetParam().who, .resource_account = GetParam().who->account}),
            GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Caller, CallerKeyTest,
    ::testing::ValuesIn<CallerRow>({
        {"ArnOfAUser", &kAlice,
         R"({"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/staff/*"}})", true},
        {"ArnOfASessionIsItsRoles", &kSession,
         R"({"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/signer"}})", true},
        {"ArnOfASessionIsNotItsOwn", &kSession,
         R"({"ArnLike":{"aws:PrincipalArn":"arn:aws:sts::*:*"}})", false},
        {"Account", &kAlice, R"({"StringEquals":{"aws:PrincipalAccount":"111122223333"}})", true},
        {"AccountAsANumber", &kAlice, R"({"StringEquals":{"aws:PrincipalAccount":111122223333}})",
         true},
        {"CallerAccount", &kAlice, R"({"StringEquals":{"kms:CallerAccount":"111122223333"}})",
         true},
        {"AnotherAccount", &kAlice, R"({"StringEquals":{"kms:CallerAccount":"444455556666"}})",
         false},
        {"Tag", &kAlice, R"({"StringEquals":{"aws:PrincipalTag/team":"red"}})", true},
        {"TagKeysKnowNoCase", &kAlice, R"({"StringEquals":{"aws:principaltag/TEAM":"red"}})", true},
        {"NoTag", &kSession, R"({"StringLike":{"aws:PrincipalTag/team":"*"}})", false},
        {"TypeOfAUser", &kAlice, R"({"StringEquals":{"aws:PrincipalType":"User"}})", true},
        {"TypeOfASession", &kSession, R"({"StringEquals":{"aws:PrincipalType":"AssumedRole"}})",
         true},
        {"TypeOfTheRoot", &kRoot, R"({"StringEquals":{"aws:PrincipalType":"Account"}})", true},
        {"UserId", &kAlice, R"({"StringEquals":{"aws:userid":"HMIDALICE"}})", true},
        {"UserIdOfASession", &kSession, R"({"StringLike":{"aws:userid":"HMIDSIGNER:*"}})", true},
        {"UserIdOfTheRoot", &kRoot, R"({"StringEquals":{"aws:userid":"111122223333"}})", true},
        {"UserName", &kAlice, R"({"StringEquals":{"aws:username":"alice"}})", true},
        {"ASessionHasNoUserName", &kSession, R"({"Null":{"aws:username":"true"}})", true},
        {"ResourceAccount", &kAlice, R"({"StringEquals":{"aws:ResourceAccount":"111122223333"}})",
         true},
        {"NoAwsService", &kAlice,
         R"({"Bool":{"aws:PrincipalIsAWSService":"false","aws:ViaAWSService":"false"}})", true},
    }),
    [](const auto& row) { return row.param.name; });

// A key with more aliases than the quota: the condition denies.
TEST(ConditionTest, AConditionOnTooManyAliasesDenies) {
  RequestContext context;
  context.resource_aliases = &kTooManyAliases;
  const std::string condition =
      R"("Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/app"}})";
  EXPECT_EQ(Decide({.key = kKeyPolicy,
                    .identity = R"({"Effect":"Allow",)" + condition + "}",
                    .context = context}),
            "no identity policy allows");
  EXPECT_EQ(
      Decide({.key = kKeyPolicy,
              .identity = R"({"Sid":"D","Effect":"Deny","Action":"*","Resource":"*","Condition":)"
                          R"({"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/other"}}})",
              .context = context}),
      "explicit deny: identity policy D");
  context.resource_aliases = &kFewAliases;
  EXPECT_EQ(Decide({.key = kKeyPolicy,
                    .identity = R"({"Effect":"Allow",)" + condition + "}",
                    .context = context}),
            "allowed: identity policy statement 1");
}

}  // namespace
}  // namespace hallmark
