// Who may do what: the rules of KMS as tables, one row per case with its reason.
#include "keystate/authorize.h"

#include "keystate/policy/render.h"
#include "tests/keystate/policy/policy_world.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hallmark {
namespace {

using testing::Decide;
using testing::IsOk;
using testing::kAbroad;
using testing::kAlice;
using testing::kBob;
using testing::kCarol;
using testing::kForeignRoot;
using testing::kForeignSession;
using testing::kHome;
using testing::kKeyArn;
using testing::kOtherSession;
using testing::kRoot;
using testing::kSession;
using testing::kThird;
using testing::RaisesWith;
using testing::ToText;
using testing::World;

// Statements of key policies. KAllow("K1", kAliceArn) is an Allow of everything to alice.
const char* const kHomeRootArn = "arn:aws:iam::111122223333:root";
const char* const kHomeNumber = "111122223333";
const char* const kForeignRootArn = "arn:aws:iam::444455556666:root";
const char* const kAliceArn = "arn:aws:iam::111122223333:user/staff/alice";
const char* const kRoleArn = "arn:aws:iam::111122223333:role/signer";
const char* const kSessionArn = "arn:aws:sts::111122223333:assumed-role/signer/one";
const char* const kBobArn = "arn:aws:iam::444455556666:user/bob";
const char* const kGuestRoleArn = "arn:aws:iam::444455556666:role/guest";

std::string KeyStatement(const std::string& sid, const char* effect, const char* element,
                         const std::string& principal, const std::string& action) {
  return R"({"Sid":")" + sid + R"(","Effect":")" + effect + R"(",")" + element + R"(":{"AWS":")" +
         principal + R"("},"Action":")" + action + R"(","Resource":"*"})";
}
std::string KAllow(const std::string& sid, const std::string& principal,
                   const std::string& action = "kms:*") {
  return KeyStatement(sid, "Allow", "Principal", principal, action);
}
std::string KDeny(const std::string& sid, const std::string& principal,
                  const std::string& action = "kms:*") {
  return KeyStatement(sid, "Deny", "Principal", principal, action);
}
std::string KAllowNot(const std::string& sid, const std::string& principal) {
  return KeyStatement(sid, "Allow", "NotPrincipal", principal, "kms:*");
}
std::string KDenyNot(const std::string& sid, const std::string& principal) {
  return KeyStatement(sid, "Deny", "NotPrincipal", principal, "kms:*");
}
// Statements of policies of principals.
std::string Allow(const std::string& sid, const std::string& action = "kms:*",
                  const std::string& resource = "*") {
  return R"({"Sid":")" + sid + R"(","Effect":"Allow","Action":")" + action + R"(","Resource":")" +
         resource + R"("})";
}
std::string Deny(const std::string& sid, const std::string& action = "kms:*",
                 const std::string& resource = "*") {
  return R"({"Sid":")" + sid + R"(","Effect":"Deny","Action":")" + action + R"(","Resource":")" +
         resource + R"("})";
}
// The default key policy delegates to the account.
const std::string kDelegates = KAllow("Enable", kHomeRootArn);

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

// Section 5.1, points 1 to 5.
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

// Section 5.1, point 6: both sides must allow.
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

// Section 5.1, point 7.
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

