#include "keystate/policy/policy.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::Raises;
using testing::RaisesWith;

const Site kSite{"aws", "us-west-2"};

std::string WithStatement(const std::string& members) {
  return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}
// An Allow of everything, with a Condition element.
std::string WithCondition(const std::string& condition) {
  return WithStatement(R"("Effect":"Allow","Action":"*","Resource":"*","Condition":)" + condition);
}

TEST(PolicyTest, ReadsStatementsInOrder) {
  const auto policy = Policy::Parse(R"({"Version":"2012-10-17","Id":"x","Statement":[
      {"Sid":"Use","Effect":"Allow","Action":["kms:GenerateMac","kms:VerifyMac"],"Resource":"*"},
      {"Effect":"Deny","Action":"kms:*","Resource":["arn:aws:kms:*:*:key/1"]}]})",
                                    PolicyKind::kIdentity);
  ASSERT_THAT(policy, IsOk());
  ASSERT_EQ(policy->statements().size(), 2U);
  EXPECT_EQ(policy->statements()[0].id, "Use");
  EXPECT_EQ(policy->statements()[0].operations,
            (OperationSet{Operation::kGenerateMac, Operation::kVerifyMac}));
  EXPECT_EQ(policy->statements()[1].id, "statement 2");
  EXPECT_EQ(policy->statements()[1].effect, Effect::kDeny);
  EXPECT_EQ(policy->statements()[1].operations, OperationSet{Operation::kExplain}.Complement());
}

struct AcceptedPolicy {
  const char* name;
  PolicyKind kind;
  std::string document;
};

class AcceptedPolicyTest : public ::testing::TestWithParam<AcceptedPolicy> {};

TEST_P(AcceptedPolicyTest, Compiles) {
  EXPECT_THAT(Policy::Parse(GetParam().document, GetParam().kind), IsOk());
}

constexpr PolicyKind kIdentity = PolicyKind::kIdentity;
constexpr PolicyKind kKey = PolicyKind::kKey;

