// Conditions: operators, set operators, variables, and every key of KMS's table.
#include "tests/keystate/policy/policy_world.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace hallmark {
namespace {

using testing::Compile;
using testing::Decide;
using testing::kAlice;
using testing::kBob;
using testing::kForeignSession;
using testing::kHome;
using testing::kKeyArn;
using testing::kRoot;
using testing::kSession;
using testing::TestCaller;
using testing::TestTag;
using testing::World;

class TestAliases : public ResourceAliases {
 public:
  explicit TestAliases(std::vector<std::string> names) : names_(std::move(names)) {}
  std::vector<std::string> Names() const override { return names_; }

 private:
  std::vector<std::string> names_;
};

// A request context in which every key has a value.
const std::vector<Operation> kGranted{Operation::kGenerateMac, Operation::kVerifyMac};
const std::vector<std::string> kSentTagKeys{"team", "cost"};
const std::vector<TestTag> kSentTags{{"team", "blue"}};
const std::vector<TestTag> kKeyTags{{"team", "red"}, {"Stage", "prod"}, {"stage", "test"}};
const TestAliases kFewAliases({"alias/app", "alias/app-2"});
const TestAliases kTooManyAliases(std::vector<std::string>(51, "alias/app"));

RequestContext Full() {
  RequestContext context;
  context.mac_algorithm = MacAlgorithm::kHmacSha256;
  context.request_alias = "alias/app";
  context.bypass_policy_lockout_safety_check = true;
  context.pending_window_days = 7;
  context.grant_operations = ValueList(kGranted);
  context.grantee_principal = "arn:aws:iam::111122223333:role/signer";
  context.retiring_principal = "arn:aws:iam::111122223333:user/carol";
  context.grant_constraint_type = "EncryptionContextSubset";
  context.grant_is_for_aws_resource = false;
  context.expiration_model = "KEY_MATERIAL_EXPIRES";
  context.valid_to = WallTime(std::chrono::seconds(1'795'348'800));  // 2026-11-22T12:00:00Z
  context.wrapping_algorithm = "RSAES_OAEP_SHA_256";
  context.wrapping_key_spec = "RSA_4096";
  context.request_tags = TagList(kSentTags);
  context.tag_keys = ValueList(kSentTagKeys);
  context.key_spec = KeySpec::kHmac256;
  context.key_usage = KeyUsage::kGenerateVerifyMac;
  context.key_origin = Origin::kExternal;
  context.multi_region = true;
  context.multi_region_key_type = "PRIMARY";
  context.resource_tags = TagList(kKeyTags);
  context.resource_aliases = &kFewAliases;
  context.via_service = "sns.us-west-2.amazonaws.com";
  context.source_arn = "arn:aws:sns:us-west-2:111122223333:topic";
  context.source_ip = "192.0.2.9";
  context.requested_region = "us-west-2";
  context.user_agent = "hallmark/1";
  context.current_time = WallTime(std::chrono::milliseconds(1'795'348'800'500));
  context.secure_transport = true;
  return context;
}

const std::string kKeyPolicy =
    R"({"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*"})";

// Whether an Allow of a policy of this kind, with this Condition element, matches.
bool Matches(const std::string& condition, World world, PolicyKind kind = PolicyKind::kIdentity) {
  const std::string allow =
      R"("Effect":"Allow","Action":"*","Resource":"*","Condition":)" + condition;
  if (kind == PolicyKind::kKey) {
    world.key = R"({"Principal":"*",)" + allow + "}";
  } else {
    world.identity = "{" + allow + "}";
    world.key = kKeyPolicy;
  }
  return Decide(world).starts_with("allowed");
}

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

using Op = Operation;
const std::vector<Op> kOnKey{Op::kGenerateMac, Op::kDescribeKey, Op::kPutKeyPolicy,
                             Op::kTagResource};
const std::vector<Op> kWithoutKey{Op::kListKeys, Op::kListAliases, Op::kGenerateRandom};

// Section 5.5, row by row.
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

// Operators, on a full request of CreateGrant by alice.
struct OperatorRow {
  const char* name;
  std::string condition;
  bool matches;
};

class OperatorTest : public ::testing::TestWithParam<OperatorRow> {};

TEST_P(OperatorTest, ComparesAsIamSays) {
  EXPECT_EQ(Matches(GetParam().condition, {.operation = Op::kCreateGrant, .context = Full()}),
            GetParam().matches)
      << GetParam().condition;
}

INSTANTIATE_TEST_SUITE_P(
    SingleValues, OperatorTest,
    ::testing::ValuesIn<OperatorRow>({
        {"StringEqualsTakesNoWildcard", R"({"StringEquals":{"kms:KeySpec":"HMAC_*"}})", false},
        {"StringEqualsKnowsCase", R"({"StringEquals":{"kms:KeySpec":"hmac_256"}})", false},
        {"StringEqualsIgnoreCase", R"({"StringEqualsIgnoreCase":{"kms:KeySpec":"hmac_256"}})",
         true},
        {"StringNotEqualsIgnoreCase", R"({"StringNotEqualsIgnoreCase":{"kms:KeySpec":"hmac_256"}})",
         false},
        {"SeveralValuesAreAlternatives", R"({"StringEquals":{"kms:KeySpec":["x","HMAC_256"]}})",
         true},
        {"NegatedMeansNoneOfThem", R"({"StringNotEquals":{"kms:KeySpec":["x","HMAC_256"]}})",
         false},
        {"NegatedOfOthers", R"({"StringNotEquals":{"kms:KeySpec":["x","y"]}})", true},
        {"SeveralKeysMustAllHold",
         R"({"StringEquals":{"kms:KeySpec":"HMAC_256","kms:KeyOrigin":"AWS_KMS"}})", false},
        {"SeveralOperatorsMustAllHold",
         R"({"StringEquals":{"kms:KeySpec":"HMAC_256"},"Bool":{"kms:MultiRegion":"false"}})",
         false},
        {"StringLike", R"({"StringLike":{"kms:KeySpec":"HMAC_?5*"}})", true},
        {"StringNotLike", R"({"StringNotLike":{"kms:KeySpec":"HMAC_*"}})", false},
        {"ABoolAsText", R"({"StringEquals":{"kms:MultiRegion":"true"}})", true},
        {"BoolKnowsNoCase", R"({"Bool":{"kms:MultiRegion":"TRUE"}})", true},
        {"BoolOfSomethingElse", R"({"Bool":{"kms:KeySpec":"true"}})", false},
        {"NumericLessThan", R"({"NumericLessThan":{"aws:EpochTime":"1795348800"}})", false},
        {"NumericLessThanEquals", R"({"NumericLessThanEquals":{"aws:EpochTime":1795348800}})",
         true},
        {"NumericGreaterThan", R"({"NumericGreaterThan":{"aws:EpochTime":1795348799.5}})", true},
        {"NumericNotEquals", R"({"NumericNotEquals":{"aws:EpochTime":"1"}})", true},
        {"ANumberOfText", R"({"NumericEquals":{"kms:KeySpec":"1"}})", false},
        {"TextIsNoNumberSoItIsNotEqual", R"({"NumericNotEquals":{"kms:KeySpec":"1"}})", true},
        {"DateLessThan", R"({"DateLessThan":{"aws:CurrentTime":"2026-11-22T13:00:00+01:00"}})",
         false},
        {"DateGreaterThan", R"({"DateGreaterThan":{"aws:CurrentTime":"2026-11-22"}})", true},
        {"DateNotEquals", R"({"DateNotEquals":{"aws:CurrentTime":"2026-11-22T12:00:00Z"}})", false},
        {"DateInSeconds", R"({"DateEquals":{"aws:CurrentTime":"1795348800"}})", true},
        {"NotIpAddress", R"({"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}})",
         false},
        {"BinaryEquals", R"({"BinaryEquals":{"kms:KeySpec":"SE1BQ18yNTY="}})", true},
        {"BinaryEqualsOther", R"({"BinaryEquals":{"kms:KeySpec":"SE1BQ18yNTc="}})", false},
        {"ArnLike", R"({"ArnLike":{"kms:GranteePrincipal":"arn:aws:iam::*:role/*"}})", true},
        {"ArnNotLike", R"({"ArnNotLike":{"kms:GranteePrincipal":"arn:aws:iam::*:role/*"}})", false},
        {"AnyArn", R"({"ArnLike":{"kms:GranteePrincipal":"*"}})", true},
        {"TextIsNoArn", R"({"ArnLike":{"kms:KeySpec":"*"}})", false},
        {"NullOfAPresentKey", R"({"Null":{"kms:KeySpec":"true"}})", false},
        {"NotNullOfAPresentKey", R"({"Null":{"kms:KeySpec":"false"}})", true},
        {"TheDifferingTagCaseOfTheKey", R"({"StringEquals":{"aws:ResourceTag/STAGE":"prod"}})",
         true},
        {"TheExactTagCaseOfTheKey", R"({"StringEquals":{"aws:ResourceTag/stage":"test"}})", true},
    }),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    AbsentKeys, OperatorTest,
    ::testing::ValuesIn<OperatorRow>({
        {"Affirmative", R"({"StringEquals":{"aws:SourceVpc":"x"}})", false},
        {"Negated", R"({"StringNotEquals":{"aws:SourceVpc":"x"}})", true},
        {"NegatedArn", R"({"ArnNotLike":{"aws:SourceVpcArn":"arn:aws:ec2:*:*:vpc/x"}})", true},
        {"IfExists", R"({"StringEqualsIfExists":{"aws:SourceVpc":"x"}})", true},
        {"IfExistsOfAPresentKey", R"({"StringEqualsIfExists":{"kms:KeySpec":"x"}})", false},
        {"BoolIfExists", R"({"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}})", true},
        {"Bool", R"({"Bool":{"aws:MultiFactorAuthPresent":"false"}})", false},
        {"Null", R"({"Null":{"aws:SourceVpc":"true"}})", true},
        {"NotNull", R"({"Null":{"aws:SourceVpc":"false"}})", false},
        {"ForAnyValue", R"({"ForAnyValue:StringEquals":{"aws:CalledVia":"x"}})", false},
        {"ForAnyValueNegated", R"({"ForAnyValue:StringNotEquals":{"aws:CalledVia":"x"}})", false},
        {"ForAnyValueIfExists", R"({"ForAnyValue:StringEqualsIfExists":{"aws:CalledVia":"x"}})",
         true},
        {"ForAllValues", R"({"ForAllValues:StringEquals":{"aws:CalledVia":"x"}})", true},
        {"EncryptionContextNeverMatches", R"({"StringEquals":{"kms:EncryptionContext:a":"b"}})",
         false},
    }),
    [](const auto& row) { return row.param.name; });

// The request has GenerateMac and VerifyMac.
INSTANTIATE_TEST_SUITE_P(
    SeveralValues, OperatorTest,
    ::testing::ValuesIn<OperatorRow>({
        {"AllOfThem",
         R"({"ForAllValues:StringEquals":{"kms:GrantOperations":["GenerateMac","VerifyMac","DescribeKey"]}})",
         true},
        {"NotAllOfThem", R"({"ForAllValues:StringEquals":{"kms:GrantOperations":"GenerateMac"}})",
         false},
        {"AnyOfThem", R"({"ForAnyValue:StringEquals":{"kms:GrantOperations":"VerifyMac"}})", true},
        {"NoneOfThem", R"({"ForAnyValue:StringEquals":{"kms:GrantOperations":"DescribeKey"}})",
         false},
        {"AllDiffer", R"({"ForAllValues:StringNotEquals":{"kms:GrantOperations":"DescribeKey"}})",
         true},
        {"NotAllDiffer", R"({"ForAllValues:StringNotEquals":{"kms:GrantOperations":"VerifyMac"}})",
         false},
        {"OneDiffers", R"({"ForAnyValue:StringNotEquals":{"kms:GrantOperations":"VerifyMac"}})",
         true},
        {"WithoutASetOperatorOneIsEnough",
         R"({"StringEquals":{"kms:GrantOperations":"VerifyMac"}})", true},
        {"WithoutASetOperatorNegatedMeansNone",
         R"({"StringNotEquals":{"kms:GrantOperations":"VerifyMac"}})", false},
    }),
    [](const auto& row) { return row.param.name; });

// Alice has the tags team=red and odd=a*b.
INSTANTIATE_TEST_SUITE_P(
    Variables, OperatorTest,
    ::testing::ValuesIn<OperatorRow>({
        {"OfATag", R"({"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}})", true},
        {"BetweenTexts", R"({"StringLike":{"aws:userid":"H*${aws:PrincipalType}"}})", false},
        {"InTheMiddle", R"({"StringLike":{"aws:PrincipalArn":"arn:*/${aws:username}"}})", true},
        {"InAnArn",
         R"({"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}})", true},
        {"AValueIsNoPattern", R"({"StringLike":{"kms:KeySpec":"${aws:PrincipalTag/odd}"}})", false},
        {"AStarThatIsAStar", R"({"StringLike":{"aws:PrincipalTag/odd":"a${*}b"}})", true},
        {"AStarThatIsOnlyAStar", R"({"StringLike":{"aws:PrincipalTag/team":"r${*}"}})", false},
        {"ADollar", R"({"StringEquals":{"aws:PrincipalTag/team":"${$}red"}})", false},
        {"ADefault",
         R"({"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/none, 'red'}"}})", true},
        {"ADefaultThatIsNotNeeded",
         R"({"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team, 'blue'}"}})", true},
        {"WithoutAValueTheStatementDoesNotMatch",
         R"({"StringNotEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/none}"}})", false},
        {"WhateverElseIsListed",
         R"({"StringEquals":{"aws:ResourceTag/team":["red","${aws:PrincipalTag/none}"]}})", false},
        {"OfNoKey", R"({"StringNotEquals":{"aws:ResourceTag/team":"${aws:Nonsense}"}})", false},
        {"OfAKeyWithSeveralValues",
         R"({"StringNotEquals":{"aws:ResourceTag/team":"${kms:GrantOperations}"}})", false},
        {"OfATime", R"({"StringEquals":{"aws:CurrentTime":"${aws:CurrentTime}"}})", true},
    }),
    [](const auto& row) { return row.param.name; });

