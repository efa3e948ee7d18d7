// `hallmark explain` and `hallmark principal explain` on a running daemon.
#include "tests/daemon/calls.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

constexpr const char* kAlice = "arn:aws:iam::111122223333:user/Alice";
constexpr const char* kAlicesPolicy =
    R"({"Version":"2012-10-17","Statement":[{"Sid":"Strong","Effect":"Allow",
        "Action":"kms:GenerateMac","Resource":"*",
        "Condition":{"StringEquals":{"kms:MacAlgorithm":"HMAC_SHA_512"}}}]})";
constexpr const char* kEverything =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","hallmark:*"],
        "Resource":"*"}]})";

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    daemon_.Start();
    admin_ = daemon_.AddPrincipal(TestDaemon::kAdmin, kEverything);
    alice_ = daemon_.AddPrincipal(kAlice, kAlicesPolicy);
    key_ = CreateKey(admin_, KeySpec::kHmac256);
  }

  std::string file(const std::string& name) const { return (daemon_.home() / name).string(); }

  Finished Hallmark(const Client& client, std::vector<std::string> arguments) const {
    WriteFile(file("ca.pem"), daemon_.authority().certificate());
    WriteFile(file("client.pem"), client.credentials.certificate);
    WriteFile(file("client.key"), client.credentials.private_key);
    arguments.insert(arguments.begin(), HALLMARK_BINARY_DIR "/hallmark");
    return hallmark::testing::Run(
        arguments, {"HALLMARK_TARGET=" + daemon_.target(), "HALLMARK_CA=" + file("ca.pem"),
                    "HALLMARK_CERT=" + file("client.pem"), "HALLMARK_KEY=" + file("client.key"),
                    "HALLMARK_HOME=" + daemon_.home().string()});
  }
  // The answer of a command that succeeds.
  nlohmann::json Answer(const Client& client, const std::vector<std::string>& arguments) const {
    const Finished finished = Hallmark(client, arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.errors;
    return nlohmann::json::parse(finished.output, nullptr, /*allow_exceptions=*/false);
  }
  // What must be said of Alice's call, whoever asks for it.
  static void ExpectTheCondition(const nlohmann::json& answer) {
    EXPECT_EQ(answer.at("Decision"), "Denied");
    EXPECT_EQ(answer.at("Refusal"), "AccessDeniedException");
    const nlohmann::json& changes = answer.at("Details").at("Changes");
    EXPECT_EQ(changes.back(),
              "Statement \"Strong\" of the identity policy would allow it, but its condition is "
              "not met: StringEquals of kms:MacAlgorithm with \"HMAC_SHA_512\": the request has "
              "\"HMAC_SHA_256\".");
    const nlohmann::json& condition = answer.at("Details")
                                          .at("Policies")
                                          .back()
                                          .at("Statements")
                                          .front()
                                          .at("Conditions")
                                          .front();
    EXPECT_EQ(condition, nlohmann::json::parse(R"({"Operator":"StringEquals",
        "Key":"kms:MacAlgorithm","PolicyValues":["HMAC_SHA_512"],"RequestValues":["HMAC_SHA_256"],
        "Result":"NotMet"})"));
  }

  TestDaemon daemon_;
  Client admin_;
  Client alice_;
  std::string key_;
};

TEST_F(ExplainTest, ADeniedCallNamesTheExactConditionWithTheValuesCompared) {
  const std::vector<std::string> alices_call{"--operation", "GenerateMac", "--key-id",
                                             key_,          "--principal", kAlice};
  std::vector<std::string> words{"explain"};
  words.insert(words.end(), alices_call.begin(), alices_call.end());
  ExpectTheCondition(Answer(admin_, words));
  words.insert(words.begin(), "principal");
  ExpectTheCondition(Answer(admin_, words));

  words.insert(words.end(), {"--context", "kms:MacAlgorithm=HMAC_SHA_512"});
  EXPECT_EQ(Answer(admin_, words).at("Decision"), "Allowed");
}

TEST_F(ExplainTest, ACallerWithoutThePermissionIsToldItsOwnRefusal) {
  const nlohmann::json answer =
      Answer(alice_, {"explain", "--operation", "GenerateMac", "--key-id", key_});
  EXPECT_EQ(answer.size(), 3U) << answer;
  EXPECT_EQ(answer.at("Decision"), "Denied");
  EXPECT_EQ(answer.at("RefusalText"), GenerateMac(alice_, key_, "m").outcome.message);
  const Finished other =
      Hallmark(alice_, {"explain", "--operation", "ListKeys", "--principal", TestDaemon::kAdmin});
  EXPECT_EQ(other.exit_code, 254);
  EXPECT_NE(other.errors.find("not authorized to perform: hallmark:Explain"), std::string::npos)
      << other.errors;
}

}  // namespace
}  // namespace hallmark::testing
