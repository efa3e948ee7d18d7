// The texts of refusals, and the check that nobody locks itself out.
#include "keystate/authorize.h"
#include "tests/keystate/policy/policy_world.h"
#include "tests/keystate/policy/statements.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark {
namespace {

using testing::Allow;
using testing::Deny;
using testing::IsOk;
using testing::kAliceArn;
using testing::KAllow;
using testing::kBob;
using testing::kBobArn;
using testing::kDelegates;
using testing::KDeny;
using testing::kKeyArn;
using testing::kSession;
using testing::kSessionArn;
using testing::RaisesWith;
using testing::World;

// The texts, as recorded.
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

// The lockout safety check.
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

}  // namespace
}  // namespace hallmark
