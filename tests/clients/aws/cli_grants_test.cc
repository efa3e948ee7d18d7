// Debian's AWS CLI makes grants, uses them and ends them.
#include "keystate/base64.h"
#include "tests/clients/aws/aws_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using ::testing::MatchesRegex;

struct CliGrant {
  std::string id;
  std::string token;
};

class AwsCliGrantTest : public ::testing::Test {
 protected:
  CliGrant Create(const std::string& options) {
    const json answer = service_.Aws("kms create-grant --key-id " + key_ + " --grantee-principal " +
                                     std::string(AwsService::kServiceArn) + " " + options);
    EXPECT_EQ(answer.size(), 2u) << answer;
    return {answer.value("GrantId", ""), answer.value("GrantToken", "")};
  }
  json Grants() { return service_.Aws("kms list-grants --key-id " + key_).at("Grants"); }
  // Of the principal that may do nothing without a grant.
  Finished AsService(const std::string& command) {
    return service_.Shell("aws kms " + command,
                          {"AWS_PROFILE=" + std::string(AwsService::kService)});
  }
  std::string GenerateMac() const {
    return "generate-mac --key-id " + AwsService::Arn(key_) +
           " --message fileb://Message --mac-algorithm HMAC_SHA_256 --output text --query Mac";
  }
  std::string Denied(const std::string& operation) const {
    return CliRefusal(
        "AccessDeniedException", operation,
        "User: " + std::string(AwsService::kServiceArn) + " is not authorized to perform: kms:" +
            operation + " on resource: " + AwsService::Arn(key_) +
            " because no identity-based policy allows the kms:" + operation + " action");
  }

  AwsService& service_ = AwsService::Shared();
  const std::string key_ = CreateKey(service_.admin());
  const std::string mac_ =
      EncodeBase64(service_.MacByGrpc(key_, "Hello World", KeySpec::kHmac256)) + "\n";
};

TEST_F(AwsCliGrantTest, CreatesOneListsItUsesItAndRetiresIt) {
  EXPECT_EQ(AsService(GenerateMac()).errors, Denied("GenerateMac"));

  const CliGrant grant = Create(
      "--operations GenerateMac DescribeKey RetireGrant --name cli "
      "--retiring-principal arn:aws:iam::111122223333:user/Admin");
  EXPECT_THAT(grant.id, MatchesRegex("[0-9a-f]{64}"));
  json grants = Grants();
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_THAT(grants[0].value("CreationDate", ""),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\+00:00"));
  grants[0].erase("CreationDate");
  EXPECT_EQ(grants[0], json({{"KeyId", AwsService::Arn(key_)},
                             {"GrantId", grant.id},
                             {"Name", "cli"},
                             {"GranteePrincipal", AwsService::kServiceArn},
                             {"RetiringPrincipal", "arn:aws:iam::111122223333:user/Admin"},
                             {"IssuingAccount", "arn:aws:iam::111122223333:root"},
                             {"Operations", {"GenerateMac", "DescribeKey", "RetireGrant"}}}));

  const Finished used = AsService(GenerateMac() + " --grant-tokens " + grant.token);
  EXPECT_EQ(used.errors, "");
  EXPECT_EQ(used.output, mac_);
  // A grant holds without its token as well.
  EXPECT_EQ(AsService(GenerateMac()).output, mac_);

  const Finished retired = AsService("retire-grant --grant-token " + grant.token);
  EXPECT_EQ(retired.exit_code, 0);
  EXPECT_EQ(retired.output + retired.errors, "");
  EXPECT_EQ(Grants(), json::array());
  EXPECT_EQ(AsService(GenerateMac()).errors, Denied("GenerateMac"));
}

TEST_F(AwsCliGrantTest, RetiresOneByKeyAndId) {
  const CliGrant grant = Create("--operations GenerateMac RetireGrant");
  const Finished retired =
      AsService("retire-grant --key-id " + AwsService::Arn(key_) + " --grant-id " + grant.id);
  EXPECT_EQ(retired.exit_code, 0);
  EXPECT_EQ(retired.output + retired.errors, "");
  EXPECT_EQ(Grants(), json::array());
}

TEST_F(AwsCliGrantTest, RevokesOneAndIsToldWhenItIsGone) {
  const CliGrant grant = Create("--operations GenerateMac");
  const std::string revoke = "revoke-grant --key-id " + key_ + " --grant-id " + grant.id;
  const Finished dry = service_.Shell("aws kms " + revoke + " --dry-run");
  EXPECT_EQ(dry.errors, CliRefusal("DryRunOperationException", "RevokeGrant",
                                   "The request would have succeeded, but the DryRun option is "
                                   "set."));
  EXPECT_EQ(Grants().size(), 1u);

  EXPECT_EQ(service_.Aws("kms " + revoke), nullptr);
  EXPECT_EQ(Grants(), json::array());
  EXPECT_EQ(AsService(GenerateMac()).errors, Denied("GenerateMac"));
  const Finished again = service_.Shell("aws kms " + revoke);
  EXPECT_EQ(again.exit_code, 254);
  EXPECT_EQ(again.errors,
            CliRefusal("NotFoundException", "RevokeGrant", "Grant ID " + grant.id + " not found"));
}

TEST_F(AwsCliGrantTest, IsToldThatMacsHaveNoEncryptionContext) {
  const Finished refused = service_.Shell(
      "aws kms create-grant --key-id " + key_ + " --grantee-principal " + AwsService::kServiceArn +
      " --operations GenerateMac --constraints EncryptionContextEquals={tenant=one}");
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_EQ(refused.output, "");
  EXPECT_EQ(refused.errors, CliRefusal("ValidationException", "CreateGrant",
                                       "EncryptionContext is supported only when creating a grant "
                                       "for a symmetric encryption KMS key."));
}

TEST_F(AwsCliGrantTest, RefusesATokenThatIsNone) {
  const Finished refused = AsService(GenerateMac() + " --grant-tokens nonsense");
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_EQ(refused.output, "");
  EXPECT_EQ(refused.errors, CliRefusal("InvalidGrantTokenException", "GenerateMac",
                                       "The grant token is not valid: use it as CreateGrant "
                                       "returned it."));
}

}  // namespace
}  // namespace hallmark::testing
