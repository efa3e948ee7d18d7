#include "service/app/operations.h"

#include "tests/service/app/operations_fixture.h"

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::app {
namespace {

TEST_F(OperationsTest, AQueuedCallWhoseKeyIsDisabledNeverReachesTheToken) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  Change(key, [](KeyView& view) { view.key.state = KeyState::kDisabled; });
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kDisabledException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(OperationsTest, AQueuedCallWhosePrincipalIsRemovedNeverReachesTheToken) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  principals_.Withdraw("Admin");
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kUnrecognizedClientException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(OperationsTest, AQueuedCallWhosePrincipalLosesItsPolicyIsDenied) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  auto weaker = std::make_shared<Principal>(*caller_);
  weaker->policy = nullptr;
  principals_.Publish(weaker);
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kAccessDeniedException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(OperationsTest, ACertificateThatExpiresInTheQueueIsRefused) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  clock_.ahead = std::chrono::milliseconds(2h).count();
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kUnrecognizedClientException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(OperationsTest, AQueuedCallSurvivesAChangeThatAllowsItStill) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  Change(key, [](KeyView& view) { view.key.description = "new"; });
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), IsOk());
}

TEST_F(OperationsTest, ACancelledCallIsNotComputed) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  auto queued = StartMac(key);
  queued->call->cancelled = true;
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);
}

TEST_F(OperationsTest, ACallIsAnsweredByItsDeadlineWhileTheTokenHangs) {
  const std::string key = CreateKey();
  auto busy = Occupy(key);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(StartMac(key, 50ms)->answer.get(), Raises(Exception::kKeyUnavailableException));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  FaultList::Disarm();
  EXPECT_THAT(busy->answer.get(), IsOk());
}

TEST_F(OperationsTest, AQueuedCreateKeyWhosePrincipalIsRemovedMakesNoKey) {
  const auto release = OccupyTokenControl();
  auto queued = Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256());
  principals_.Withdraw("Admin");
  release->count_down();
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kUnrecognizedClientException));
  EXPECT_TRUE(store_->Load()->keys.empty());
}

TEST_F(OperationsTest, AFullControlQueueRefusesWithATimeToRetry) {
  const auto release = OccupyTokenControl();
  while (token_control_->Submit([] {})) {
  }
  const Status refused =
      Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256())->answer.get();
  release->count_down();
  ASSERT_THAT(refused, Raises(Exception::kThrottlingException));
  EXPECT_TRUE(refused.error().retry_after.has_value());
}

TEST_F(OperationsTest, WithTheTokenOutCreateKeyWritesNothing) {
  const std::string key = CreateKey();
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_DEVICE_REMOVED, .times = 0});
  FaultList::Arm({.function = "C_OpenSession", .rv = CKR_DEVICE_REMOVED, .times = 0});
  EXPECT_THAT(StartMac(key)->answer.get(), Raises(Exception::kKeyUnavailableException));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256())->answer.get(),
                Raises(Exception::kDependencyTimeoutException));
  }
  EXPECT_EQ(store_->Load()->keys.size(), 1U);
  EXPECT_EQ(store_->Load()->bindings.size(), 1U);
}

TEST_F(OperationsTest, ConcurrentAliasesDoNotExceedTheQuota) {
  const std::string key = CreateKey();
  std::vector<std::unique_ptr<Pending<v1::CreateAliasRequest, v1::CreateAliasResponse>>> calls;
  for (int i = 0; i < 60; ++i) {
    v1::CreateAliasRequest request;
    request.set_alias_name("alias/a" + std::to_string(i));
    request.set_target_key_id(key);
    calls.push_back(Start<v1::CreateAliasResponse>(Operation::kCreateAlias, request));
  }
  int made = 0;
  for (const auto& call : calls) {
    const Status status = call->answer.get();
    if (status) {
      ++made;
    } else {
      EXPECT_THAT(status, Raises(Exception::kLimitExceededException));
    }
  }
  EXPECT_EQ(made, 50);
  EXPECT_EQ(store_->Load()->aliases.size(), 50U);
}