// What each element may be.
INSTANTIATE_TEST_SUITE_P(
    Policies, AcceptedPolicyTest,
    ::testing::ValuesIn<AcceptedPolicy>({
        {"OneStatementNeedsNoList", kIdentity,
         R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})"},
        {"TheOlderVersion", kIdentity,
         R"({"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})"},
        {"SpacesInASid", kKey,
         WithStatement(
             R"("Sid":"Enable IAM","Effect":"Allow","Principal":"*","Action":"*","Resource":"*")")},
        {"EmptySid", kIdentity,
         WithStatement(R"("Sid":"","Effect":"Allow","Action":"*","Resource":"*")")},
        {"KeyPolicyStatementWithoutAction", kKey,
         WithStatement(R"("Effect":"Allow","Principal":"*","Resource":"*")")},
        {"KeyPolicyStatementWithoutResource", kKey,
         WithStatement(R"("Effect":"Allow","Principal":"*","Action":"kms:*")")},
        {"ActionsThatDoNotExist", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":["kms:Fly","s3:*"],"Resource":"*")")},
        {"EveryActionOfEveryService", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"*:*","Resource":"*")")},
        {"NotActionNotResource", kIdentity,
         WithStatement(R"("Effect":"Allow","NotAction":"kms:*","NotResource":"*")")},
        {"PlainStarPrincipal", kKey,
         WithStatement(R"("Effect":"Allow","Principal":"*","Action":"*","Resource":"*")")},
        {"Accounts", kKey,
         WithStatement(
             R"("Effect":"Allow","Principal":{"AWS":["111122223333","arn:aws:iam::444455556666:root","*"]},"Action":"*","Resource":"*")")},
        {"AService", kKey,
         WithStatement(
             R"("Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"*","Resource":"*")")},
        {"TheSameSidTwiceInAKeyPolicy", kKey,
         R"({"Version":"2012-10-17","Statement":[
             {"Sid":"S","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
             {"Sid":"S","Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]})"},
        {"ValuesThatAreNumbersAndBools", kIdentity,
         WithCondition(
             R"({"NumericEquals":{"kms:ScheduleKeyDeletionPendingWindowInDays":[7,"8",9.5]},"Bool":{"kms:MultiRegion":[true,"False"]}})")},
        {"KeysOfAwsThatNoRequestHas", kIdentity,
         WithCondition(
             R"({"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"kms:EncryptionContext:a":"b","s3:prefix":"x"}})")},
        {"KeysKnowNoCase", kIdentity,
         WithCondition(R"({"StringEquals":{"KMS:macalgorithm":"HMAC_SHA_256"}})")},
        {"AVariableWithADefault", kIdentity,
         WithCondition(R"({"StringLike":{"aws:ResourceTag/t":"${aws:PrincipalTag/t, 'none'}*"}})")},
        {"AVariableOfNoKey", kIdentity,
         WithCondition(R"({"StringLike":{"aws:ResourceTag/t":"${aws:Nonsense}"}})")},
        {"InTheOlderVersionAVariableIsText", kIdentity,
         R"({"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:${"}})"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(PolicyTest, EveryOperatorOfTheFamilyExists) {
  struct Row {
    const char* value;
    std::vector<const char*> operators;
  };
  const Row rows[] = {
      {"x",
       {"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
        "StringLike", "StringNotLike"}},
      {"7",
       {"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
        "NumericGreaterThan", "NumericGreaterThanEquals"}},
      {"2026-11-22",
       {"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
        "DateGreaterThanEquals"}},
      {"true", {"Bool"}},
      {"eA==", {"BinaryEquals"}},
      {"10.0.0.0/8", {"IpAddress", "NotIpAddress"}},
      {"arn:aws:iam::*:role/x", {"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"}},
  };
  for (const Row& row : rows) {
    for (const std::string name : row.operators) {
      for (const std::string prefix : {"", "ForAnyValue:", "ForAllValues:"}) {
        for (const std::string suffix : {"", "IfExists"}) {
          EXPECT_THAT(
              Policy::Parse(WithCondition("{\"" + prefix + name + suffix +
                                          R"(":{"aws:PrincipalArn":")" + row.value + "\"}}"),
                            kIdentity),
              IsOk())
              << prefix << name << suffix;
        }
      }
    }
  }
  EXPECT_THAT(Policy::Parse(WithCondition(R"({"Null":{"aws:SourceIp":"true"}})"), kIdentity),
              IsOk());
}

struct RefusedPolicy {
  const char* name;
  PolicyKind kind;
  std::string document;
  const char* message;
};

class RefusedPolicyTest : public ::testing::TestWithParam<RefusedPolicy> {};

TEST_P(RefusedPolicyTest, IsRefusedWholeWithThePlace) {
  EXPECT_THAT(Policy::Parse(GetParam().document, GetParam().kind),
              RaisesWith(Exception::kMalformedPolicyDocumentException, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Documents, RefusedPolicyTest,
    ::testing::ValuesIn<RefusedPolicy>({
        {"Empty", kIdentity, "", "policy: it is not valid JSON at byte 1"},
        {"NotJson", kIdentity, "allow all", "policy: it is not valid JSON at byte 1"},
        {"TrailingComma", kIdentity, R"({"Version":"2012-10-17",})",
         "policy: it is not valid JSON at byte 25"},
        {"InvalidUtf8", kIdentity, "{\"Version\":\"\xff\"}",
         "policy: it is not valid JSON at byte 13"},
        {"NotAnObject", kIdentity, "[]", "policy: expected a JSON object"},
        {"TooLarge", kIdentity, std::string(32769, ' '),
         "policy: it is 32769 bytes long, at most 32768 are allowed"},
        {"TooDeep", kIdentity, std::string(100, '[') + std::string(100, ']'),
         "item 1, item 1, item 1, item 1, item 1, item 1, item 1, item 1, item 1, item 1, item 1, "
         "item 1, item 1, item 1, item 1: it is nested more than 16 levels deep"},
        {"TwiceTheSameMember", kIdentity,
         R"({"Version":"2012-10-17","Version":"2012-10-17","Statement":[]})",
         "policy: the member 'Version' occurs twice"},
        {"TwiceTheSameEffect", kIdentity,
         R"({"Version":"2012-10-17","Statement":[{},{"Effect":"Deny","Effect":"Allow"}]})",
         "statement 2: the member 'Effect' occurs twice"},
        {"TwiceTheSameOperator", kIdentity,
         WithCondition(
             R"({"Bool":{"aws:SecureTransport":"true"},"Bool":{"aws:ViaAWSService":"true"}})"),
         "statement 1, Condition: the member 'Bool' occurs twice"},
        {"TwiceTheSameKey", kIdentity,
         WithCondition(R"({"Bool":{"aws:SecureTransport":"true","AWS:securetransport":"false"}})"),
         "statement 1, Condition, Bool: the condition key 'AWS:securetransport' occurs twice"},
        {"AControlCharacter", kIdentity,
         WithStatement(R"("Sid":"a\u0000b","Effect":"Allow","Action":"*","Resource":"*")"),
         "statement 1: a string holds a control character"},
        {"AControlCharacterInAName", kIdentity, R"({"Ver\nsion":"2012-10-17"})",
         "policy: a name holds a control character"},
        {"AControlCharacterInAPrincipal", kKey,
         WithStatement(
             R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/a\r"},"Action":"*","Resource":"*")"),
         "statement 1, Principal: a string holds a control character"},
        {"NoVersion", kIdentity, R"({"Statement":[]})", "policy: the element 'Version' is missing"},
        {"OtherVersion", kIdentity, R"({"Version":"2020-01-01","Statement":[]})",
         "Version: expected \"2012-10-17\""},
        {"VersionIsANumber", kIdentity, R"({"Version":2012,"Statement":[]})",
         "Version: expected \"2012-10-17\""},
        {"NoStatement", kIdentity, R"({"Version":"2012-10-17"})",
         "policy: the element 'Statement' is missing"},
        {"EmptyStatement", kIdentity, R"({"Version":"2012-10-17","Statement":[]})",
         "Statement: at least one statement is needed"},
        {"UnknownElement", kIdentity, R"({"Version":"2012-10-17","Statements":[]})",
         "policy: the element 'Statements' does not exist"},
        {"UnknownElementOfAStatement", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"*","Resource":"*","Conditions":{})"),
         "statement 1: the element 'Conditions' does not exist"},
        {"NoEffect", kIdentity, WithStatement(R"("Action":"*","Resource":"*")"),
         "statement 1: the element 'Effect' is missing"},
        {"OtherEffect", kIdentity, WithStatement(R"("Effect":"allow","Action":"*","Resource":"*")"),
         "statement 1, Effect: expected \"Allow\" or \"Deny\""},
        {"NoAction", kIdentity, WithStatement(R"("Effect":"Allow","Resource":"*")"),
         "statement 1: the element 'Action' is missing"},
        {"NoResource", kIdentity, WithStatement(R"("Effect":"Allow","Action":"*")"),
         "statement 1: the element 'Resource' is missing"},
        {"ActionIsANumber", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":7,"Resource":"*")"),
         "statement 1, Action: expected a string or a list of strings, none of them empty"},
        {"EmptyActionList", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":[],"Resource":"*")"),
         "statement 1, Action: expected a string or a list of strings, none of them empty"},
        {"ActionWithoutService", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"GenerateMac","Resource":"*")"),
         "statement 1, Action: 'GenerateMac' is not \"<service>:<action>\" or \"*\""},
        {"ActionAndNotAction", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"*","NotAction":"*","Resource":"*")"),
         "statement 1: Action and NotAction exclude each other"},
        {"ResourceAndNotResource", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"*","Resource":"*","NotResource":"*")"),
         "statement 1: Resource and NotResource exclude each other"},
        {"ResourceIsNoArn", kIdentity,
         WithStatement(R"("Effect":"Allow","Action":"*","Resource":"alias/x")"),
         "statement 1, Resource: 'alias/x' is neither an ARN nor \"*\""},
        {"TheSameSidTwice", kIdentity,
         R"({"Version":"2012-10-17","Statement":[
             {"Sid":"S","Effect":"Allow","Action":"*","Resource":"*"},
             {"Sid":"S","Effect":"Deny","Action":"*","Resource":"*"}]})",
         "statement 2, Sid: 'S' names another statement already"},
        {"AnOpenVariable", kIdentity,
         WithStatement(R"("Effect":"Deny","Action":"*","Resource":"arn:${aws:username")"),
         "statement 1, Resource: a variable is not closed"},
        {"AVariableWithoutAName", kIdentity,
         WithStatement(R"("Effect":"Deny","Action":"*","Resource":"arn:${}")"),
         "statement 1, Resource: a variable must be ${key} or ${key, 'default'}"},
        {"ALongNameIsCut", kIdentity, "{\"" + std::string(9000, 'x') + "\":1}",
         "policy: the element "
         "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' "
         "does not exist"},
    }),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Conditions, RefusedPolicyTest,
    ::testing::ValuesIn<RefusedPolicy>({
        {"NotAnObject", kIdentity, WithCondition("[]"),
         "statement 1, Condition: expected an object"},
        {"UnknownOperator", kIdentity, WithCondition(R"({"StringEqual":{"aws:SourceIp":"x"}})"),
         "statement 1, Condition: the operator 'StringEqual' does not exist"},
        {"OperatorsKnowCase", kIdentity, WithCondition(R"({"stringEquals":{"aws:SourceIp":"x"}})"),
         "statement 1, Condition: the operator 'stringEquals' does not exist"},
        {"UnknownSetOperator", kIdentity,
         WithCondition(R"({"ForSomeValues:StringEquals":{"aws:SourceIp":"x"}})"),
         "statement 1, Condition: the operator 'ForSomeValues:StringEquals' does not exist"},
        {"NullIfExists", kIdentity, WithCondition(R"({"NullIfExists":{"aws:SourceIp":"true"}})"),
         "statement 1, Condition: Null takes neither IfExists nor a set operator"},
        {"NoKeys", kIdentity, WithCondition(R"({"StringEquals":{}})"),
         "statement 1, Condition, StringEquals: expected an object of condition keys"},
        {"AMisspelledKeyOfKms", kIdentity,
         WithCondition(R"({"StringEquals":{"kms:MacAlgoritm":"x"}})"),
         "statement 1, Condition, StringEquals: the condition key 'kms:MacAlgoritm' does not "
         "exist"},
        {"AMisspelledKeyOfAws", kIdentity,
         WithCondition(R"({"StringEquals":{"aws:SourceIP4":"x"}})"),
         "statement 1, Condition, StringEquals: the condition key 'aws:SourceIP4' does not exist"},
        {"ATagKeyIsNeeded", kIdentity,
         WithCondition(R"({"StringEquals":{"aws:PrincipalTag/":"x"}})"),
         "statement 1, Condition, StringEquals: the condition key 'aws:PrincipalTag/' does not "
         "exist"},
        {"AKeyWithoutService", kIdentity, WithCondition(R"({"StringEquals":{"team":"x"}})"),
         "statement 1, Condition, StringEquals: the condition key 'team' does not exist"},
        {"NoValues", kIdentity, WithCondition(R"({"StringEquals":{"aws:SourceIp":[]}})"),
         "statement 1, Condition, StringEquals: 'aws:SourceIp' has no value"},
        {"ANullValue", kIdentity, WithCondition(R"({"StringEquals":{"aws:SourceIp":null}})"),
         "statement 1, Condition, StringEquals: expected a string, a number or a bool, or a list "
         "of "
         "them"},
        {"NotANumber", kIdentity, WithCondition(R"({"NumericEquals":{"aws:EpochTime":"ten"}})"),
         "statement 1, Condition, NumericEquals: 'ten' is not a number"},
        {"InfinityIsNotANumber", kIdentity,
         WithCondition(R"({"NumericLessThan":{"aws:EpochTime":"inf"}})"),
         "statement 1, Condition, NumericLessThan: 'inf' is not a number"},
        {"NotADate", kIdentity, WithCondition(R"({"DateLessThan":{"aws:CurrentTime":"soon"}})"),
         "statement 1, Condition, DateLessThan: 'soon' is not a date"},
        {"NotABool", kIdentity, WithCondition(R"({"Bool":{"aws:SecureTransport":"yes"}})"),
         "statement 1, Condition, Bool: 'yes' is not \"true\" or \"false\""},
        {"NotAnAddress", kIdentity,
         WithCondition(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}})"),
         "statement 1, Condition, IpAddress: '10.0.0.0/33' is not an IP address or range"},
        {"NotAnArn", kIdentity, WithCondition(R"({"ArnLike":{"aws:PrincipalArn":"user/x"}})"),
         "statement 1, Condition, ArnLike: 'user/x' is not an ARN"},
        {"NotBase64", kIdentity, WithCondition(R"({"BinaryEquals":{"aws:userid":"x"}})"),
         "statement 1, Condition, BinaryEquals: 'x' is not base64"},
        {"ADateTakesNoVariable", kIdentity,
         WithCondition(R"({"DateLessThan":{"aws:CurrentTime":"${aws:PrincipalTag/until}"}})"),
         "statement 1, Condition, DateLessThan: '${aws:PrincipalTag/until}' is not a date"},
    }),
    [](const auto& row) { return row.param.name; });

