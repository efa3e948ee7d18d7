#include "service/cli/operation_commands.h"

#include "hallmark/v1/kms.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

namespace hallmark::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The command line of `hallmark`, with a service that remembers what it was asked.
class OperationCommandsTest : public ::testing::Test {
 protected:
  OperationCommandsTest() {
    AddOperationCommands(
        root_, *Service(),
        [this](const auto& method, const auto& request, auto* answer) {
          method_ = method.name();
          request_ = request.ShortDebugString();
          EXPECT_EQ(answer->GetDescriptor(), method.output_type());
          return ExitCode::kSuccess;
        },
        commands_);
  }

  static const google::protobuf::ServiceDescriptor* Service() {
    return v1::GenerateMacRequest::descriptor()->file()->FindServiceByName("KeyService");
  }

  // Throws what CLI11 throws.
  ExitCode Run(const std::string& words) {
    root_.parse(words);
    const auto chosen = std::find_if(commands_.list.begin(), commands_.list.end(),
                                     [](const Command& c) { return c.app->parsed(); });
    return chosen->run();
  }

  CLI::App root_;
  Commands commands_;
  std::string method_;
  std::string request_;
};

TEST_F(OperationCommandsTest, EveryOperationHasAVerb) {
  EXPECT_EQ(commands_.list.size(), static_cast<std::size_t>(Service()->method_count()));
  EXPECT_NE(root_.get_subcommand("describe-key"), nullptr);
}

TEST_F(OperationCommandsTest, FlagsBecomeTheRequest) {
  EXPECT_EQ(Run("generate-mac --key-id alias/demo --message aGk= --mac-algorithm HMAC_SHA_256 "
                "--grant-tokens a b --message-crc32c 7 --dry-run"),
            ExitCode::kSuccess);
  EXPECT_EQ(method_, "GenerateMac");
  EXPECT_EQ(request_,
            "message: \"hi\" key_id: \"alias/demo\" mac_algorithm: MAC_ALGORITHM_HMAC_SHA_256 "
            "grant_tokens: \"a\" grant_tokens: \"b\" dry_run: true message_crc32c: 7");
}

TEST_F(OperationCommandsTest, AChecksumThatIsNotGivenIsAdded) {
  EXPECT_EQ(Run("generate-mac --key-id k --message MTIzNDU2Nzg5 --mac-algorithm HMAC_SHA_256"),
            ExitCode::kSuccess);
  EXPECT_THAT(request_, HasSubstr("message_crc32c: 3808858755"));  // of "123456789": 0xE3069283
}

TEST_F(OperationCommandsTest, FlagsThatAreNotGivenAreAbsent) {
  EXPECT_EQ(Run("create-key"), ExitCode::kSuccess);
  EXPECT_EQ(request_, "");
}

TEST_F(OperationCommandsTest, TruthValuesHaveANegativeForm) {
  EXPECT_EQ(Run("create-key --no-multi-region"), ExitCode::kSuccess);
  EXPECT_EQ(request_, "multi_region: false");
}

TEST_F(OperationCommandsTest, TheLastOfTwoEqualFlagsCounts) {
  EXPECT_EQ(Run("create-key --description a --description b --no-multi-region --multi-region"),
            ExitCode::kSuccess);
  EXPECT_EQ(request_, "description: \"b\" multi_region: true");
}

TEST_F(OperationCommandsTest, RequiredFlagsAreRequired) {
  EXPECT_THROW(Run("describe-key"), CLI::RequiredError);
}

TEST_F(OperationCommandsTest, UnknownFlagsAreRefused) {
  EXPECT_THROW(Run("create-key --colour red"), CLI::ParseError);
}

TEST_F(OperationCommandsTest, ABadValueIsAMistakeInUsage) {
  EXPECT_EQ(Run("create-key --key-spec HMAC_1"), ExitCode::kUsage);
  EXPECT_EQ(method_, "");
}

TEST_F(OperationCommandsTest, HelpTellsTheLimits) {
  const std::string help = root_.get_subcommand("generate-mac")->help();
  EXPECT_THAT(help, HasSubstr("1 to 4096 bytes; base64, or fileb://PATH"));
  EXPECT_THAT(help, HasSubstr("[HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512]"));
  EXPECT_THAT(help, HasSubstr("REQUIRED"));
}

TEST_F(OperationCommandsTest, EveryVerbAndFlagIsDescribedByTheSchema) {
  for (const Command& command : commands_.list) {
    EXPECT_NE(command.app->get_description(), "") << command.app->get_name();
    for (const CLI::Option* option : command.app->get_options()) {
      EXPECT_NE(option->get_description(), "") << option->get_name();
    }
  }
  const std::string help = root_.get_subcommand("verify-mac")->help();
  EXPECT_THAT(help, HasSubstr("The MAC to check"));
}

TEST_F(OperationCommandsTest, TheNamesThatAnEnumTakesAreKnownToCompletion) {
  const CLI::Option* algorithm =
      root_.get_subcommand("generate-mac")->get_option("--mac-algorithm");
  EXPECT_THAT(commands_.choices.at(algorithm),
              ElementsAre("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"));
}

}  // namespace
}  // namespace hallmark::cli
