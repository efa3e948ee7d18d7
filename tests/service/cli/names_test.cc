#include "service/cli/names.h"

#include "hallmark/v1/kms.pb.h"

#include <gtest/gtest.h>

namespace hallmark::cli {
namespace {

TEST(KebabCaseTest, SplitsWordsAsTheAwsCliDoes) {
  EXPECT_EQ(KebabCase("GenerateMac"), "generate-mac");
  EXPECT_EQ(KebabCase("KeyId"), "key-id");
  EXPECT_EQ(KebabCase("AWSAccountId"), "aws-account-id");
  EXPECT_EQ(KebabCase("XksKeyId"), "xks-key-id");
  EXPECT_EQ(KebabCase("BypassPolicyLockoutSafetyCheck"), "bypass-policy-lockout-safety-check");
}

TEST(FlagNameTest, ComesFromTheKmsSpelling) {
  EXPECT_EQ(FlagName(*v1::GenerateMacRequest::descriptor()->FindFieldByName("mac_algorithm")),
            "--mac-algorithm");
}

TEST(FlagNameTest, ComesFromTheSchemaForFieldsOfOurs) {
  EXPECT_EQ(FlagName(*v1::CreateKeyRequest::descriptor()->FindFieldByName("client_token")),
            "--client-token");
  EXPECT_EQ(FlagName(*v1::GenerateMacRequest::descriptor()->FindFieldByName("message_crc32c")),
            "--message-crc32c");
}

}  // namespace
}  // namespace hallmark::cli