constexpr const char* kInvalidPrincipals =
    "Policy contains a statement with one or more invalid principals.";

std::string WithPrincipal(const std::string& element) {
  return WithStatement(R"("Effect":"Allow","Action":"*","Resource":"*",)" + element);
}

INSTANTIATE_TEST_SUITE_P(
    Principals, RefusedPolicyTest,
    ::testing::ValuesIn<RefusedPolicy>({
        {"InAPolicyOfAPrincipal", kIdentity, WithPrincipal(R"("Principal":"*")"),
         "statement 1: a policy of a principal has no Principal"},
        {"MissingInAKeyPolicy", kKey, WithPrincipal(R"("Sid":"x")"),
         "statement 1: the element 'Principal' is missing"},
        {"BothForms", kKey, WithPrincipal(R"("Principal":"*","NotPrincipal":"*")"),
         "statement 1: Principal and NotPrincipal exclude each other"},
        {"APlainText", kKey, WithPrincipal(R"("Principal":"111122223333")"),
         "statement 1, Principal: expected \"*\" or an object"},
        {"AnUnknownKind", kKey, WithPrincipal(R"("Principal":{"CanonicalUser":"x"})"),
         "statement 1, Principal: the kind of principal 'CanonicalUser' does not exist"},
        {"AnEmptyList", kKey, WithPrincipal(R"("Principal":{"AWS":[]})"),
         "statement 1, Principal, AWS: expected a string or a list of strings, none of them empty"},
        {"WithoutABinding", kKey,
         WithPrincipal(R"("Principal":{"AWS":"arn:aws:iam::111122223333:user/u"})"),
         kInvalidPrincipals},
    }),
    [](const auto& row) { return row.param.name; });

