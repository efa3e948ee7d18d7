// The example programs, as a user runs them.
#include "tests/clients/aws/aws_service.h"
#include "tests/clients/aws/node_packages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <ostream>
#include <regex>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::StartsWith;
using ::testing::UnorderedElementsAreArray;

struct AwsExample {
  const char* name;
  // Makes what it needs, and says how it is run.
  std::vector<std::string> (*prepare)();
  const char* unreachable;

  friend std::ostream& operator<<(std::ostream& out, const AwsExample& example) {
    return out << example.name;
  }
};

std::vector<std::string> PythonExample() {
  return {"/usr/bin/python3", HALLMARK_AWS_CLIENTS "/python/mac.py"};
}

std::vector<std::string> NodeExample() {
  PrepareNode();
  return {NodeProgram(), NodeScript("mac.mjs")};
}

class AwsExampleTest : public ::testing::TestWithParam<AwsExample> {
 protected:
  static void SetUpTestSuite() {
    AwsService& service = AwsService::Shared();
    key_ = new std::string(CreateKey(service.admin()));
    service.CreateAlias("alias/demo", *key_);
  }
  static void TearDownTestSuite() { delete key_; }
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(command_ = GetParam().prepare()); }

  Finished RunWith(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& settings = {}) {
    std::vector<std::string> command = command_;
    command.insert(command.end(), arguments.begin(), arguments.end());
    return service_.Run(command, settings);
  }
  std::string MacInHex(const std::string& message) {
    return ToHex(AsBytes(service_.MacByGrpc(*key_, message, KeySpec::kHmac256)));
  }
  static std::string KeyArn() { return AwsService::Arn(*key_); }

  AwsService& service_ = AwsService::Shared();

 private:
  std::vector<std::string> command_;
  static inline std::string* key_ = nullptr;
};

TEST_P(AwsExampleTest, MakesAMacAndVerifiesItAndIsRefusedAWrongOne) {
  const Finished finished = RunWith({});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.errors, "");
  EXPECT_EQ(finished.output, "MAC: " + MacInHex("Hello World") + "\nverified by " + KeyArn() +
                                 "\nfor another message: KMSInvalidMacException\n");
}

TEST_P(AwsExampleTest, UsesTheGivenKeyForTheGivenMessage) {
  const Finished finished = RunWith({KeyArn(), "another\xC3\xA9"});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, StartsWith("MAC: " + MacInHex("another\xC3\xA9") + "\n"));
}

TEST_P(AwsExampleTest, EndsARefusalWithTheNameOfItsException) {
  const Finished finished = RunWith({"alias/none"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.output, "");
  EXPECT_EQ(
      finished.errors,
      "NotFoundException: Alias arn:aws:kms:us-west-2:111122223333:alias/none is not found.\n");
}

TEST_P(AwsExampleTest, EndsWhenNobodyAnswers) {
  const Finished finished = RunWith({}, {"AWS_ENDPOINT_URL=https://127.0.0.1:1"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.output, "");
  EXPECT_EQ(finished.errors, GetParam().unreachable);
}

// What works here works after `. ~/.hallmark/env`.
TEST(AwsEnvironmentTest, HasTheVariablesThatQuickstartWrites) {
  std::vector<std::string> written;
  std::ifstream quickstart(HALLMARK_QUICKSTART);
  for (std::string line; std::getline(quickstart, line);) {
    static const std::regex kExport("export ((AWS|NODE)_[A-Z_]+)=.*");
    if (std::smatch parts; std::regex_match(line, parts, kExport)) written.push_back(parts[1]);
  }
  std::vector<std::string> given;
  for (const std::string& variable : AwsService::Shared().variables()) {
    given.push_back(variable.substr(0, variable.find('=')));
  }
  EXPECT_THAT(given, UnorderedElementsAreArray(written));
}

INSTANTIATE_TEST_SUITE_P(
    Of, AwsExampleTest,
    ::testing::Values(AwsExample{"Python", &PythonExample,
                                 "EndpointConnectionError: Could not connect to the endpoint URL: "
                                 "\"https://127.0.0.1:1/\"\n"},
                      AwsExample{"Node", &NodeExample,
                                 "ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:1\n"}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace hallmark::testing
