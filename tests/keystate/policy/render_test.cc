#include "keystate/policy/render.h"

#include "keystate/policy/policy.h"
#include "tests/keystate/policy/policy_world.h"
#include "tests/support/result_matchers.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace hallmark {
namespace {

using testing::IsOk;
using testing::kHome;

// As KMS lays policies out.
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
