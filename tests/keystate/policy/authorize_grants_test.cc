// Grants beside policies: tables of KMS's rules, one row per case with its reason.
#include "keystate/authorize.h"
#include "tests/keystate/policy/policy_world.h"
#include "tests/keystate/policy/statements.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark {
namespace {

using testing::Allow;
using testing::Deny;
using testing::kAbroad;
using testing::kAlice;
using testing::kAliceArn;
using testing::KAllow;
using testing::kBob;
using testing::kBobArn;
using testing::kDelegates;
using testing::KDeny;
using testing::kForeignRootArn;
using testing::kForeignSession;
using testing::kHome;
using testing::kKeyArn;
using testing::kOtherSession;
using testing::kSession;
using testing::kSessionArn;
using testing::kThird;
using testing::World;

struct Row {
  const char* name;
  const char* why;
  World world;
  const char* want;
};

class AuthorizeGrantsTest : public ::testing::TestWithParam<Row> {};

TEST_P(AuthorizeGrantsTest, Decides) {
  EXPECT_EQ(Decide(GetParam().world), GetParam().want) << GetParam().why;
}

// Grants beside other policies, in the account of the key.
INSTANTIATE_TEST_SUITE_P(
    Grants, AuthorizeGrantsTest,
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

// Who may retire a grant is said by the grant and by IAM, never by a key policy.
INSTANTIATE_TEST_SUITE_P(
    RetireGrant, AuthorizeGrantsTest,
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

TEST(AuthorizeGrantsTest, GrantsAreNotAskedWhenAPolicyDecides) {
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

}  // namespace
}  // namespace hallmark
