// What happens when the token fails, is slow, or hangs.
#include "tests/pkcs11/opened_token.h"

#include <array>
#include <atomic>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class RecoveryTest : public OpenedTokenTest {};

TEST_F(RecoveryTest, ADataErrorKeepsTheSession) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_SIZE_RANGE});
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_TRUE(hsm_->available());
}

TEST_F(RecoveryTest, ASessionErrorIsRepairedUnseen) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  for (const CK_RV rv : {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_OPERATION_ACTIVE}) {
    FaultList::ResetCalls();
    FaultList::Arm({.function = "C_Sign", .rv = rv});
    EXPECT_THAT(Mac(key), IsOk());
    EXPECT_EQ(FaultList::Calls("C_CloseSession"), 1u);
    EXPECT_EQ(FaultList::Calls("C_Sign"), 2u);
  }
}

TEST_F(RecoveryTest, ASessionErrorThatLastsIsToldAfterOneRepetition) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::ResetCalls();
  FaultList::Arm({.function = "C_Sign", .rv = CKR_SESSION_HANDLE_INVALID, .times = 0});
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(FaultList::Calls("C_Sign"), 2u);
}

TEST_F(RecoveryTest, ALostLoginIsRenewedOnce) {
  const MacKey key = Generate();
  const Result<MacTag> before = Mac(key);
  ASSERT_THAT(before, IsOk());
  TestSession(token_).LogOut();
  FaultList::ResetCalls();
  const Result<MacTag> after = Mac(key);
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(ToHex(before->bytes()), ToHex(after->bytes()));
  EXPECT_EQ(FaultList::Calls("C_Login"), 1u);
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac256, In(kLong)), IsOk());
}

TEST_F(RecoveryTest, ASessionErrorWithoutTheSessionThatKeptTheLoginScansAgain) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  SoftHsmToken::functions().C_CloseAllSessions(token_.slot());
  const TestSession logged_in(token_);  // so that nothing but the session error tells of the loss
  FaultList::ResetCalls();
  EXPECT_THAT(Mac(key), IsOk());
  // One search for the anchor, one for everything; the anchor, the key and the message are signed.
  EXPECT_EQ(FaultList::Calls("C_FindObjectsInit"), 2u);
  EXPECT_EQ(FaultList::Calls("C_Sign"), 3u);
  EXPECT_EQ(FaultList::Calls("C_Login"), 0u);
}

TEST_F(RecoveryTest, AnInvalidHandleIsFoundAgainByOneScan) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::ResetCalls();
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_HANDLE_INVALID});
  EXPECT_THAT(Mac(key), IsOk());
  // One search for the anchor, one for everything.
  EXPECT_EQ(FaultList::Calls("C_FindObjectsInit"), 2u);
  EXPECT_EQ(FaultList::Calls("C_Login"), 0u);
}

TEST_F(RecoveryTest, AKeyWhoseHandleStaysInvalidDoesNotCauseAScanPerCall) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  TestSession(token_).Destroy(key.cka_id);
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  FaultList::ResetCalls();
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(FaultList::Calls("C_FindObjectsInit"), 0u);
  EXPECT_TRUE(hsm_->available());
}

TEST_F(RecoveryTest, ADeviceErrorTakesTheTokenOutUntilItAnswersAgain) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_OpenSession", .rv = CKR_DEVICE_REMOVED, .times = 0});
  FaultList::Arm({.function = "C_Sign", .rv = CKR_DEVICE_REMOVED, .times = 0});
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_FALSE(hsm_->available());
  FaultList::ResetCalls();
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(FaultList::Calls("C_Sign"), 0u);
  EXPECT_THAT(hsm_->GenerateKey(RandomId(), KeySpec::kHmac256, In(kLong)),
              Raises(Exception::kDependencyTimeoutException));
  EXPECT_TRUE(WaitUntil([this] { return events_.Count(Severity::kAlarm, "out of service") == 1; }));

  FaultList::Disarm();
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_TRUE(
      WaitUntil([this] { return events_.Count(Severity::kInfo, "in service again") == 1; }));
}

