// Who may do what: the rules of KMS as tables, one row per case with its reason.
#include "keystate/authorize.h"

#include "tests/keystate/policy/policy_world.h"
#include "tests/keystate/policy/statements.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark {
namespace {

using testing::Allow;
using testing::Decide;
using testing::Deny;
using testing::IsOk;
using testing::kAlice;
using testing::kAliceArn;
using testing::KAllow;
using testing::KAllowNot;
using testing::kBob;
using testing::kBobArn;
using testing::kCarol;
using testing::kDelegates;
using testing::KDeny;
using testing::KDenyNot;
using testing::kForeignRoot;
using testing::kForeignRootArn;
using testing::kForeignSession;
using testing::kGuestRoleArn;
using testing::kHome;
using testing::kHomeNumber;
using testing::kHomeRootArn;
using testing::kKeyArn;
using testing::kOtherSession;
using testing::kRole;
using testing::kRoleArn;
using testing::kRoot;
using testing::kSession;
using testing::kSessionArn;
using testing::ToText;
using testing::World;

struct Row {
  const char* name;
  const char* why;
  World world;
  const char* want;
};

class AuthorizeTest : public ::testing::TestWithParam<Row> {};

TEST_P(AuthorizeTest, Decides) {
  EXPECT_EQ(Decide(GetParam().world), GetParam().want) << GetParam().why;
}

// In the account of the key.
INSTANTIATE_TEST_SUITE_P(
    Evaluation, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"NoStatementForTheRoot",
         "without a matching statement not even the root may use the key",
         {.who = &kRoot, .key = KAllow("K1", kAliceArn)},
         "no resource policy allows"},
        {"RootPolicyDoesNotHelpEither",
         "IAM allows are void without delegation",
         {.who = &kRoot, .key = KAllow("K1", kAliceArn), .identity = Allow("I1")},
         "no resource policy allows"},
        {"DelegationByArn",
         "identity policies count when the root's ARN is allowed",
         {.key = KAllow("K1", kHomeRootArn), .identity = Allow("I1")},
         "allowed: identity policy I1"},
        {"DelegationByNumber",
         "the bare account id means the same",
         {.key = KAllow("K1", kHomeNumber), .identity = Allow("I1")},
         "allowed: identity policy I1"},
        {"DelegationAloneAllowsNobody",
         "the account is trusted, the user has no policy",
         {.key = kDelegates},
         "no identity policy allows"},
        {"DelegationOfOneActionOnly",
         "the statement delegates VerifyMac, not GenerateMac",
         {.key = KAllow("K1", kHomeRootArn, "kms:VerifyMac"), .identity = Allow("I1")},
         "no resource policy allows"},
        {"TheRootItselfIsMeantDirectly",
         "the root needs no policy of its own",
         {.who = &kRoot, .key = kDelegates},
         "allowed: key policy Enable"},
        {"WithoutDelegationIamAllowsAreVoid",
         "no statement for the account",
         {.key = KAllow("K1", kSessionArn), .identity = Allow("I1")},
         "no resource policy allows"},
        {"WithoutDelegationIamDeniesCount",
         "an explicit deny of the identity policy wins",
         {.key = KAllow("K1", kAliceArn), .identity = Deny("I1")},
         "explicit deny: identity policy I1"},
        {"AUserIsAllowedDirectly",
         "a statement that names a user needs no IAM policy",
         {.key = KAllow("K1", kAliceArn)},
         "allowed: key policy K1"},
        {"AnotherUserIsNot",
         "carol is not named",
         {.who = &kCarol, .key = KAllow("K1", kAliceArn)},
         "no resource policy allows"},
        {"ARoleMeansItsSessions",
         "a role in a statement matches every session of it",
         {.who = &kOtherSession, .key = KAllow("K1", kRoleArn)},
         "allowed: key policy K1"},
        {"ASessionMeansItself",
         "a session's ARN matches that session",
         {.who = &kSession, .key = KAllow("K1", kSessionArn)},
         "allowed: key policy K1"},
        {"ASessionMeansNoOther",
         "another session of the role is not meant",
         {.who = &kOtherSession, .key = KAllow("K1", kSessionArn)},
         "no resource policy allows"},
        {"EveryoneNeedsNoIdentityPolicyAtHome",
         "{\"AWS\":\"*\"} matches everybody",
         {.key = KAllow("K1", "*")},
         "allowed: key policy K1"},
        {"AGrantAllows", "point 4", {.key = kDelegates, .grants = {{"G1"}}}, "allowed: grant G1"},
        {"AGrantAllowsWithoutDelegation",
         "a grant stands beside the key policy",
         {.key = KAllow("K1", kSessionArn), .grants = {{"G1"}}},
         "allowed: grant G1"},
        {"ADenyOfTheKeyPolicyWins",
         "point 5: over a direct allow",
         {.key = KAllow("K1", kAliceArn) + "," + KDeny("K2", kAliceArn)},
         "explicit deny: key policy K2"},
        {"ADenyBeatsALaterAllow",
         "the order of statements does not count",
         {.key = KDeny("K1", kAliceArn) + "," + KAllow("K2", kAliceArn)},
         "explicit deny: key policy K1"},
        {"ADenyOfTheAccountMeansAllOfIt",
         "in a Deny the account is every principal of it",
         {.key = KAllow("K1", kAliceArn) + "," + KDeny("K2", kHomeNumber)},
         "explicit deny: key policy K2"},
        {"ADenyOfEveryone",
         "star in a Deny",
         {.key = KAllow("K1", kAliceArn) + "," + KDeny("K2", "*")},
         "explicit deny: key policy K2"},
        {"ADenyWinsOverAGrant",
         "point 5: over a grant",
         {.key = KDeny("K1", kAliceArn), .grants = {{"G1", true}}},
         "explicit deny: key policy K1"},
        {"ADenyOfAnotherActionDoesNotCount",
         "VerifyMac is denied, GenerateMac asked",
         {.key = kDelegates + "," + KDeny("K2", "*", "kms:VerifyMac"), .identity = Allow("I1")},
         "allowed: identity policy I1"},
        {"ADenyOfAnotherKeyDoesNotCount",
         "the identity policy denies another key",
         {.key = kDelegates,
          .identity = Allow("I1") + "," + Deny("I2", "kms:*", "arn:aws:kms:*:*:key/other")},
         "allowed: identity policy I1"},
        {"AllowOfAnotherKeyDoesNotCount",
         "the identity policy names another key",
         {.key = kDelegates, .identity = Allow("I1", "kms:*", "arn:aws:kms:*:*:key/other")},
         "no identity policy allows"},
        {"AllowOfThisKeyByPattern",
         "a wildcard in the ARN",
         {.key = kDelegates,
          .identity = Allow("I1", "kms:*", "arn:aws:kms:*:111122223333:key/1234*")},
         "allowed: identity policy I1"},
        {"ActionsKnowNoCase",
         "KMS:generatemac",
         {.key = kDelegates, .identity = Allow("I1", "KMS:generatemac")},
         "allowed: identity policy I1"},
        {"AnotherServiceDoesNotCount",
         "iam:*",
         {.key = kDelegates, .identity = Allow("I1", "iam:*")},
         "no identity policy allows"},
        {"WithoutActionAKeyStatementMeansNothing",
         "stored, no effect",
         {.key = R"({"Effect":"Allow","Principal":"*","Resource":"*"})"},
         "no resource policy allows"},
        {"WithoutResourceAKeyStatementMeansNothing",
         "stored, no effect",
         {.key = R"({"Effect":"Allow","Principal":"*","Action":"kms:*"})"},
         "no resource policy allows"},
        {"AServiceIsNobodyHere",
         "{\"Service\":…} parses and matches nobody",
         {.key =
              R"({"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"kms:*","Resource":"*"})"},
         "no resource policy allows"},
        {"TheFirstMatchingAllowIsNamed",
         "of two allows the first decides",
         {.key = KAllow("K1", kAliceArn) + "," + KAllow("K2", kAliceArn)},
         "allowed: key policy K1"},
        {"NotActionLeavesOut",
         "NotAction GenerateMac allows everything else",
         {.key = kDelegates,
          .identity = R"({"Effect":"Allow","NotAction":"kms:GenerateMac","Resource":"*"})"},
         "no identity policy allows"},
        {"NotActionAllowsTheRest",
         "NotAction VerifyMac allows GenerateMac",
         {.key = kDelegates,
          .identity = R"({"Effect":"Allow","NotAction":"kms:Verify*","Resource":"*"})"},
         "allowed: identity policy statement 1"},
        {"NotResourceLeavesOut",
         "NotResource names this key",
         {.key = kDelegates,
          .identity =
              R"({"Effect":"Allow","Action":"*","NotResource":"arn:aws:kms:*:*:key/1234*"})"},
         "no identity policy allows"},
    }),
    [](const auto& row) { return row.param.name; });

