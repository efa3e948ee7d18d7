// The operators of conditions, absent keys, set operators and variables.
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
using testing::kHome;
using testing::kKeyArn;
using testing::kKeyPolicy;
using testing::Matches;
using testing::TestCaller;
using testing::TestTag;
using testing::World;

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
        {"EvenWhereTheKeyIsAbsent",
         R"({"StringNotEquals":{"aws:SourceVpc":"${aws:PrincipalTag/none}"}})", false},
        {"EvenIfItNeedNotExist",
         R"({"StringEqualsIfExists":{"aws:SourceVpc":"${aws:PrincipalTag/none}"}})", false},
        {"EvenForAllOfNone",
         R"({"ForAllValues:StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/none}"}})", false},
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

}  // namespace
}  // namespace hallmark