TEST(ConditionTest, AVariableInAResource) {
  const auto decide = [](const std::string& resource) {
    return Decide(
        {.key = kKeyPolicy,
         .identity = R"({"Effect":"Allow","Action":"*","Resource":")" + resource + "\"}"});
  };
  EXPECT_EQ(decide("arn:aws:kms:*:${aws:PrincipalAccount}:key/*"),
            "allowed: identity policy statement 1");
  EXPECT_EQ(decide("arn:aws:kms:*:${aws:PrincipalTag/none}:key/*"), "no identity policy allows");
}

TEST(ConditionTest, ALongValueStillFits) {
  const std::string long_value(2000, 'x');
  TestCaller caller = kAlice;
  caller.tags = {{"long", long_value}};
  const std::vector<TestTag> tags{{"long", long_value}};
  World world{.who = &caller};
  world.context.resource_tags = TagList(tags);
  EXPECT_TRUE(
      Matches(R"({"StringEquals":{"aws:ResourceTag/long":"${aws:PrincipalTag/long}"}})", world));
}

TEST(ConditionTest, InTheOlderVersionAVariableIsText) {
  const std::vector<TestTag> tags{{"team", "${aws:PrincipalTag/team}"}};
  const auto policy = Policy::Parse(
      R"({"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
          "Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}}})",
      PolicyKind::kIdentity);
  ASSERT_TRUE(policy.has_value());
  const Caller caller{kAlice.arn, kHome, kAlice.unique_id, {}, {}, &*policy};
  RequestContext context;
  context.resource_tags = TagList(tags);
  EXPECT_TRUE(Authorize({caller, Op::kGenerateMac, kHome, kKeyArn, context}).allowed);
}

// Section 5.5, "if the key exceeds the 50-alias quota the condition denies".
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
