#include "keystate/policy.h"

#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::RaisesWith;

struct PatternRow {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(PatternTest, StarIsAnyRunAndQuestionMarkAnyOne) {
  for (const PatternRow& row : std::initializer_list<PatternRow>{
           {"*", "", true},
           {"*", "kms:GenerateMac", true},
           {"kms:*", "kms:GenerateMac", true},
           {"kms:*", "iam:GenerateMac", false},
           {"kms:*Mac", "kms:VerifyMac", true},
           {"kms:*Mac", "kms:VerifyMacs", false},
           {"kms:G*e*c", "kms:GenerateMac", true},
           {"kms:?erifyMac", "kms:VerifyMac", true},
           {"kms:?erifyMac", "kms:erifyMac", false},
           {"a*b*c", "abbbc", true},
           {"a*b*c", "abbb", false},
           {"", "", true},
           {"", "x", false},
           {"**", "x", true},
       }) {
    EXPECT_EQ(Pattern(row.pattern, Pattern::Case::kSensitive).Matches(row.text), row.matches)
        << row.pattern << " on " << row.text;
  }
}

TEST(PatternTest, CaseCountsOnlyWhereItShall) {
  EXPECT_TRUE(Pattern("KMS:generatemac", Pattern::Case::kInsensitive).Matches("kms:GenerateMac"));
  EXPECT_FALSE(Pattern("KMS:generatemac", Pattern::Case::kSensitive).Matches("kms:GenerateMac"));
}

TEST(PatternTest, ManyStarsDoNotTakeExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  pattern += "b";
  const std::string text(10'000, 'a');
  // An exponential matcher would not come back before the test's time-out.
  EXPECT_FALSE(Pattern(pattern, Pattern::Case::kSensitive).Matches(text));
}

TEST(IdentityPolicyTest, ReadsStatementsInOrder) {
  const auto policy = IdentityPolicy::Parse(R"({"Version":"2012-10-17","Id":"x","Statement":[
      {"Sid":"Use","Effect":"Allow","Action":["kms:GenerateMac","kms:VerifyMac"],"Resource":"*"},
      {"Effect":"Deny","Action":"kms:*","Resource":["arn:aws:kms:*:*:key/1"]}]})");
  ASSERT_THAT(policy, IsOk());
  ASSERT_EQ(policy->statements().size(), 2U);
  EXPECT_EQ(policy->statements()[0].id, "Use");
  EXPECT_EQ(policy->statements()[1].id, "statement 2");
  EXPECT_EQ(policy->statements()[1].effect, Effect::kDeny);
}

TEST(IdentityPolicyTest, OneStatementNeedsNoList) {
  EXPECT_THAT(
      IdentityPolicy::Parse(
          R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})"),
      IsOk());
}

struct RefusedPolicy {
  const char* name;
  std::string document;
  const char* message;
};

class RefusedPolicyTest : public ::testing::TestWithParam<RefusedPolicy> {};

TEST_P(RefusedPolicyTest, IsRefusedWholeWithThePlace) {
  EXPECT_THAT(IdentityPolicy::Parse(GetParam().document),
              RaisesWith(Exception::kMalformedPolicyDocumentException, GetParam().message));
}

std::string WithStatement(const std::string& members) {
  return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}

INSTANTIATE_TEST_SUITE_P(
    Policies, RefusedPolicyTest,
    ::testing::ValuesIn<RefusedPolicy>({
        {"Empty", "", "policy: it is not valid JSON"},
        {"NotJson", "allow all", "policy: it is not valid JSON"},
        {"TrailingComma", R"({"Version":"2012-10-17",})", "policy: it is not valid JSON"},
        {"InvalidUtf8", "{\"Version\":\"\xff\"}", "policy: it is not valid JSON"},
        {"NotAnObject", "[]", "policy: expected a JSON object"},
        {"TooLarge", std::string(32769, ' '),
         "policy: it is 32769 bytes long, at most 32768 are allowed"},
        {"TooDeep", std::string(100, '[') + std::string(100, ']'),
         "policy: it is nested more than 16 levels deep"},
        {"TwiceTheSameMember", R"({"Version":"2012-10-17","Version":"2012-10-17","Statement":[]})",
         "policy: the member 'Version' occurs twice"},
        {"TwiceTheSameEffect",
         WithStatement(R"("Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*")"),
         "policy: the member 'Effect' occurs twice"},
        {"NoVersion", R"({"Statement":[]})", "policy: the element 'Version' is missing"},
        {"OtherVersion", R"({"Version":"2020-01-01","Statement":[]})",
         "Version: expected \"2012-10-17\""},
        {"VersionIsANumber", R"({"Version":2012,"Statement":[]})",
         "Version: expected \"2012-10-17\""},
        {"NoStatement", R"({"Version":"2012-10-17"})",
         "policy: the element 'Statement' is missing"},
        {"EmptyStatement", R"({"Version":"2012-10-17","Statement":[]})",
         "Statement: at least one statement is needed"},
        {"UnknownElement", R"({"Version":"2012-10-17","Statements":[]})",
         "policy: the element 'Statements' is not supported"},
        {"Condition",
         WithStatement(R"("Effect":"Allow","Action":"*","Resource":"*","Condition":{})"),
         "statement 1: the element 'Condition' is not supported"},
        {"NotAction", WithStatement(R"("Effect":"Allow","NotAction":"*","Resource":"*")"),
         "statement 1: the element 'NotAction' is not supported"},
        {"NoEffect", WithStatement(R"("Action":"*","Resource":"*")"),
         "statement 1: the element 'Effect' is missing"},
        {"OtherEffect", WithStatement(R"("Effect":"allow","Action":"*","Resource":"*")"),
         "statement 1, Effect: expected \"Allow\" or \"Deny\""},
        {"NoAction", WithStatement(R"("Effect":"Allow","Resource":"*")"),
         "statement 1: the element 'Action' is missing"},
        {"ActionIsANumber", WithStatement(R"("Effect":"Allow","Action":7,"Resource":"*")"),
         "statement 1, Action: expected a string or a list of strings, none of them empty"},
        {"EmptyActionList", WithStatement(R"("Effect":"Allow","Action":[],"Resource":"*")"),
         "statement 1, Action: expected a string or a list of strings, none of them empty"},
        {"PolicyVariable",
         WithStatement(
             R"("Effect":"Deny","Action":"*","Resource":"arn:aws:kms:*:*:${aws:username}")"),
         "statement 1, Resource: policy variables are not supported"},
        {"NoResource", WithStatement(R"("Effect":"Allow","Action":"*")"),
         "statement 1: the element 'Resource' is missing"},
    }),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace hallmark
