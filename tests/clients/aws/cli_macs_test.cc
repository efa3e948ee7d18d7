// Debian's AWS CLI makes and verifies MACs by the commands of AWS's own documentation.
#include "keystate/base64.h"
#include "keystate/key_spec.h"
#include "tests/clients/aws/aws_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AwsCliMacTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    AwsService& service = AwsService::Shared();
    key_ = new std::string(CreateKey(service.admin(), KeySpec::kHmac384));
    service.CreateAlias("alias/cli-384", *key_);
  }
  static void TearDownTestSuite() { delete key_; }

  std::string Mac() { return service_.MacByGrpc(key(), "Hello World", KeySpec::kHmac384); }
  static const std::string& key() { return *key_; }

  AwsService& service_ = AwsService::Shared();

 private:
  static inline std::string* key_ = nullptr;
};

TEST_F(AwsCliMacTest, MakesTheMacThatGrpcMakes) {
  EXPECT_EQ(service_.Aws("kms generate-mac --key-id alias/cli-384 --message fileb://Message "
                         "--mac-algorithm HMAC_SHA_384"),
            json({{"Mac", EncodeBase64(Mac())},
                  {"MacAlgorithm", "HMAC_SHA_384"},
                  {"KeyId", AwsService::Arn(key())}}));
}

TEST_F(AwsCliMacTest, WritesAMacToAFileAndVerifiesIt) {
  const Finished written = service_.Shell(
      "aws kms generate-mac --key-id alias/cli-384 --message fileb://Message "
      "--mac-algorithm HMAC_SHA_384 --output text --query Mac | base64 --decode > ExampleMac");
  EXPECT_EQ(written.exit_code, 0);
  EXPECT_EQ(written.errors, "");
  EXPECT_EQ(ToHex(AsBytes(ReadFile(service_.folder() / "ExampleMac"))), ToHex(AsBytes(Mac())));

  EXPECT_EQ(service_.Aws("kms verify-mac --key-id alias/cli-384 --message fileb://Message "
                         "--mac-algorithm HMAC_SHA_384 --mac fileb://ExampleMac"),
            json({{"KeyId", AwsService::Arn(key())},
                  {"MacValid", true},
                  {"MacAlgorithm", "HMAC_SHA_384"}}));
}

TEST_F(AwsCliMacTest, TakesMessagesOfAnyBytesUpToTheLimit) {
  std::string message(4096, '\0');
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<char>(i % 256);
  WriteFile(service_.folder() / "AnyBytes", message);
  EXPECT_EQ(service_.Aws("kms generate-mac --key-id alias/cli-384 --message fileb://AnyBytes "
                         "--mac-algorithm HMAC_SHA_384 --query Mac"),
            EncodeBase64(service_.MacByGrpc(key(), message, KeySpec::kHmac384)));
}

TEST_F(AwsCliMacTest, MakesMacsOfEverySpec) {
  for (const KeySpec spec : {KeySpec::kHmac224, KeySpec::kHmac256, KeySpec::kHmac512}) {
    const std::string algorithm(Row(spec).algorithm_name);
    const std::string id = CreateKey(service_.admin(), spec);
    EXPECT_EQ(service_.Aws("kms generate-mac --key-id " + id +
                           " --message fileb://Message --mac-algorithm " + algorithm),
              json({{"Mac", EncodeBase64(service_.MacByGrpc(id, "Hello World", spec))},
                    {"MacAlgorithm", algorithm},
                    {"KeyId", AwsService::Arn(id)}}));
  }
}

TEST_F(AwsCliMacTest, RefusesAWrongMacWithoutAText) {
  WriteFile(service_.folder() / "WrongMac", Mac().substr(1));
  const Finished refused = service_.Shell(
      "aws kms verify-mac --key-id alias/cli-384 --message fileb://Message "
      "--mac-algorithm HMAC_SHA_384 --mac fileb://WrongMac");
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_EQ(refused.output, "");
  EXPECT_EQ(refused.errors, CliRefusal("KMSInvalidMacException", "VerifyMac", ""));
}

TEST_F(AwsCliMacTest, KnowsDryRunByTheModelOfOurs) {
  const std::string command =
      "aws kms generate-mac --key-id alias/cli-384 --message fileb://Message "
      "--mac-algorithm HMAC_SHA_384 ";
  const Finished dry = service_.Shell(command + "--dry-run");
  EXPECT_EQ(dry.exit_code, 254);
  EXPECT_EQ(dry.output, "");
  EXPECT_EQ(dry.errors,
            CliRefusal("DryRunOperationException", "GenerateMac",
                       "The request would have succeeded, but the DryRun option is set."));

  const Finished real = service_.Shell(command + "--no-dry-run --query Mac --output text");
  EXPECT_EQ(real.exit_code, 0) << real.errors;
  EXPECT_EQ(real.output, EncodeBase64(Mac()) + "\n");
}

TEST_F(AwsCliMacTest, DoesNotKnowDryRunWithoutTheModelOfOurs) {
  const Finished unknown = service_.Shell(
      "aws kms generate-mac --key-id alias/cli-384 --message fileb://Message "
      "--mac-algorithm HMAC_SHA_384 --dry-run",
      {"AWS_DATA_PATH="});
  EXPECT_EQ(unknown.exit_code, 252);
  EXPECT_EQ(unknown.output, "");
  EXPECT_THAT(unknown.errors, HasSubstr("\nUnknown options: --dry-run\n"));
}

