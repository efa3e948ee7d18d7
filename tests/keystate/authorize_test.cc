#include "keystate/authorize.h"

#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace hallmark {
namespace {

const Site kSite{"aws", "us-west-2"};
const AccountId kHome = *AccountId::Parse("111122223333");
const AccountId kForeign = *AccountId::Parse("444455556666");
constexpr const char* kKey =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

Principal User(const std::string& statements) {
  Principal principal{{.unique_id = "HMIDTEST",
                       .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/u", kSite)},
                      nullptr,
                      "",
                      {},
                      {}};
  if (!statements.empty()) {
    auto policy =
        IdentityPolicy::Parse(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}");
    EXPECT_THAT(policy, testing::IsOk());
    principal.policy = std::make_shared<const IdentityPolicy>(*std::move(policy));
  }
  return principal;
}

constexpr const char* kAllowAll =
    R"({"Sid":"All","Effect":"Allow","Action":"kms:*","Resource":"*"})";

struct Row {
  const char* name;
  std::string statements;
  Operation operation;
  bool allowed;
  const char* because;
};

class AuthorizeTest : public ::testing::TestWithParam<Row> {};

TEST_P(AuthorizeTest, DecidesWithItsReason) {
  const Principal user = User(GetParam().statements);
  const Decision decision = Authorize({user, GetParam().operation, kHome, kKey});
  EXPECT_EQ(decision.allowed, GetParam().allowed);
  EXPECT_EQ(decision.because, GetParam().because);
}

INSTANTIATE_TEST_SUITE_P(
    IdentityPolicies, AuthorizeTest,
    ::testing::ValuesIn<Row>({
        {"NoPolicyDenies", "", Operation::kGenerateMac, false, ""},
        {"EverythingAllows", kAllowAll, Operation::kGenerateMac, true, "All"},
        {"AnotherActionDenies", R"({"Effect":"Allow","Action":"kms:VerifyMac","Resource":"*"})",
         Operation::kGenerateMac, false, ""},
        {"ActionsIgnoreCase",
         R"({"Sid":"S","Effect":"Allow","Action":"KMS:generatemac","Resource":"*"})",
         Operation::kGenerateMac, true, "S"},
        {"AnotherServiceDenies", R"({"Effect":"Allow","Action":"iam:*","Resource":"*"})",
         Operation::kGenerateMac, false, ""},
        {"AnotherKeyDenies",
         R"({"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:us-west-2:111122223333:key/other"})",
         Operation::kGenerateMac, false, ""},
        {"ThisKeyAllows",
         R"({"Sid":"K","Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:111122223333:key/1234*"})",
         Operation::kGenerateMac, true, "K"},
        {"DenyBeatsAnEarlierAllow",
         std::string(kAllowAll) +
             R"(,{"Sid":"No","Effect":"Deny","Action":"kms:GenerateMac","Resource":"*"})",
         Operation::kGenerateMac, false, "No"},
        {"DenyBeatsALaterAllow",
         R"({"Sid":"No","Effect":"Deny","Action":"*","Resource":"*"},)" + std::string(kAllowAll),
         Operation::kGenerateMac, false, "No"},
        {"DenyOfAnotherActionDoesNotCount",
         std::string(kAllowAll) + R"(,{"Effect":"Deny","Action":"kms:VerifyMac","Resource":"*"})",
         Operation::kGenerateMac, true, "All"},
    }),
    [](const auto& row) { return row.param.name; });

TEST(AccessDeniedTest, InTheOwnAccountTheTextNamesTheKey) {
  const Principal user = User("");
  const AccessRequest request{user, Operation::kGenerateMac, kHome, kKey};
  EXPECT_EQ(AccessDenied(request, Authorize(request)).message,
            std::string("User: arn:aws:iam::111122223333:user/u is not authorized to perform: "
                        "kms:GenerateMac on resource: ") +
                kKey + " because no identity-based policy allows the kms:GenerateMac action");
}

TEST(AccessDeniedTest, AnExplicitDenyIsSaid) {
  const Principal user = User(R"({"Effect":"Deny","Action":"*","Resource":"*"})");
  const AccessRequest request{user, Operation::kVerifyMac, kHome, kKey};
  EXPECT_EQ(AccessDenied(request, Authorize(request)).message,
            std::string("User: arn:aws:iam::111122223333:user/u is not authorized to perform: "
                        "kms:VerifyMac on resource: ") +
                kKey + " with an explicit deny in an identity-based policy");
}

TEST(AccessDeniedTest, AcrossAccountsNothingAllowsAndTheResourceIsNotNamed) {
  const Principal user = User(kAllowAll);
  const AccessRequest request{user, Operation::kGenerateMac, kForeign, kKey};
  EXPECT_FALSE(Authorize(request).allowed);
  EXPECT_EQ(
      AccessDenied(request, Authorize(request)).message,
      "User: arn:aws:iam::111122223333:user/u is not authorized to perform: kms:GenerateMac on "
      "this resource because the resource does not exist in this Region, no resource-based "
      "policies allow access, or a resource-based policy explicitly denies access");
}

}  // namespace
}  // namespace hallmark
