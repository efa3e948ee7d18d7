// Operations on real parts: SoftHSM behind the fault module, SQLite, threads; no front.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/store/sqlite_store.h"
#include "service/app/operations.h"
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
#include <string>
#include <vector>

namespace hallmark::app {

using testing::FaultList;
using testing::IsOk;
using testing::Raises;
using testing::RaisesWith;
using namespace std::chrono_literals;

inline const Site kSite{"aws", "us-west-2"};

// Real time, so that deadlines mean what they say; both clocks can be put ahead.
class SettableClock final : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()) +
           std::chrono::milliseconds(ahead);
  }
  SteadyTime SteadyNow() const override {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(steady_ahead);
  }

  std::atomic<std::int64_t> ahead{0};
  std::atomic<std::int64_t> steady_ahead{0};
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
    token_control_ = std::make_unique<WorkerPool>(kControlThreads, 100);
    UseTokens({{open_.hsm.get(), *anchor}});
    caller_ = AddCaller("Admin");
  }
  void TearDown() override { FaultList::Disarm(); }

  // The first is the default.
  void UseTokens(const std::vector<TokenSet::Member>& members) {
    tokens_ = std::make_unique<TokenSet>(members, members.front().record.token_id);
    engine_ = std::make_unique<Engine>(Engine{
        kSite, "store", "instance", keys_, principals_, policies_, client_tokens_, last_usage_,
        key_quota_, *store_, *tokens_, *open_.sealer, clock_, random_, *control_, *token_control_,
        nullptr, [this](const CallContext&, const Status&) { ++finished_; }});
  }

  static constexpr const char* kEverything =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}})";

  // A user, of whom `policy` is the identity policy; empty: it has none.
  std::shared_ptr<const Principal> AddCaller(const std::string& name,
                                             const std::string& policy = kEverything,
                                             const std::string& account = "111122223333") {
    auto user = std::make_shared<Principal>(
        Principal{{.unique_id = name,
                   .arn = *PrincipalArn::Parse("arn:aws:iam::" + account + ":user/" + name, kSite)},
                  nullptr,
                  policy,
                  {},
                  {}});
    if (!policy.empty()) {
      auto compiled = Policy::Parse(policy, PolicyKind::kIdentity);
      EXPECT_THAT(compiled, IsOk());
      user->policy = std::make_shared<const Policy>(*std::move(compiled));
    }
    CertificateFingerprint fingerprint{};
    random_.Fill(fingerprint);
    user->certificates.push_back({.fingerprint = fingerprint, .principal_id = name});
    principals_.Publish(user);
    return user;
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

  // The outcome of a call that is waited for.
  template <class Response, class Request>
  Status Call(Operation operation, const Request& request, Response* response = nullptr) {
    auto pending = Start<Response>(operation, request);
    Status status = pending->answer.get();
    if (response != nullptr) *response = pending->response;
    return status;
  }
  template <class Response, class Request>
  std::unique_ptr<Pending<Request, Response>> Start(Operation operation, Request request,
                                                    std::chrono::milliseconds within = 20s) {
    return StartAs<Response>(caller_, operation, std::move(request), within);
  }
  template <class Response, class Request>
  std::unique_ptr<Pending<Request, Response>> StartAs(
      const std::shared_ptr<const Principal>& caller, Operation operation, Request request,
      std::chrono::milliseconds within = 20s) {
    auto pending = std::make_unique<Pending<Request, Response>>();
    pending->request = std::move(request);
    pending->call = std::make_shared<CallContext>();
    pending->call->operation = operation;
    pending->call->caller = caller;
    if (caller->certificates.empty()) {
      pending->call->access_key_id = caller->access_keys.front().access_key_id;
    } else {
      pending->call->fingerprint = caller->certificates.front().fingerprint;
      pending->call->credential_expiry = clock_.Now() + 1h;
    }
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
  Status Mac(const std::string& key_id) { return StartMac(key_id)->answer.get(); }
  Status DisableKey(const std::string& key_id) {
    v1::DisableKeyRequest request;
    request.set_key_id(key_id);
    return Call<v1::DisableKeyResponse>(Operation::kDisableKey, request);
  }
  Status EnableKey(const std::string& key_id) {
    v1::EnableKeyRequest request;
    request.set_key_id(key_id);
    return Call<v1::EnableKeyResponse>(Operation::kEnableKey, request);
  }
  Status ScheduleKeyDeletion(const std::string& key_id) {
    v1::ScheduleKeyDeletionRequest request;
    request.set_key_id(key_id);
    request.set_pending_window_in_days(7);
    return Call<v1::ScheduleKeyDeletionResponse>(Operation::kScheduleKeyDeletion, request);
  }
  Status CancelKeyDeletion(const std::string& key_id) {
    v1::CancelKeyDeletionRequest request;
    request.set_key_id(key_id);
    return Call<v1::CancelKeyDeletionResponse>(Operation::kCancelKeyDeletion, request);
  }
  Status CreateAlias(const std::string& name, const std::string& key_id) {
    v1::CreateAliasRequest request;
    request.set_alias_name(name);
    request.set_target_key_id(key_id);
    return Call<v1::CreateAliasResponse>(Operation::kCreateAlias, request);
  }
  Status TagResource(const std::string& key_id, const std::string& tag, const std::string& value) {
    v1::TagResourceRequest request;
    request.set_key_id(key_id);
    request.add_tags()->set_tag_key(tag);
    request.mutable_tags(0)->set_tag_value(value);
    return Call<v1::TagResourceResponse>(Operation::kTagResource, request);
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

  // Every thread of the pool that waits for tokens waits until the latch is counted down. The latch
  // is shared: they may still look at it when the test has ended.
  std::shared_ptr<std::latch> OccupyTokenControl() {
    auto occupied = std::make_shared<std::latch>(kControlThreads);
    auto release = std::make_shared<std::latch>(1);
    for (int i = 0; i < kControlThreads; ++i) {
      EXPECT_TRUE(token_control_->Submit([occupied, release] {
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
  PolicyCache policies_;
  ClientTokens client_tokens_;
  LastUsage last_usage_;
  KeyQuota key_quota_{keys_, {.per_account = 5, .per_token = 0}};
  std::atomic<int> finished_{0};
  std::unique_ptr<KeyStore> store_;
  pkcs11::OpenToken open_;
  std::unique_ptr<TokenSet> tokens_;
  std::unique_ptr<WorkerPool> control_;
  std::unique_ptr<WorkerPool> token_control_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Principal> caller_;
};

}  // namespace hallmark::app