// Section 4.8: grants versus other policies, same account.
INSTANTIATE_TEST_SUITE_P(
    Grants, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"NoIdentityPolicyRole",
         "allowed",
         {.who = &kSession, .key = kDelegates, .grants = {{"G1", false}}},
         "allowed: grant G1"},
        {"NoIdentityPolicySession",
         "allowed",
         {.who = &kSession, .key = kDelegates, .grants = {{"G1", true}}},
         "allowed: grant G1"},
        {"SessionPolicyWithoutAllowRole",
         "denied",
         {.who = &kSession,
          .key = kDelegates,
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", false}}},
         "no session policy allows"},
        {"SessionPolicyWithoutAllowSession",
         "allowed",
         {.who = &kSession,
          .key = kDelegates,
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", true}}},
         "allowed: grant G1"},
        {"BoundaryWithoutAllowRole",
         "denied",
         {.who = &kSession,
          .key = kDelegates,
          .boundary = Allow("B1", "kms:VerifyMac"),
          .grants = {{"G1", false}}},
         "no boundary allows"},
        {"BoundaryWithoutAllowSession",
         "allowed",
         {.who = &kSession,
          .key = kDelegates,
          .boundary = Allow("B1", "kms:VerifyMac"),
          .grants = {{"G1", true}}},
         "allowed: grant G1"},
        {"ExplicitDenyRole",
         "denied with an explicit deny in a session policy",
         {.who = &kSession, .key = kDelegates, .session = Deny("S1"), .grants = {{"G1", false}}},
         "explicit deny: session policy S1"},
        {"ExplicitDenySession",
         "denied",
         {.who = &kSession, .key = kDelegates, .session = Deny("S1"), .grants = {{"G1", true}}},
         "explicit deny: session policy S1"},
        {"ADenyOfTheIdentityPolicy",
         "denied anywhere",
         {.who = &kSession, .key = kDelegates, .identity = Deny("I1"), .grants = {{"G1", true}}},
         "explicit deny: identity policy I1"},
        {"AnotherSessionOfTheRoleBySessionGrant",
         "the source finds no grant for it",
         {.who = &kOtherSession, .key = kDelegates},
         "no identity policy allows"},
        {"TheSecondGrantHelps",
         "a grant to the role fails, one to the session does not",
         {.who = &kSession,
          .key = kDelegates,
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", false}, {"G2", true}}},
         "allowed: grant G2"},
        {"APolicyIsNamedBeforeAGrant",
         "where both allow",
         {.key = kDelegates, .identity = Allow("I1"), .grants = {{"G1"}}},
         "allowed: identity policy I1"},
        {"AUsersGrantIsNotLimited",
         "a boundary limits what a user's own policies give",
         {.key = kDelegates, .boundary = Allow("B1", "kms:VerifyMac"), .grants = {{"G1"}}},
         "allowed: grant G1"},
        // Cross-account grantees.
        {"ForeignByTheOwnerWithoutPolicy",
         "denied",
         {.who = &kBob, .key = kDelegates, .grants = {{"G1"}}},
         "no identity policy allows"},
        {"ForeignByTheOwnerWithPolicy",
         "allowed",
         {.who = &kBob, .key = kDelegates, .identity = Allow("I1"), .grants = {{"G1"}}},
         "allowed: grant G1"},
        {"ForeignByItsOwnAccount",
         "allowed without identity policy",
         {.who = &kBob, .key = KAllow("K1", kForeignRootArn), .grants = {{"G1", false, kAbroad}}},
         "allowed: grant G1"},
        {"ForeignByItsOwnAccountToARole",
         "still obeys session policies",
         {.who = &kForeignSession,
          .key = KAllow("K1", kForeignRootArn),
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", false, kAbroad}}},
         "no session policy allows"},
        {"ForeignByItsOwnAccountToASession",
         "which a grant to the session does not",
         {.who = &kForeignSession,
          .key = KAllow("K1", kForeignRootArn),
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", true, kAbroad}}},
         "allowed: grant G1"},
        {"ForeignByAThirdAccount",
         "is not its own consent",
         {.who = &kBob, .key = kDelegates, .grants = {{"G1", false, kThird}}},
         "no identity policy allows"},
        {"ForeignWithADenyAtHome",
         "an explicit deny anywhere",
         {.who = &kBob,
          .key = kDelegates,
          .identity = Deny("I1"),
          .grants = {{"G1", true, kAbroad}}},
         "explicit deny: identity policy I1"},
    }),
    [](const auto& row) { return row.param.name; });

// Section 4.5: who may retire a grant is said by the grant and by IAM, never by a key policy.
INSTANTIATE_TEST_SUITE_P(
    RetireGrant, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"ByTheGrant",
         "the retiring principal needs no policy",
         {.operation = Operation::kRetireGrant, .key = kDelegates, .grants = {{"G1", true}}},
         "allowed: grant G1"},
        {"BySessionDespiteItsSessionPolicy",
         "recorded: session_retire_limited",
         {.who = &kSession,
          .operation = Operation::kRetireGrant,
          .key = kDelegates,
          .session = Allow("S1", "kms:VerifyMac"),
          .grants = {{"G1", true}}},
         "allowed: grant G1"},
        {"AKeyPolicyHasNoEffect",
         "kms:RetireGrant in a key policy",
         {.operation = Operation::kRetireGrant, .key = KAllow("K1", kAliceArn)},
         "no identity policy allows"},
        {"IdentityPolicyNeedsNoDelegation",
         "principals of the creating account",
         {.operation = Operation::kRetireGrant,
          .key = KAllow("K1", kSessionArn),
          .identity = Allow("I1")},
         "allowed: identity policy I1"},
        {"ADenyOfTheKeyPolicyBlocks",
         "an explicit deny blocks everyone",
         {.operation = Operation::kRetireGrant, .key = KDeny("K1", "*"), .grants = {{"G1", true}}},
         "explicit deny: key policy K1"},
        {"ForeignWithoutPolicy",
         "needs kms:RetireGrant from its own account",
         {.who = &kBob,
          .operation = Operation::kRetireGrant,
          .key = kDelegates,
          .grants = {{"G1"}}},
         "no identity policy allows"},
        {"ForeignWithPolicy",
         "has it",
         {.who = &kBob,
          .operation = Operation::kRetireGrant,
          .key = kDelegates,
          .identity = Allow("I1"),
          .grants = {{"G1"}}},
         "allowed: grant G1"},
        {"ForeignByKeyPolicy",
         "which has no effect",
         {.who = &kBob,
          .operation = Operation::kRetireGrant,
          .key = KAllow("K1", kBobArn),
          .identity = Allow("I1")},
         "foreign resource"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(AuthorizeTest, GrantsAreNotAskedWhenAPolicyDecides) {
  const auto identity =
      testing::Compile(Allow("I1") + "," + Deny("I2", "kms:VerifyMac"), PolicyKind::kIdentity);
  const auto key = testing::Compile(kDelegates, PolicyKind::kKey);
  const testing::FakeGrants grants({{"G1"}});
  const Caller caller{kAlice.arn, kHome, kAlice.unique_id, {}, {}, identity.get()};
  const RequestContext context;
  for (const Operation operation : {Operation::kGenerateMac, Operation::kVerifyMac}) {
    EXPECT_FALSE(Authorize({caller, operation, kHome, kKeyArn, context, key.get(), &grants})
                     .because.empty());
  }
  EXPECT_EQ(grants.asked(), 0);
}

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

// Section 5.4: the texts.
struct TextRow {
  const char* name;
  World world;
  std::string text;
};

class AccessDeniedTest : public ::testing::TestWithParam<TextRow> {};

TEST_P(AccessDeniedTest, SaysItAsKmsDoes) {
  GetParam().world.With([](const AccessRequest& request) {
    const Decision decision = Authorize(request);
    ASSERT_FALSE(decision.allowed);
    const Error error = AccessDenied(request, decision);
    EXPECT_EQ(error.exception, Exception::kAccessDeniedException);
    EXPECT_EQ(error.message, "User: " + std::string(request.caller.arn) +
                                 " is not authorized to perform: kms:GenerateMac on " +
                                 GetParam().text);
  });
}

const std::string kOnKey = "resource: " + std::string(kKeyArn);

INSTANTIATE_TEST_SUITE_P(
    Texts, AccessDeniedTest,
    ::testing::ValuesIn<TextRow>({
        {"NoAllowInIam",
         {.key = kDelegates},
         kOnKey + " because no identity-based policy allows the kms:GenerateMac action"},
        {"KeyPolicyDoesNotAllowOrDelegate",
         {.key = KAllow("K1", kSessionArn)},
         kOnKey + " because no resource-based policy allows the kms:GenerateMac action"},
        {"DenyInTheKeyPolicy",
         {.key = KDeny("K1", "*")},
         kOnKey + " with an explicit deny in a resource-based policy"},
        {"DenyInTheSessionPolicy",
         {.who = &kSession, .session = Deny("S1")},
         kOnKey + " with an explicit deny in a session policy"},
        {"DenyInIam",
         {.identity = Deny("I1")},
         kOnKey + " with an explicit deny in an identity-based policy"},
        {"DenyInTheBoundary",
         {.boundary = Deny("B1")},
         kOnKey + " with an explicit deny in a permissions boundary"},
        {"SessionPolicyLacksAllow",
         {.who = &kSession, .identity = Allow("I1"), .session = Allow("S1", "kms:VerifyMac")},
         kOnKey + " because no session policy allows the kms:GenerateMac action"},
        {"BoundaryLacksAllow",
         {.identity = Allow("I1"), .boundary = Allow("B1", "kms:VerifyMac")},
         kOnKey + " because no permissions boundary allows the kms:GenerateMac action"},
        {"CrossAccountHidesTheArn",
         {.who = &kBob, .key = KAllow("K1", kBobArn)},
         "this resource because no identity-based policy allows the kms:GenerateMac action"},
        {"CrossAccountDeny",
         {.who = &kBob, .key = KAllow("K1", kBobArn), .identity = Deny("I1")},
         "this resource with an explicit deny in an identity-based policy"},
        {"ForeignKeyThatGivesNothing",
         {.who = &kBob, .key = kDelegates, .identity = Allow("I1")},
         "this resource because the resource does not exist in this Region, no resource-based "
         "policies allow access, or a resource-based policy explicitly denies access"},
    }),
    [](const auto& row) { return row.param.name; });

// Section 5.3.
TEST(CheckLockoutTest, TheAuthorMustBeAbleToChangeThePolicyAgain) {
  struct LockoutRow {
    std::string key;
    bool safe;
  };
  for (const LockoutRow& row : std::initializer_list<LockoutRow>{
           {KAllow("K1", kAliceArn), true},
           {kDelegates, true},
           {KAllow("K1", kAliceArn, "kms:PutKeyPolicy"), true},
           {KAllow("K1", kAliceArn, "kms:GenerateMac"), false},
           {KAllow("K1", kSessionArn), false},
           {kDelegates + "," + KDeny("K2", kAliceArn, "kms:Put*"), false},
       }) {
    const World world{.operation = Operation::kPutKeyPolicy, .key = row.key};
    const Status status =
        world.With([](const AccessRequest& request) { return CheckLockout(request); });
    if (row.safe) {
      EXPECT_THAT(status, IsOk()) << row.key;
    } else {
      EXPECT_THAT(status, RaisesWith(Exception::kMalformedPolicyDocumentException,
                                     "The new key policy will not allow you to update the key "
                                     "policy in the future."))
          << row.key;
    }
  }
}

// Section 1.10.
TEST(DefaultKeyPolicyTest, DelegatesToTheAccount) {
  const std::string document = DefaultKeyPolicy({"aws", "us-west-2"}, kHome);
  const auto policy = Policy::Parse(document, PolicyKind::kKey);
  ASSERT_THAT(policy, IsOk());
  EXPECT_EQ(policy->statements()[0].id, "Enable IAM User Permissions");
  const auto rendered = RenderKeyPolicy(document, {}, [](auto) { return std::nullopt; });
  ASSERT_THAT(rendered, IsOk());
  EXPECT_EQ(*rendered, R"({
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
})");
}

TEST(RenderKeyPolicyTest, WhoIsGoneIsShownAsItsUniqueId) {
  const auto rendered = RenderKeyPolicy(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["arn:x:gone","HMIDHERE","*"]},
          "Action":["kms:A","kms:\"B\\"],"Resource":"*","Condition":{"Bool":{"kms:MultiRegion":true}}}]})",
      {{"arn:x:gone", "HMIDGONE"}, {"HMIDHERE", "HMIDHERE"}},
      [](std::string_view id) -> std::optional<std::string> {
        if (id == "HMIDHERE") return "arn:x:here";
        return std::nullopt;
      });
  ASSERT_THAT(rendered, IsOk());
  EXPECT_EQ(*rendered, R"({
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Effect" : "Deny",
    "NotPrincipal" : {
      "AWS" : [ "HMIDGONE", "arn:x:here", "*" ]
    },
    "Action" : [ "kms:A", "kms:\"B\\" ],
    "Resource" : "*",
    "Condition" : {
      "Bool" : {
        "kms:MultiRegion" : true
      }
    }
  } ]
})");
}

}  // namespace
}  // namespace hallmark
