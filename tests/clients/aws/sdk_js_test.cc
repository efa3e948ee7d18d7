// The newest @aws-sdk/client-kms takes a key through its whole life.
#include "tests/clients/aws/aws_service.h"
#include "tests/clients/aws/node_packages.h"

#include <gtest/gtest.h>

namespace hallmark::testing {
namespace {

class AwsSdkForJavaScriptTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(PrepareNode()); }

  AwsService& service_ = AwsService::Shared();
};

// The awaited answers are in the program.
TEST_F(AwsSdkForJavaScriptTest, TakesAKeyThroughItsLifeByTypedCommands) {
  const Finished finished = service_.Run(
      {NodeProgram(), NodeScript("key_life.mjs"), AwsService::kServiceArn, AwsService::kService});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.errors, "");
  const auto result = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_TRUE(result.is_object()) << finished.output;
  EXPECT_EQ(result.at("Mac"),
            ToHex(AsBytes(service_.MacByGrpc(result.at("KeyId").get<std::string>(), "Hello World",
                                             KeySpec::kHmac384))));
}

TEST_F(AwsSdkForJavaScriptTest, KnowsNoOperationThatTheServiceTakesForUnknown) {
  const Finished finished = service_.Run({NodeProgram(), NodeScript("operations.mjs")});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  const auto result = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_TRUE(result.is_object()) << finished.output;
  EXPECT_GE(result.at("asked").get<int>(), 50);
  EXPECT_EQ(result.at("unknown"), nlohmann::json::array());
}

TEST_F(AwsSdkForJavaScriptTest, RunsOnANodeThatTheSdkSupports) {
  const Finished finished =
      service_.Run({NodeProgram(), "-p", "Number(process.versions.node.split('.')[0]) >= 20"});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_EQ(finished.output, "true\n");
}

}  // namespace
}  // namespace hallmark::testing