// Why every example has --endpoint-url. A proxy that does not answer keeps the call from AWS; were
// the endpoint of the environment heeded, the proxy would not be asked.
TEST_F(AwsCliMacTest, GoesToAwsWithoutTheEndpointFlag) {
  const std::vector<std::string> settings{"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1",
                                          "AWS_MAX_ATTEMPTS=1"};
  const Finished away = service_.Run({"/usr/bin/aws", "kms", "list-keys"}, settings);
  EXPECT_EQ(away.exit_code, 255);
  EXPECT_EQ(away.output, "");
  EXPECT_EQ(away.errors, "\nFailed to connect to proxy URL: \"http://127.0.0.1:1\"\n");

  const Finished here = service_.Shell("aws kms list-keys --output json", settings);
  EXPECT_EQ(here.exit_code, 0) << here.errors;
}

struct RefusedMac {
  const char* name;
  const char* key_id;
  const char* algorithm;
  const char* exception;
  const char* message;
  const char* profile = AwsService::kAdmin;

  friend std::ostream& operator<<(std::ostream& out, const RefusedMac& row) {
    return out << row.name;
  }
};

class AwsCliRefusalTest : public ::testing::TestWithParam<RefusedMac> {
 protected:
  // Keys in states that refuse, which the table calls by their aliases. "ARN" in a message stands
  // for the key's ARN.
  static void SetUpTestSuite() {
    AwsService& service = AwsService::Shared();
    const Client& admin = service.admin();
    for (const char* alias :
         {"alias/refused-enabled", "alias/refused-disabled", "alias/refused-pending-deletion"}) {
      const std::string id = CreateKey(admin, KeySpec::kHmac384);
      service.CreateAlias(alias, id);
      arns_.push_back({alias, AwsService::Arn(id)});
    }
    v1::DisableKeyRequest disable;
    disable.set_key_id(arns_[1].second);
    v1::DisableKeyResponse disabled;
    ASSERT_TRUE(admin.Call(&v1::KeyService::Stub::DisableKey, disable, &disabled).ok());
    v1::ScheduleKeyDeletionRequest schedule;
    schedule.set_key_id(arns_[2].second);
    v1::ScheduleKeyDeletionResponse scheduled;
    ASSERT_TRUE(admin.Call(&v1::KeyService::Stub::ScheduleKeyDeletion, schedule, &scheduled).ok());
  }
  static void TearDownTestSuite() { arns_.clear(); }

  static std::string WithArn(std::string text, const std::string& alias) {
    const std::size_t place = text.find("ARN");
    if (place == std::string::npos) return text;
    for (const auto& [name, arn] : arns_) {
      if (name == alias) return text.replace(place, 3, arn);
    }
    return text;
  }

 private:
  static inline std::vector<std::pair<std::string, std::string>> arns_;
};

TEST_P(AwsCliRefusalTest, IsShownInTheWordsOfKms) {
  const RefusedMac& row = GetParam();
  const Finished refused =
      AwsService::Shared().Shell("aws kms generate-mac --key-id " + std::string(row.key_id) +
                                     " --message fileb://Message --mac-algorithm " + row.algorithm,
                                 {"AWS_PROFILE=" + std::string(row.profile)});
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_EQ(refused.output, "");
  EXPECT_EQ(refused.errors,
            CliRefusal(row.exception, "GenerateMac", WithArn(row.message, row.key_id)));
}

INSTANTIATE_TEST_SUITE_P(
    Of, AwsCliRefusalTest,
    ::testing::Values(
        RefusedMac{"UnknownAlias", "alias/none", "HMAC_SHA_384", "NotFoundException",
                   "Alias arn:aws:kms:us-west-2:111122223333:alias/none is not found."},
        RefusedMac{"UnknownId", "01234567-89ab-cdef-0123-456789abcdef", "HMAC_SHA_384",
                   "NotFoundException",
                   "Key 'arn:aws:kms:us-west-2:111122223333:key/"
                   "01234567-89ab-cdef-0123-456789abcdef' does not exist"},
        RefusedMac{"MalformedId", "fake-key-id", "HMAC_SHA_384", "NotFoundException",
                   "Invalid keyId 'fake-key-id'"},
        RefusedMac{"AnotherRegion",
                   "arn:aws:kms:eu-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef",
                   "HMAC_SHA_384", "NotFoundException", "Invalid arn eu-west-1"},
        RefusedMac{"WrongAlgorithm", "alias/refused-enabled", "HMAC_SHA_512",
                   "InvalidKeyUsageException",
                   "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_384."},
        RefusedMac{"Disabled", "alias/refused-disabled", "HMAC_SHA_384", "DisabledException",
                   "ARN is disabled."},
        RefusedMac{"PendingDeletion", "alias/refused-pending-deletion", "HMAC_SHA_384",
                   "KMSInvalidStateException", "ARN is pending deletion."},
        RefusedMac{"NotPermitted", "alias/refused-enabled", "HMAC_SHA_384", "AccessDeniedException",
                   "User: arn:aws:iam::111122223333:user/Service is not authorized to perform: "
                   "kms:GenerateMac on resource: ARN because no identity-based policy allows the "
                   "kms:GenerateMac action",
                   AwsService::kService}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST_F(AwsCliMacTest, ShowsAnAlgorithmThatDoesNotExistInTheFrameOfValidation) {
  const Finished refused = service_.Shell(
      "aws kms generate-mac --key-id alias/cli-384 --message fileb://Message "
      "--mac-algorithm HMAC_SHA_1");
  EXPECT_EQ(refused.exit_code, 254);
  EXPECT_THAT(
      refused.errors,
      StartsWith("\nAn error occurred (ValidationException) when calling the GenerateMac "
                 "operation: 1 validation error detected: Value 'HMAC_SHA_1' at 'macAlgorithm' "
                 "failed to satisfy constraint: Member must satisfy enum value set: ["));
}

}  // namespace
}  // namespace hallmark::testing