// NotPrincipal errs on the side of refusal: what a listed account leaves out differs by the effect.
INSTANTIATE_TEST_SUITE_P(
    NotPrincipal, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"DenySparesTheUser",
         "alice is listed",
         {.key = KAllow("K1", "*") + "," + KDenyNot("K2", kAliceArn)},
         "allowed: key policy K1"},
        {"DenyMeansTheOthers",
         "carol is not listed",
         {.who = &kCarol, .key = KAllow("K1", "*") + "," + KDenyNot("K2", kAliceArn)},
         "explicit deny: key policy K2"},
        {"DenySparesSessionsOfTheRole",
         "the role is listed",
         {.who = &kSession, .key = KAllow("K1", "*") + "," + KDenyNot("K2", kRoleArn)},
         "allowed: key policy K1"},
        {"DenyOfAllButOneSession",
         "another session is listed",
         {.who = &kOtherSession, .key = KAllow("K1", "*") + "," + KDenyNot("K2", kSessionArn)},
         "explicit deny: key policy K2"},
        {"DenyWithAnAccountSparesItsRoot",
         "the account stands for its root",
         {.who = &kRoot, .key = KAllow("K1", "*") + "," + KDenyNot("K2", kHomeNumber)},
         "allowed: key policy K1"},
        {"DenyWithAnAccountDeniesItsUsers",
         "and for nobody else of it",
         {.key = KAllow("K1", "*") + "," + KDenyNot("K2", kHomeNumber)},
         "explicit deny: key policy K2"},
        {"AllowMeansTheOthers",
         "carol is not listed",
         {.who = &kCarol, .key = KAllowNot("K1", kAliceArn)},
         "allowed: key policy K1"},
        {"AllowLeavesOutTheUser",
         "alice is listed",
         {.key = KAllowNot("K1", kAliceArn)},
         "no resource policy allows"},
        {"AllowLeavesOutSessionsOfTheRole",
         "the role is listed",
         {.who = &kSession, .key = KAllowNot("K1", kRoleArn)},
         "no resource policy allows"},
        {"AllowLeavesOutTheWholeAccount",
         "an account stands for all its principals",
         {.key = KAllowNot("K1", kHomeNumber)},
         "no resource policy allows"},
        {"AllowWithStarMeansNobody",
         "everyone is left out",
         {.key = KAllowNot("K1", "*")},
         "no resource policy allows"},
    }),
    [](const auto& row) { return row.param.name; });