TEST(PolicyTest, TheSizeOfAKeyPolicyIsAQuota) {
  EXPECT_THAT(Policy::Parse(std::string(32769, ' '), kKey),
              Raises(Exception::kLimitExceededException));
  EXPECT_THAT(Policy::Parse(std::string(32768, ' '), kKey),
              Raises(Exception::kMalformedPolicyDocumentException));
}

// Binding principals.
std::optional<std::string> Resolve(std::string_view principal) {
  if (principal == "arn:aws:iam::111122223333:user/u" || principal == "HMIDUSER") return "HMIDUSER";
  if (principal == "arn:aws:iam::111122223333:role/r") return "HMIDROLE";
  return std::nullopt;
}

TEST(BindPrincipalsTest, BindsEachPrincipalOnceInItsOrder) {
  const auto bindings = BindPrincipals(
      R"({"Version":"2012-10-17","Statement":[
          {"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/u","111122223333","*"]},
           "Action":"*","Resource":"*"},
          {"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:role/r","HMIDUSER",
           "arn:aws:iam::111122223333:user/u"],"Service":"x.amazonaws.com"},"Action":"*","Resource":"*"}]})",
      kSite, Resolve);
  ASSERT_THAT(bindings, IsOk());
  EXPECT_EQ(*bindings, (PolicyBindings{{"arn:aws:iam::111122223333:user/u", "HMIDUSER"},
                                       {"arn:aws:iam::111122223333:role/r", "HMIDROLE"},
                                       {"HMIDUSER", "HMIDUSER"}}));
}

