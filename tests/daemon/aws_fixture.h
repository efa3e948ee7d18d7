// A daemon whose AWS front is asked, an enabled key, and an administrator who signs.
#pragma once

#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::testing {

inline constexpr const char* kUuidPattern =
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

class AwsFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = std::make_unique<TestDaemon>(TestDaemon::Options{.aws = true});
    daemon_->Start();
    key_ = CreateKey(daemon_->admin());
  }
  static void TearDownTestSuite() { daemon_.reset(); }

  static const AccessKey& access_key() { return daemon_->admin().access_key; }

  // Sends exactly these bytes over a connection of their own, as often as said.
  static ReceivedAnswer Send(const std::string& request, int times = 1) {
    const std::string& url = daemon_->aws_url();
    const auto port = static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
    TlsClient client(port, TlsClient::Options{.ca_pem = daemon_->authority().certificate()});
    std::optional<ReceivedAnswer> answer;
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(client.Send(request));
      answer = client.Receive();
      if (!answer) break;
    }
    EXPECT_TRUE(answer.has_value()) << request;
    return answer.value_or(ReceivedAnswer{});
  }
  static ReceivedAnswer Call(std::string_view operation, const std::string& body) {
    return Send(SignedPost(access_key(), operation, body));
  }

  // A refusal of the caller's, whatever else it says.
  static std::string TypeOf(const ReceivedAnswer& answer) {
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_THAT(answer.headers.at("x-amzn-requestid"), ::testing::MatchesRegex(kUuidPattern));
    EXPECT_EQ(answer.headers.at("content-type"), "application/x-amz-json-1.1");
    return nlohmann::json::parse(answer.body).at("__type");
  }
  static std::string MessageOf(const ReceivedAnswer& answer) {
    return nlohmann::json::parse(answer.body).value("message", "");
  }

  inline static std::unique_ptr<TestDaemon> daemon_;
  inline static std::string key_;
};

}  // namespace hallmark::testing