TEST_F(OperationsTest, RevocationsUnderLoadAreNeverOvertaken) {
  const std::string key = CreateKey();
  const KeyId id = *KeyId::Parse(key);
  EXPECT_THAT(StartMac(key)->answer.get(), IsOk());
  std::atomic<bool> stop{false};
  std::atomic<int> violations{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        // Read before the call: a call that starts when the key is disabled must not succeed while
        // it stays so.
        const KeyViewPtr before = keys_.Find(id);
        const Status status = StartMac(key)->answer.get();
        const bool unchanged = keys_.Find(id) == before;
        const bool disabled = before->key.state == KeyState::kDisabled;
        if (unchanged && disabled == status.has_value()) ++violations;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    Change(key, [&](KeyView& view) {
      view.key.state = i % 2 == 0 ? KeyState::kDisabled : KeyState::kEnabled;
    });
    std::this_thread::yield();
    EXPECT_THAT(StartMac(key)->answer.get().has_value(), i % 2 == 1);
  }
  stop = true;
  callers.clear();
  EXPECT_EQ(violations, 0);
}

TEST_F(OperationsTest, AFailedGenerationLeavesNothingInStoreOrMemory) {
  FaultList::Arm({.function = "C_GenerateKey", .rv = CKR_DEVICE_MEMORY, .times = 1});
  v1::CreateKeyRequest request = NewHmac256();
  request.set_client_token("retry");
  EXPECT_THAT(Start<v1::CreateKeyResponse>(Operation::kCreateKey, request)->answer.get(),
              Raises(Exception::kDependencyTimeoutException));
  const auto image = store_->Load();
  ASSERT_THAT(image, IsOk());
  EXPECT_TRUE(image->keys.empty());
  EXPECT_TRUE(image->bindings.empty());
  EXPECT_TRUE(image->client_tokens.empty());
  // The retry is the first request again.
  EXPECT_THAT(Start<v1::CreateKeyResponse>(Operation::kCreateKey, request)->answer.get(), IsOk());
}

TEST_F(OperationsTest, ConcurrentRetriesWithOneClientTokenMakeOneKey) {
  v1::CreateKeyRequest request = NewHmac256();
  request.set_client_token("once");
  std::set<std::string> ids;
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::vector<std::unique_ptr<Pending<v1::CreateKeyRequest, v1::CreateKeyResponse>>> calls;
    for (int i = 0; i < 4; ++i) {
      calls.push_back(Start<v1::CreateKeyResponse>(Operation::kCreateKey, request));
    }
    for (const auto& call : calls) {
      const Status status = call->answer.get();
      if (status) {
        ids.insert(call->response.key_metadata().key_id());
      } else {
        EXPECT_THAT(status, Raises(Exception::kDependencyTimeoutException));
      }
    }
  }
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(store_->Load()->keys.size(), 1U);
}

TEST_F(OperationsTest, ADryRunWithoutItsTokenSaysSo) {
  const std::string key = CreateKey();
  v1::GenerateMacRequest request = MacRequest(key);
  request.set_dry_run(true);
  FaultList::ResetCalls();
  EXPECT_THAT(Start<v1::GenerateMacResponse>(Operation::kGenerateMac, request)->answer.get(),
              Raises(Exception::kDryRunOperationException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0U);

  FaultList::Arm({.function = "C_SignInit", .rv = CKR_DEVICE_REMOVED, .times = 0});
  FaultList::Arm({.function = "C_OpenSession", .rv = CKR_DEVICE_REMOVED, .times = 0});
  EXPECT_THAT(StartMac(key)->answer.get(), Raises(Exception::kKeyUnavailableException));
  EXPECT_THAT(Start<v1::GenerateMacResponse>(Operation::kGenerateMac, request)->answer.get(),
              Raises(Exception::kKeyUnavailableException));
}

TEST_F(OperationsTest, TheFiftyFirstAliasOfAKeyExceedsItsQuota) {
  const std::string key = CreateKey();
  const auto create = [&](int number) {
    v1::CreateAliasRequest request;
    request.set_alias_name("alias/a" + std::to_string(number));
    request.set_target_key_id(key);
    return Start<v1::CreateAliasResponse>(Operation::kCreateAlias, request)->answer.get();
  };
  for (int i = 0; i < 50; ++i) ASSERT_THAT(create(i), IsOk());
  EXPECT_THAT(
      create(50),
      RaisesWith(Exception::kLimitExceededException,
                 "Aliases per key quota for this account in this region is 50, current usage "
                 "is 50."));
}

TEST_F(OperationsTest, EveryCallIsToldToTheLogOnce) {
  const int before = finished_;
  const std::string key = CreateKey();
  EXPECT_THAT(StartMac(key)->answer.get(), IsOk());
  EXPECT_THAT(StartMac("fake")->answer.get(), Raises(Exception::kNotFoundException));
  EXPECT_EQ(finished_ - before, 3);
}

}  // namespace
}  // namespace hallmark::app