// Across accounts both sides must allow.
INSTANTIATE_TEST_SUITE_P(
    AcrossAccounts, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"OwnerAndCallerAllow",
         "the key policy names bob, his account's policy allows",
         {.who = &kBob, .key = KAllow("K1", kBobArn), .identity = Allow("I1")},
         "allowed: key policy K1"},
        {"OwnerTrustsTheAccount",
         "the foreign root stands for the account",
         {.who = &kBob, .key = KAllow("K1", kForeignRootArn), .identity = Allow("I1")},
         "allowed: key policy K1"},
        {"OwnerTrustsEveryone",
         "foreign callers still need their own allow",
         {.who = &kBob, .key = KAllow("K1", "*"), .identity = Allow("I1")},
         "allowed: key policy K1"},
        {"OnlyTheOwnerAllows",
         "bob has no policy",
         {.who = &kBob, .key = KAllow("K1", kBobArn)},
         "no identity policy allows"},
        {"EveryoneIsNotEnough",
         "star, but no policy abroad",
         {.who = &kBob, .key = KAllow("K1", "*")},
         "no identity policy allows"},
        {"OnlyTheCallerAllows",
         "the key policy gives nothing",
         {.who = &kBob, .key = kDelegates, .identity = Allow("I1")},
         "foreign resource"},
        {"AKeyThatDoesNotExist",
         "nothing to consult",
         {.who = &kBob, .identity = Allow("I1")},
         "foreign resource"},
        {"TheForeignRootNeedsAPolicyToo",
         "nobody is an administrator by its name",
         {.who = &kForeignRoot, .key = KAllow("K1", kForeignRootArn)},
         "no identity policy allows"},
        {"TheOwnersDenyIsHidden",
         "the text is that of a key that gives nothing",
         {.who = &kBob,
          .key = KAllow("K1", kBobArn) + "," + KDeny("K2", kForeignRootArn),
          .identity = Allow("I1")},
         "foreign resource: key policy K2"},
        {"TheCallersDeny",
         "his own deny is shown where the key lets him in",
         {.who = &kBob, .key = KAllow("K1", kBobArn), .identity = Deny("I1")},
         "explicit deny: identity policy I1"},
        {"TheCallersDenyDoesNotTellOfAKey",
         "but not where it gives nothing",
         {.who = &kBob, .key = kDelegates, .identity = Deny("I1")},
         "foreign resource: identity policy I1"},
        {"ABoundaryLimitsTheCaller",
         "his side allows only within its boundary",
         {.who = &kBob,
          .key = KAllow("K1", kBobArn),
          .identity = Allow("I1"),
          .boundary = Allow("B1", "kms:VerifyMac")},
         "no boundary allows"},
        {"ASessionPolicyLimitsTheCaller",
         "likewise",
         {.who = &kForeignSession,
          .key = KAllow("K1", kGuestRoleArn),
          .identity = Allow("I1"),
          .session = Allow("S1", "kms:VerifyMac")},
         "no session policy allows"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(AuthorizeTest, OnlyTheListedOperationsWorkAcrossAccounts) {
  const OperationSet published{Operation::kGenerateMac,          Operation::kVerifyMac,
                               Operation::kCreateGrant,          Operation::kDescribeKey,
                               Operation::kGetKeyRotationStatus, Operation::kListGrants,
                               Operation::kRevokeGrant};
  for (unsigned i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    // RetireGrant works too, but by a grant alone.
    EXPECT_EQ(Decide({.who = &kBob,
                      .operation = operation,
                      .key = KAllow("K1", kBobArn),
                      .identity = Allow("I1")}),
              published.Contains(operation) ? "allowed: key policy K1" : "foreign resource")
        << Name(operation);
  }
}

// Operations that never consult a key policy.
TEST(AuthorizeTest, IamOnlyOperationsNeverConsultAKeyPolicy) {
  for (const Operation operation :
       {Operation::kCreateKey, Operation::kListKeys, Operation::kListAliases,
        Operation::kListRetirableGrants, Operation::kGenerateRandom}) {
    EXPECT_EQ(Decide({.operation = operation, .key = KDeny("K1", "*"), .identity = Allow("I1")}),
              "allowed: identity policy I1")
        << Name(operation);
    EXPECT_EQ(Decide({.operation = operation, .key = KAllow("K1", kAliceArn)}),
              "no identity policy allows")
        << Name(operation);
    EXPECT_EQ(Decide({.who = &kRoot, .operation = operation, .key = kDelegates}),
              "no identity policy allows")
        << "the root is no administrator by its name: " << Name(operation);
  }
}

TEST(AuthorizeTest, ExplainIsAnActionThatKmsDoesNotHave) {
  EXPECT_EQ(PolicyAction(Operation::kExplain), "hallmark:Explain");
  const auto decide = [](const std::string& action) {
    return Decide({.operation = Operation::kExplain,
                   .key = KDeny("K1", "*"),
                   .identity = Allow("I1", action)});
  };
  for (const char* const action : {"hallmark:Explain", "Hallmark:Exp*", "hallmark:*", "*"}) {
    EXPECT_EQ(decide(action), "allowed: identity policy I1") << action;
  }
  for (const char* const action : {"kms:*", "kms:Explain"}) {
    EXPECT_EQ(decide(action), "no identity policy allows") << action;
  }
  EXPECT_EQ(Decide({.operation = Operation::kExplain, .key = KAllow("K1", kAliceArn)}),
            "no identity policy allows")
      << "key policies have no say";
  EXPECT_EQ(Decide({.who = &kBob,
                    .operation = Operation::kExplain,
                    .key = KAllow("K1", "*"),
                    .identity = Allow("I1", "*")}),
            "foreign resource");
}

// A permissions boundary and a session policy give nothing; they limit what a session has from its
// role and what a user has from its own policies.
INSTANTIATE_TEST_SUITE_P(
    Limits, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"ABoundaryAloneAllowsNothing",
         "it limits",
         {.key = kDelegates, .boundary = Allow("B1")},
         "no identity policy allows"},
        {"ABoundaryThatAllows",
         "both allow",
         {.key = kDelegates, .identity = Allow("I1"), .boundary = Allow("B1")},
         "allowed: identity policy I1"},
        {"ABoundaryWithoutAnAllow",
         "limits the identity policy",
         {.key = kDelegates, .identity = Allow("I1"), .boundary = Allow("B1", "kms:VerifyMac")},
         "no boundary allows"},
        {"ABoundaryDoesNotLimitAUserThatTheKeyNames",
         "a user's ARN in the key policy",
         {.key = KAllow("K1", kAliceArn), .boundary = Allow("B1", "kms:VerifyMac")},
         "allowed: key policy K1"},
        {"ABoundaryLimitsARoleThatTheKeyNames",
         "a role's ARN in the key policy",
         {.who = &kSession,
          .key = KAllow("K1", kRoleArn),
          .boundary = Allow("B1", "kms:VerifyMac")},
         "no boundary allows"},
        {"ARoleThatCallsForItselfIsLimitedLikeItsSessions",
         "the boundary of a role does not end where the role has a certificate",
         {.who = &kRole, .key = KAllow("K1", kRoleArn), .boundary = Allow("B1", "kms:VerifyMac")},
         "no boundary allows"},
        {"ARoleThatCallsForItselfIsMeantByItsArn",
         "within its boundary",
         {.who = &kRole, .key = KAllow("K1", kRoleArn), .boundary = Allow("B1")},
         "allowed: key policy K1"},
        {"ARoleThatCallsForItselfIsNoneOfItsSessions",
         "a session's ARN means that session",
         {.who = &kRole, .key = KAllow("K1", kSessionArn)},
         "no resource policy allows"},
        {"ASessionPolicyLimitsARoleThatTheKeyNames",
         "likewise",
         {.who = &kSession, .key = KAllow("K1", kRoleArn), .session = Allow("S1", "kms:VerifyMac")},
         "no session policy allows"},
        {"ASessionPolicyLimitsASessionThatIsEveryone",
         "star means it through its role",
         {.who = &kSession, .key = KAllow("K1", "*"), .session = Allow("S1", "kms:VerifyMac")},
         "no session policy allows"},
        {"NothingLimitsASessionThatTheKeyNames",
         "the session's own ARN",
         {.who = &kSession,
          .key = KAllow("K1", kSessionArn),
          .boundary = Allow("B1", "kms:VerifyMac"),
          .session = Allow("S1", "kms:VerifyMac")},
         "allowed: key policy K1"},
        {"ASessionPolicyLimitsTheRolesPolicies",
         "identity and session must allow",
         {.who = &kSession,
          .key = kDelegates,
          .identity = Allow("I1"),
          .session = Allow("S1", "kms:VerifyMac")},
         "no session policy allows"},
        {"ADenyOfTheBoundary",
         "an explicit deny anywhere",
         {.key = KAllow("K1", kAliceArn), .boundary = Deny("B1")},
         "explicit deny: boundary B1"},
        {"ADenyOfTheSessionPolicy",
         "an explicit deny anywhere",
         {.who = &kSession, .key = KAllow("K1", kSessionArn), .session = Deny("S1")},
         "explicit deny: session policy S1"},
        {"OfSeveralDeniesTheKeyPolicysIsNamed",
         "the order: key, identity, boundary, session",
         {.key = KDeny("K1", "*"), .identity = Deny("I1")},
         "explicit deny: key policy K1"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(AuthorizeTest, APrincipalThatWasMadeAgainIsNotMeant) {
  // The document was written when alice had another unique id.
  const auto policy =
      Policy::Parse(R"({"Version":"2012-10-17","Statement":[)" + KAllow("K1", kAliceArn) + "]}",
                    PolicyKind::kKey, {{kAliceArn, "HMIDFORMER"}});
  ASSERT_THAT(policy, IsOk());
  const Caller caller{kAlice.arn, kHome, kAlice.unique_id};
  const RequestContext context;
  EXPECT_EQ(ToText(Authorize({caller, Operation::kGenerateMac, kHome, kKeyArn, context, &*policy})),
            "no resource policy allows");
}

}  // namespace
}  // namespace hallmark