TEST(BindPrincipalsTest, RefusesWhoDoesNotExist) {
  for (const char* principal :
       {"arn:aws:iam::111122223333:user/nobody", "arn:aws:iam::111122223333:group/g",
        "arn:aws:iam::111122223333:user/*", "arn:aws-cn:iam::111122223333:root",
        "arn:aws-cn:iam::111122223333:user/u", "arn:aws:iam::11112222333:root", "1111222233334",
        "arn:aws:x:iam::111122223333:root", "HMIDGONE", "arn:aws:iam::111122223333:root/x"}) {
    EXPECT_THAT(
        BindPrincipals(WithPrincipal(R"("Principal":{"AWS":")" + std::string(principal) + "\"}"),
                       kSite, Resolve),
        RaisesWith(Exception::kMalformedPolicyDocumentException, kInvalidPrincipals))
        << principal;
  }
}

TEST(BindPrincipalsTest, RefusesADocumentThatIsNotUnderstood) {
  EXPECT_THAT(BindPrincipals(WithPrincipal(R"("Principal":"*","Conditions":{})"), kSite, Resolve),
              RaisesWith(Exception::kMalformedPolicyDocumentException,
                         "statement 1: the element 'Conditions' does not exist"));
}

}  // namespace
}  // namespace hallmark
