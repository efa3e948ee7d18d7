// A token of ours, opened through the public interface, and calls on it.
#pragma once

#include "keystate/mutex.h"
#include "pkcs11/token_hsm.h"
#include "tests/support/fault_list.h"
#include "tests/support/result_matchers.h"
#include "tests/support/softhsm_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {

using testing::FaultList;
using testing::IsOk;
using testing::Raises;
using testing::SoftHsmToken;

using testing::TestSession;

inline SteadyTime In(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}
// No test waits as long as this unless it fails.
inline constexpr std::chrono::milliseconds kLong{20'000};

// A MAC that a test waits for.
class WaitingTask final : public MacTask {
 public:
  WaitingTask(MacKey key, std::string message, SteadyTime deadline)
      : message_(std::move(message)), deadline_(deadline), key_(key) {}

  ByteView message() const override { return AsBytes(message_); }
  SteadyTime deadline() const override { return deadline_; }
  bool abandoned() const override { return abandon.load(); }
  bool may_compute_here() const override { return compute_here.load(); }
  std::uint64_t principal() const override { return whose.load(); }
  Result<MacKey> Admit() override {
    ++admitted;
    admitted_on = std::this_thread::get_id();
    if (refuse_admission) {
      return Fail(Exception::kDisabledException, "Disabled while it waited.");
    }
    MutexLock lock(mu_);
    return key_;
  }
  void Finish(Result<MacTag> tag) override {
    MutexLock lock(mu_);
    ++finished_;
    result_ = std::move(tag);
    answered_at_ = std::chrono::steady_clock::now();
    changed_.notify_all();
  }

  // Waits for the answer.
  Result<MacTag> Wait() {
    const SteadyTime give_up = In(kLong);
    MutexLock lock(mu_);
    while (!result_) {
      if (changed_.wait_until(mu_, give_up) == std::cv_status::timeout && !result_) {
        ADD_FAILURE() << "no answer";
        return Fail(Exception::kKMSInternalException, "no answer");
      }
    }
    return *result_;
  }
  SteadyTime answered_at() {
    MutexLock lock(mu_);
    return answered_at_;
  }
  int finished() {
    MutexLock lock(mu_);
    return finished_;
  }

  // What the task is admitted with from now on.
  void Rebind(const MacKey& key) {
    MutexLock lock(mu_);
    key_ = key;
  }

  std::atomic<bool> abandon{false};
  std::atomic<bool> compute_here{false};
  std::atomic<std::uint64_t> whose{0};
  std::atomic<int> admitted{0};
  std::atomic<std::thread::id> admitted_on{};
  std::atomic<bool> refuse_admission{false};

 private:
  const std::string message_;
  const SteadyTime deadline_;
  Mutex mu_;
  ConditionVariable changed_;
  MacKey key_ HALLMARK_GUARDED_BY(mu_);
  std::optional<Result<MacTag>> result_ HALLMARK_GUARDED_BY(mu_);
  SteadyTime answered_at_ HALLMARK_GUARDED_BY(mu_){};
  int finished_ HALLMARK_GUARDED_BY(mu_) = 0;
};

// What operators were told.
class EventLog {
 public:
  EventSink sink() {
    return [this](Severity severity, const std::string& text) {
      MutexLock lock(mu_);
      events_.emplace_back(severity, text);
    };
  }
  int Count(Severity severity, const std::string& part) const {
    MutexLock lock(mu_);
    int count = 0;
    for (const auto& [event_severity, text] : events_) {
      if (event_severity == severity && text.find(part) != std::string::npos) ++count;
    }
    return count;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::pair<Severity, std::string>> events_ HALLMARK_GUARDED_BY(mu_);
};

inline bool WaitUntil(const std::function<bool()>& condition) {
  const SteadyTime give_up = In(kLong);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// A fresh token with its anchor, open.
class OpenedTokenTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen({}); }
  void TearDown() override { FaultList::Disarm(); }

  // Opens (again) with changed options.
  void Reopen(const std::function<void(TokenOptions&)>& change) {
    hsm_.reset();
    options_ = token_.options();
    if (change) change(options_);
    if (anchor_.token_id.empty()) {
      const Result<TokenRecord, OpenError> anchor = InitToken(options_, random_);
      ASSERT_TRUE(anchor.has_value()) << anchor.error().message;
      anchor_ = *anchor;
    }
    Result<OpenToken, OpenError> open =
        Open(options_, anchor_, random_, events_.sink(), too_many_hung_);
    ASSERT_TRUE(open.has_value()) << open.error().message;
    hsm_ = std::move(open->hsm);
    sealer_ = std::move(open->sealer);
  }

  CkaId RandomId() {
    CkaId id;
    random_.Fill(id);
    return id;
  }

  MacKey Generate(KeySpec spec = KeySpec::kHmac256) {
    const CkaId id = RandomId();
    const Result<GeneratedKey> key = hsm_->GenerateKey(id, spec, In(kLong));
    EXPECT_TRUE(key.has_value()) << ToString(key.error());
    return {id, spec, key.has_value() ? key->check_value : KeyCheckValue{}};
  }

  std::shared_ptr<WaitingTask> Start(const MacKey& key, std::chrono::milliseconds deadline = kLong,
                                     std::uint64_t whose = 0) {
    auto task = std::make_shared<WaitingTask>(key, "message", In(deadline));
    task->whose = whose;
    hsm_->ComputeMac(task);
    return task;
  }

  Result<MacTag> Mac(const MacKey& key, const std::string& message = "message") {
    auto task = std::make_shared<WaitingTask>(key, message, In(kLong));
    hsm_->ComputeMac(task);
    return task->Wait();
  }

  SoftHsmToken token_;
  service::OsRandom random_;
  EventLog events_;
  std::function<void()> too_many_hung_;
  TokenOptions options_;
  TokenRecord anchor_;
  std::unique_ptr<Hsm> hsm_;
  std::unique_ptr<Sealer> sealer_;
};

}  // namespace hallmark::pkcs11
