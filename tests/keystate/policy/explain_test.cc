#include "keystate/policy/explain.h"

#include "tests/keystate/policy/policy_world.h"
#include "tests/keystate/policy/statements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hallmark {
namespace {

using testing::Allow;
using testing::kAliceArn;
using testing::KAllow;
using testing::kBob;
using testing::kDelegates;
using testing::KDeny;
using testing::kSession;
using testing::World;

Explanation ExplainWorld(const World& world) {
  return world.With([](const AccessRequest& request) { return Explain(request); });
}

const char* const kKeyPolicy =
    R"({"Sid":"K1","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
       {"Sid":"K2","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/carol"},"Action":"*","Resource":"*"},
       {"Sid":"K3","Effect":"Allow","Principal":"*","Action":"kms:*"})";
const char* const kIdentityPolicy =
    R"({"Sid":"I1","Effect":"Allow","Action":"kms:VerifyMac","Resource":"*"},
       {"Sid":"I2","Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:key/other"},
       {"Sid":"I3","Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"},
       {"Sid":"I4","Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{
         "StringEquals":{"kms:MacAlgorithm":["HMAC_SHA_384","HMAC_SHA_512"]},
         "Bool":{"aws:SecureTransport":"true"}}})";

TEST(ExplainTest, SaysOfEveryStatementWhatKeepsItFromMatching) {
  World world{.key = kKeyPolicy, .identity = kIdentityPolicy};
  world.context.mac_algorithm = MacAlgorithm::kHmacSha256;
  const Explanation explanation = ExplainWorld(world);
  EXPECT_FALSE(explanation.decision.allowed);
  EXPECT_EQ(explanation.decision.refusal, Refusal::kNoIdentityPolicyAllows);
  ASSERT_TRUE(explanation.refusal_text.has_value());
  EXPECT_NE(explanation.refusal_text->find("because no identity-based policy allows"),
            std::string::npos);

  struct Row {
    const char* id;
    Mismatch mismatch;
    const char* reason;
  };
  const auto expect = [](const PolicyTrace& trace, std::vector<Row> rows) {
    ASSERT_EQ(trace.statements.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(trace.statements[i].id, rows[i].id);
      EXPECT_EQ(trace.statements[i].mismatch, rows[i].mismatch) << rows[i].id;
      EXPECT_EQ(trace.statements[i].reason, rows[i].reason) << rows[i].id;
    }
  };
  ASSERT_EQ(explanation.policies.size(), 2U);
  EXPECT_EQ(explanation.policies[0].policy, Decider::kKeyPolicy);
  expect(explanation.policies[0],
         {{"K1", Mismatch::kNone, ""},
          {"K2", Mismatch::kPrincipal,
           "Principal does not mean arn:aws:iam::111122223333:user/staff/alice"},
          {"K3", Mismatch::kInert, "it has no Resource and therefore no effect"}});
  EXPECT_EQ(explanation.policies[0].statements[0].reach, Reach::kAccount);
  EXPECT_EQ(explanation.policies[1].policy, Decider::kIdentityPolicy);
  expect(explanation.policies[1],
         {{"I1", Mismatch::kAction, "it does not name kms:GenerateMac"},
          {"I2", Mismatch::kResource,
           "it does not name "
           "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
          {"I3", Mismatch::kResource, "a variable of its resource has no value in the request"},
          {"I4", Mismatch::kCondition,
           "StringEquals of kms:MacAlgorithm with \"HMAC_SHA_384\", \"HMAC_SHA_512\": the request "
           "has \"HMAC_SHA_256\""}});

  const std::vector<ConditionTrace>& conditions = explanation.policies[1].statements[3].conditions;
  ASSERT_EQ(conditions.size(), 2U);
  EXPECT_EQ(conditions[0].outcome, ConditionOutcome::kNotMet);
  EXPECT_EQ(conditions[1].operator_name, "Bool");
  EXPECT_EQ(conditions[1].key, "aws:SecureTransport");
  EXPECT_EQ(conditions[1].outcome, ConditionOutcome::kNotMet);
  EXPECT_TRUE(conditions[1].request_values.empty());
}

TEST(ExplainTest, TheDecisionIsAuthorizes) {
  const Explanation allowed =
      ExplainWorld({.key = kKeyPolicy,
                    .identity = R"({"Sid":"I","Effect":"Allow","Action":"*","Resource":"*"})"});
  EXPECT_TRUE(allowed.decision.allowed);
  EXPECT_EQ(allowed.decision.because, "I");
  EXPECT_FALSE(allowed.refusal_text.has_value());
  const Explanation foreign = ExplainWorld({.who = &kBob, .key = kKeyPolicy});
  EXPECT_EQ(foreign.decision.refusal, Refusal::kForeignResource);
}

TEST(ExplainTest, AKeyPolicyThatHasNoSayIsMarked) {
  const Explanation explanation =
      ExplainWorld({.operation = Operation::kListKeys, .key = kKeyPolicy});
  ASSERT_EQ(explanation.policies.size(), 1U);
  EXPECT_FALSE(explanation.policies[0].consulted);
}

// What would have to change, whatever refuses.
struct RemedyRow {
  const char* name;
  World world;
  std::vector<std::string> wanted;  // parts of the sentences, one for each
};

class RemediesTest : public ::testing::TestWithParam<RemedyRow> {};

TEST_P(RemediesTest, SaysWhatWouldHaveToChange) {
  World world = GetParam().world;
  world.context.mac_algorithm = MacAlgorithm::kHmacSha256;
  const std::vector<std::string> sentences =
      world.With([](const AccessRequest& request) { return Remedies(request, Explain(request)); });
  std::vector<::testing::Matcher<std::string>> wanted;
  for (const std::string& part : GetParam().wanted) wanted.push_back(::testing::HasSubstr(part));
  EXPECT_THAT(sentences, ::testing::ElementsAreArray(wanted));
}

const char* const kAllowSha512 =
    R"({"Sid":"I1","Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{
         "StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_512"}}})";