TEST_F(RecoveryTest, AWrongPinAtRunTimeIsTriedOnce) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  const std::string right = token_.ReplacePin("wrong-pin");
  FaultList::ResetCalls();
  SoftHsmToken::functions().C_CloseAllSessions(token_.slot());
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  const std::size_t before = FaultList::Calls("C_GetTokenInfo");
  EXPECT_TRUE(WaitUntil(
      [before] { return FaultList::Calls("C_GetTokenInfo") > before + 3; }));  // two probes later
  EXPECT_EQ(FaultList::Calls("C_Login"), 1u);
  static_cast<void>(token_.ReplacePin(right));
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(RecoveryTest, ATagOfAWrongLengthIsNeverReturned) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .shorten_by = 1});
  EXPECT_THAT(Mac(key), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(events_.Count(Severity::kAlarm, "wrong length"), 1);
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(RecoveryTest, ASlowTokenDoesNotHoldAShortDeadline) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .delay = milliseconds(2'000)});
  const SteadyTime started = std::chrono::steady_clock::now();
  const auto task = Start(key, milliseconds(50));
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  EXPECT_LT(task->answered_at() - started, milliseconds(1'000));
  hsm_.reset();  // waits for the late result
  EXPECT_EQ(task->finished(), 1);
}

TEST_F(RecoveryTest, AHangingCallDoesNotStopTheOthers) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  for (int i = 0; i < 100; ++i) EXPECT_THAT(Mac(key), IsOk());
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(RecoveryTest, RefusesWhatDoesNotFitIntoTheQueue) {
  Reopen([](TokenOptions& options) {
    options.sessions = 1;
    options.max_queued = 2;
  });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  const auto first = Start(key);
  const auto second = Start(key);
  const Result<MacTag> refused = Start(key)->Wait();
  ASSERT_THAT(refused, Raises(Exception::kThrottlingException));
  EXPECT_TRUE(refused.error().retry_after.has_value());
  EXPECT_THAT(refused.error().detail, HasSubstr("token test"));
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
  EXPECT_THAT(first->Wait(), IsOk());
  EXPECT_THAT(second->Wait(), IsOk());
}

TEST_F(RecoveryTest, RefusesAtOnceWhatCannotBeDoneInTime) {
  Reopen([](TokenOptions& options) { options.sessions = 1; });
  const MacKey key = Generate();
  FaultList::Arm({.function = "C_Sign", .times = 4, .delay = milliseconds(300)});
  ASSERT_THAT(Mac(key), IsOk());
  ASSERT_THAT(Mac(key), IsOk());  // the queue has learned that a call takes a while
  FaultList::Disarm();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  EXPECT_THAT(Start(key, milliseconds(20))->Wait(), Raises(Exception::kThrottlingException));
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(RecoveryTest, RefusesAtOnceWhenEveryCallHangs) {
  Reopen([](TokenOptions& options) { options.sessions = 1; });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  EXPECT_TRUE(WaitUntil([this] { return !hsm_->available(); }));
  EXPECT_THAT(Start(key)->Wait(), Raises(Exception::kKeyUnavailableException));
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(RecoveryTest, AnAbandonedCallDoesNotReachTheToken) {
  Reopen([](TokenOptions& options) { options.sessions = 1; });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  const auto abandoned = Start(key);
  abandoned->abandon = true;
  FaultList::ResetCalls();
  FaultList::Disarm();
  EXPECT_THAT(abandoned->Wait(), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(abandoned->admitted, 0);
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(RecoveryTest, ACallRefusedAtTheLastMomentDoesNotReachTheToken) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::ResetCalls();
  auto task = std::make_shared<WaitingTask>(key, "message", In(kLong));
  task->refuse_admission = true;
  hsm_->ComputeMac(task);
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(RecoveryTest, AQueuedCallIsAnsweredByItsDeadline) {
  Reopen([](TokenOptions& options) { options.sessions = 1; });
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  const auto queued = Start(key, milliseconds(100));
  EXPECT_THAT(queued->Wait(), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(queued->admitted, 0);
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(RecoveryTest, EndsAlthoughACallHangs) {
  hsm_.reset();
  FaultList::ResetCalls();
  Reopen({});
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  hsm_.reset();
  EXPECT_THAT(hanging->Wait(), Raises(Exception::kKeyUnavailableException));
  FaultList::Disarm();
  // The thread that was left behind ends when its call returns, and closes what it kept open.
  EXPECT_TRUE(WaitUntil(
      [] { return FaultList::Calls("C_CloseSession") == FaultList::Calls("C_OpenSession"); }));
  EXPECT_EQ(hanging->finished(), 1);
}

TEST_F(RecoveryTest, AnswersEveryCallOnceUnderLoadAndFaults) {
  Reopen([](TokenOptions& options) { options.sessions = 4; });
  const std::vector<MacKey> keys{Generate(KeySpec::kHmac256), Generate(KeySpec::kHmac512)};
  std::vector<std::string> expected;
  for (const MacKey& key : keys) {
    const Result<MacTag> tag = Mac(key);
    ASSERT_THAT(tag, IsOk());
    expected.push_back(ToHex(tag->bytes()));
  }
  for (const std::size_t skip : {50u, 150u, 400u}) {
    FaultList::Arm({.function = "C_Sign", .rv = CKR_SESSION_CLOSED, .skip = skip, .times = 3});
    FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_HANDLE_INVALID, .skip = skip + 20});
  }
  std::atomic<int> wrong{0};
  std::atomic<int> right{0};
  std::atomic<std::size_t> made{0};
  {
    std::array<std::jthread, 4> callers;
    for (std::jthread& caller : callers) {
      caller = std::jthread([&] {
        for (std::size_t i = 0; i < 200; ++i) {
          const auto task = Start(keys[i % keys.size()]);
          const Result<MacTag> tag = task->Wait();
          if (!tag.has_value()) {
            // A fault that strikes the proof of the anchor takes the token out until the probe.
            EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
            continue;
          }
          (ToHex(tag->bytes()) == expected[i % keys.size()] ? right : wrong)++;
        }
      });
    }
    const std::jthread maker([&] {
      for (int i = 0; i < 10; ++i) {
        const CkaId id = RandomId();
        if (hsm_->GenerateKey(id, KeySpec::kHmac256, In(kLong)).has_value()) {
          ++made;
        } else {
          // A fault struck after the key was made, which is never repeated, or the token is out.
          EXPECT_TRUE(WaitUntil([&] { return hsm_->DestroyKey(id, In(kLong)).has_value(); }));
        }
      }
    });
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 700);
  EXPECT_EQ(hsm_->ListKeys().size(), keys.size() + made);
}

}  // namespace
}  // namespace hallmark::pkcs11
