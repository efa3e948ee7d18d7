// Ending, being killed, coming back, and what probes see meanwhile.
#include "keystate/bytes.h"
#include "tests/daemon/calls.h"
#include "tests/daemon/generic_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LifecycleTest : public ::testing::Test {
 protected:
  LifecycleTest() {
    daemon_.Start();
    client_ = daemon_.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
    key_ = CreateKey(client_);
    mac_ = GenerateMac(client_, key_, "m").mac;
  }

  void Restart() {
    daemon_.Start();
    client_ = daemon_.Connect(client_.credentials);
  }
  std::shared_ptr<grpc::Channel> AdminChannel() const {
    return grpc::CreateChannel("unix:" + (daemon_.home() / "admin.sock").string(),
                               grpc::InsecureChannelCredentials());
  }

  TestDaemon daemon_;
  Client client_;
  std::string key_;
  std::string mac_;
};

TEST_F(LifecycleTest, AskedToEndItFinishesTheCallUnderWayAndTakesNoNewOne) {
  daemon_.SetFaults("C_Sign delay_ms=3000\n");
  const v1::GenerateMacRequest request = MacRequest(key_, "m");
  v1::GenerateMacResponse response;
  grpc::ClientContext context;
  std::promise<grpc::Status> ended;
  client_.keys->async()->GenerateMac(&context, &request, &response,
                                     [&](grpc::Status status) { ended.set_value(status); });
  auto slow = ended.get_future();
  // Behind the slow call on the same connection: its answer says that the slow one has arrived.
  ASSERT_TRUE(DescribeKey(client_, key_).ok());

  auto stopped = std::async(std::launch::async, [&] { return daemon_.Stop(); });
  EXPECT_TRUE(Eventually(
      [&] { return !DescribeKey(daemon_.Connect(client_.credentials), key_, 1s).ok(); }));
  EXPECT_EQ(slow.wait_for(0s), std::future_status::timeout) << "the slow call ended too soon";
  const Outcome outcome = OutcomeOf(slow.get());
  EXPECT_TRUE(outcome.ok()) << outcome;
  EXPECT_EQ(response.mac(), mac_);
  EXPECT_EQ(stopped.get(), 0);
}

TEST_F(LifecycleTest, AfterKillKeysAndAliasesAreThereAndMakeTheSameMacs) {
  v1::CreateAliasRequest alias;
  alias.set_alias_name("alias/kept");
  alias.set_target_key_id(key_);
  v1::CreateAliasResponse response;
  ASSERT_TRUE(client_.Call(&v1::KeyService::Stub::CreateAlias, alias, &response).ok());
  daemon_.Kill();
  Restart();
  EXPECT_EQ(GenerateMac(client_, key_, "m").mac, mac_);
  EXPECT_EQ(GenerateMac(client_, "alias/kept", "m").mac, mac_);
}

// A key may be durable before the kill and its answer lost: at most one for each call under way.
TEST_F(LifecycleTest, KilledWhileKeysAreMadeItKeepsEveryAcknowledgedOneAndNoHalfMadeOne) {
  constexpr std::size_t kThreads = 4;
  std::mutex mu;
  std::set<std::string> acknowledged{key_};
  const auto count = [&] {
    const std::lock_guard lock(mu);
    return acknowledged.size();
  };
  {
    std::vector<std::jthread> creators;
    for (std::size_t i = 0; i < kThreads; ++i) {
      creators.emplace_back([&] {
        const Client client = daemon_.Connect(client_.credentials);
        v1::CreateKeyResponse response;
        while (client
                   .Call(&v1::KeyService::Stub::CreateKey, CreateKeyRequestFor(KeySpec::kHmac256),
                         &response, 10s)
                   .ok()) {
          const std::lock_guard lock(mu);
          acknowledged.insert(response.key_metadata().key_id());
        }
      });
    }
    EXPECT_TRUE(Eventually([&] { return count() > 40; }, 20s));
    daemon_.Kill();
  }
  Restart();
  const std::vector<std::string> listed = ListKeys(client_);
  RecordProperty("acknowledged", static_cast<int>(acknowledged.size()));
  RecordProperty("listed", static_cast<int>(listed.size()));
  EXPECT_LE(listed.size(), acknowledged.size() + kThreads);
  for (const std::string& key : acknowledged) {
    EXPECT_EQ(std::count(listed.begin(), listed.end(), key), 1) << key;
  }
  for (const std::string& key : listed) {
    const Outcome outcome = GenerateMac(client_, key, "m").outcome;
    EXPECT_TRUE(outcome.ok()) << key << ": " << outcome;
  }
}

TEST_F(LifecycleTest, ProbesSeeTheTokenGoAndComeBackOnBothListeners) {
  const auto admin = AdminChannel();
  const auto both = [&](Health wanted) {
    return CheckHealth(client_.channel) == wanted && CheckHealth(admin) == wanted;
  };
  EXPECT_TRUE(both(Health::kServing));
  daemon_.SetFaults("C_SignInit rv=CKR_DEVICE_REMOVED\nC_OpenSession rv=CKR_DEVICE_REMOVED\n");
  EXPECT_EQ(GenerateMac(client_, key_, "m").outcome.exception, "KeyUnavailableException");
  EXPECT_TRUE(Eventually([&] { return both(Health::kNotServing); }));
  daemon_.SetFaults("");
  EXPECT_TRUE(Eventually([&] { return both(Health::kServing); }));
  EXPECT_EQ(GenerateMac(client_, key_, "m").mac, mac_);
}

TEST_F(LifecycleTest, ReflectionListsTheService) {
  EXPECT_THAT(ListServices(client_.channel), HasSubstr("hallmark.v1.KeyService"));
}

TEST_F(LifecycleTest, WhatTheDaemonWritesHoldsNoPinNoMessageAndNoMac) {
  const std::string message = "this text is nobody's business";
  const v1::GenerateMacRequest request = MacRequest(key_, message);
  const std::string mac = GenerateMac(client_, request).mac;
  EXPECT_TRUE(VerifyMac(client_, request, mac).ok());
  EXPECT_EQ(VerifyMac(client_, request, std::string(32, 'x')).exception, "KMSInvalidMacException");
  daemon_.SetFaults("C_SignInit rv=CKR_DEVICE_REMOVED times=1\n");
  static_cast<void>(GenerateMac(client_, request));
  daemon_.SetFaults("");
  EXPECT_EQ(daemon_.Stop(), 0);

  for (const std::string& text : {message, mac}) {
    WriteFile(daemon_.home() / "secret", text);
    const std::string base64 = hallmark::testing::Run({"/usr/bin/base64", "--wrap=0",
                                                       (daemon_.home() / "secret").string()})
                                   .output;
    for (const char* output : {"log", "stdout", "stderr"}) {
      const std::string written = ReadFile(daemon_.home() / output);
      EXPECT_THAT(written, Not(HasSubstr(text))) << output;
      EXPECT_THAT(written, Not(HasSubstr(ToHex(AsBytes(text))))) << output;
      EXPECT_THAT(written, Not(HasSubstr(base64))) << output;
      EXPECT_THAT(written, Not(HasSubstr(ReadFile(daemon_.home() / "user.pin")))) << output;
    }
  }
}

}  // namespace
}  // namespace hallmark::testing