const char* const kNearMiss =
    "its condition is not met: StringEquals of kms:MacAlgorithm with \"HMAC_SHA_512\": the request "
    "has \"HMAC_SHA_256\".";

INSTANTIATE_TEST_SUITE_P(
    Refusals, RemediesTest,
    ::testing::ValuesIn<RemedyRow>({
        {"NothingWhereItIsAllowed", {.key = kDelegates, .identity = Allow("I1")}, {}},
        {"AStatementThatDenies",
         {.key = kDelegates + "," + KDeny("K2", kAliceArn), .identity = Allow("I1")},
         {"Statement \"K2\" of the key policy denies kms:GenerateMac: no permission helps"}},
        {"ADenyWithACondition",
         {.key = kDelegates,
          .identity = R"({"Sid":"D","Effect":"Deny","Action":"*","Resource":"*","Condition":{
              "StringNotEquals":{"kms:MacAlgorithm":"HMAC_SHA_512"}}})"},
         {"Statement \"D\" of the identity policy denies",
          "Without that statement, too, no policy lets arn:aws:iam::111122223333:user/staff/alice",
          "denies only as long as its condition is met: StringNotEquals of kms:MacAlgorithm with "
          "\"HMAC_SHA_512\": the request has \"HMAC_SHA_256\"."}},
        {"NoIdentityPolicy",
         {.key = kDelegates},
         {"The identity policy of arn:aws:iam::111122223333:user/staff/alice has to allow "
          "kms:GenerateMac on arn:aws:kms:us-west-2:111122223333:key/"}},
        {"NeitherAnIdentityPolicyNorTheBoundary",
         {.key = kDelegates, .boundary = Allow("B1", "kms:VerifyMac")},
         {", and so has its permissions boundary, or the key policy has to name"}},
        {"ABoundaryThatAllowsIsNotNamed",
         {.key = kDelegates, .boundary = Allow("B1")},
         {":key/1234abcd-12ab-34cd-56ef-1234567890ab, or the key policy has to name"}},
        {"AConditionThatFails",
         {.key = kDelegates, .identity = kAllowSha512},
         {"has to allow", kNearMiss}},
        {"AKeyThatTrustsNobody",
         {.key = KAllow("K1", testing::kRoleArn)},
         {"only with an identity policy that allows it, too."}},
        {"AKeyThatDoesNotTrustTheAccount",
         {.key = KAllow("K1", testing::kRoleArn), .identity = Allow("I1")},
         {"The account is enough: the identity policy allows it already."}},
        {"ABoundary",
         {.key = kDelegates, .identity = Allow("I1"), .boundary = kAllowSha512},
         {"but the permissions boundary of", kNearMiss}},
        {"ASessionPolicy",
         {.who = &kSession,
          .key = kDelegates,
          .identity = Allow("I1"),
          .session = Allow("S1", "kms:VerifyMac")},
         {"but the session policy of"}},
        {"AForeignKeyThatGivesNothing",
         {.who = &kBob, .key = kDelegates, .identity = kAllowSha512},
         {"Account 111122223333 has to allow this to arn:aws:iam::444455556666:user/bob",
          "The identity policy of arn:aws:iam::444455556666:user/bob has to allow", kNearMiss}},
        {"AnOperationForOwnAccountsOnly",
         {.who = &kBob, .operation = Operation::kDisableKey, .key = KAllow("K1", "*")},
         {"kms:DisableKey does not work across accounts"}},
    }),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace hallmark
