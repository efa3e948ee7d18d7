// Operations on real parts: SoftHSM behind the fault module, SQLite, threads; no front.
#include "service/app/operations.h"

#include "hallmark/v1/kms.pb.h"
#include "keystate/store/sqlite_store.h"
#include "tests/support/fault_list.h"
#include "tests/support/result_matchers.h"
#include "tests/support/softhsm_token.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::app {
namespace {

using testing::FaultList;
using testing::IsOk;
using testing::Raises;
using testing::RaisesWith;
using namespace std::chrono_literals;

const Site kSite{"aws", "us-west-2"};

// Real time, so that deadlines mean what they say; the wall clock can be set.
class SettableClock final : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()) +
           std::chrono::milliseconds(ahead);
  }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }

  std::atomic<std::int64_t> ahead{0};
};

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest() {
    pkcs11::TokenOptions options = token_.options();
    options.sessions = 1;  // so that one slow call makes the next one wait
    const auto anchor = pkcs11::InitToken(options, random_);
    EXPECT_TRUE(anchor.has_value());
    auto opened = pkcs11::Open(options, *anchor, random_, [](auto, const auto&) {});
    EXPECT_TRUE(opened.has_value());
    open_ = *std::move(opened);
    auto store = store::SqliteStore::Open(token_.directory() / "store", kSite, random_);
    EXPECT_THAT(store, IsOk());
    store_ = *std::move(store);
    control_ = std::make_unique<WorkerPool>(kControlThreads, 100);
    engine_ = std::make_unique<Engine>(
        Engine{kSite, "store", "instance", keys_, principals_, client_tokens_, *store_, *open_.hsm,
               *open_.sealer, clock_, random_, *control_,
               [this](const CallContext&, const Status&) { ++finished_; }});
    caller_ = AddCaller("Admin");
  }
  ~OperationsTest() override { FaultList::Disarm(); }

  std::shared_ptr<const Principal> AddCaller(const std::string& name) {
    auto policy = IdentityPolicy::Parse(
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}})");
    CertificateFingerprint fingerprint{};
    random_.Fill(fingerprint);
    const auto caller = std::make_shared<const Principal>(
        Principal{{.unique_id = name,
                   .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/" + name, kSite)},
                  std::make_shared<const IdentityPolicy>(*std::move(policy)),
                  "",
                  {{.fingerprint = fingerprint, .principal_id = name}},
                  {}});
    principals_.Publish(caller);
    return caller;
  }

  // A call under way.
  template <class Request, class Response>
  struct Pending {
    Request request;
    Response response;
    CallPtr call;
    std::promise<Status> promise;
    std::future<Status> answer = promise.get_future();
  };

  template <class Response, class Request>
  std::unique_ptr<Pending<Request, Response>> Start(Operation operation, Request request,
                                                    std::chrono::milliseconds within = 20s) {
    auto pending = std::make_unique<Pending<Request, Response>>();
    pending->request = std::move(request);
    pending->call = std::make_shared<CallContext>();
    pending->call->operation = operation;
    pending->call->caller = caller_;
    pending->call->fingerprint = caller_->certificates.front().fingerprint;
    pending->call->credential_expiry = clock_.Now() + 1h;
    pending->call->started = clock_.SteadyNow();
    pending->call->deadline = pending->call->started + within;
    Dispatch(*engine_, pending->call, pending->request, &pending->response,
             [p = pending.get()](Status status) { p->promise.set_value(std::move(status)); });
    return pending;
  }

  v1::CreateKeyRequest NewHmac256() const {
    v1::CreateKeyRequest request;
    request.set_key_spec(v1::KEY_SPEC_HMAC_256);
    request.set_key_usage(v1::KEY_USAGE_GENERATE_VERIFY_MAC);
    return request;
  }
  std::string CreateKey() {
    auto created = Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256());
    EXPECT_THAT(created->answer.get(), IsOk());
    return created->response.key_metadata().key_id();
  }
  static v1::GenerateMacRequest MacRequest(const std::string& key_id) {
    v1::GenerateMacRequest request;
    request.set_key_id(key_id);
    request.set_message("Hello");
    request.set_mac_algorithm(v1::MAC_ALGORITHM_HMAC_SHA_256);
    return request;
  }
  auto StartMac(const std::string& key_id, std::chrono::milliseconds within = 20s) {
    return Start<v1::GenerateMacResponse>(Operation::kGenerateMac, MacRequest(key_id), within);
  }
  // Publishes a changed version of a key, as an acknowledged change would.
  void Change(const std::string& key_id, const std::function<void(KeyView&)>& change) {
    KeyView next = *keys_.Find(*KeyId::Parse(key_id));
    ++next.key.revision;
    change(next);
    keys_.Publish(std::make_shared<const KeyView>(std::move(next)));
  }
  // Occupies the token's only worker until Disarm.
  auto Occupy(const std::string& key_id) {
    EXPECT_THAT(StartMac(key_id)->answer.get(), IsOk());  // the check value is known from here on
    FaultList::Arm({.function = "C_Sign", .times = 1, .hang = true});
    auto busy = StartMac(key_id);
    EXPECT_TRUE(FaultList::WaitForHanging(1, 10s));
    FaultList::ResetCalls();
    return busy;
  }

  // Every thread of the control pool waits until the latch is counted down. The latch is shared:
  // they may still look at it when the test has ended.
  std::shared_ptr<std::latch> OccupyControlThreads() {
    auto occupied = std::make_shared<std::latch>(kControlThreads);
    auto release = std::make_shared<std::latch>(1);
    for (int i = 0; i < kControlThreads; ++i) {
      EXPECT_TRUE(control_->Submit([occupied, release] {
        occupied->count_down();
        release->wait();
      }));
    }
    occupied->wait();
    return release;
  }

  static constexpr int kControlThreads = 4;
  testing::SoftHsmToken token_;
  service::OsRandom random_;
  SettableClock clock_;
  KeyDirectory keys_;
  PrincipalDirectory principals_;
  ClientTokens client_tokens_;
  std::atomic<int> finished_{0};
  std::unique_ptr<KeyStore> store_;
  pkcs11::OpenToken open_;
  std::unique_ptr<WorkerPool> control_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Principal> caller_;
};

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
  const auto release = OccupyControlThreads();
  auto queued = Start<v1::CreateKeyResponse>(Operation::kCreateKey, NewHmac256());
  principals_.Withdraw("Admin");
  release->count_down();
  EXPECT_THAT(queued->answer.get(), Raises(Exception::kUnrecognizedClientException));
  EXPECT_TRUE(store_->Load()->keys.empty());
}

TEST_F(OperationsTest, AFullControlQueueRefusesWithATimeToRetry) {
  const auto release = OccupyControlThreads();
  while (control_->Submit([] {})) {
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
