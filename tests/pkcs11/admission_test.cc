// A task is admitted again after every wait, and left alone once it was answered.
#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

class AdmissionTest : public OpenedTokenTest {
 protected:
  // A key whose check value is not known since the last scan.
  MacKey UnprovenKey() {
    const MacKey key = Generate();
    Reopen({});
    return key;
  }
};

TEST_F(AdmissionTest, ARevocationDuringTheCheckValueKeepsTheMessageFromTheToken) {
  const MacKey key = UnprovenKey();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  task->refuse_admission = true;
  FaultList::ResetCalls();
  FaultList::Disarm();
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(AdmissionTest, ARevocationDuringARenewalKeepsTheMessageFromTheToken) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_HANDLE_INVALID});
  FaultList::Arm({.function = "C_FindObjectsInit", .skip = 1, .hang = true});
  const auto task = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  task->refuse_admission = true;
  FaultList::ResetCalls();
  FaultList::Disarm();
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(AdmissionTest, ARevocationDuringASessionErrorKeepsTheMessageFromTheToken) {
  const MacKey key = Generate();
  ASSERT_THAT(Mac(key), IsOk());
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_SESSION_HANDLE_INVALID});
  FaultList::Arm({.function = "C_GetSessionInfo", .hang = true});
  const auto task = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  task->refuse_admission = true;
  FaultList::ResetCalls();
  FaultList::Disarm();
  EXPECT_THAT(task->Wait(), Raises(Exception::kDisabledException));
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(AdmissionTest, AKeyThatWasReplacedDuringTheCheckValueIsProvenAndUsedInstead) {
  const MacKey before = Generate();
  const MacKey after = Generate();
  Reopen({});
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = Start(before);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  task->Rebind(after);
  FaultList::ResetCalls();
  FaultList::Disarm();
  const Result<MacTag> tag = task->Wait();
  ASSERT_THAT(tag, IsOk());
  EXPECT_EQ(FaultList::Calls("C_Sign"), 2u);  // the other key's check value, and the message
  const Result<MacTag> expected = Mac(after);
  ASSERT_THAT(expected, IsOk());
  EXPECT_EQ(ToHex(tag->bytes()), ToHex(expected->bytes()));
}

TEST_F(AdmissionTest, ATaskWithAKnownCheckValueIsAdmittedOnce) {
  const MacKey key = Generate();
  const auto task = Start(key);
  ASSERT_THAT(task->Wait(), IsOk());
  EXPECT_EQ(task->admitted, 1);
}

TEST_F(AdmissionTest, ATaskAnsweredByItsDeadlineIsNotAdmittedWhenTheTokenComesBack) {
  const MacKey key = UnprovenKey();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = Start(key, milliseconds(100));
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  ASSERT_EQ(task->admitted, 1);
  FaultList::ResetCalls();
  FaultList::Disarm();
  hsm_.reset();  // waits for the worker
  EXPECT_EQ(task->admitted, 1);
  EXPECT_EQ(task->finished(), 1);
  EXPECT_EQ(FaultList::Calls("C_SignInit"), 0u);
}

TEST_F(AdmissionTest, AWorkerLeftBehindDoesNotTouchItsTaskAgain) {
  hsm_.reset();
  FaultList::ResetCalls();
  Reopen({});
  const MacKey key = UnprovenKey();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = Start(key);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  hsm_.reset();
  EXPECT_EQ(task->finished(), 1);
  FaultList::Disarm();
  EXPECT_TRUE(WaitUntil(
      [] { return FaultList::Calls("C_CloseSession") == FaultList::Calls("C_OpenSession"); }));
  EXPECT_EQ(task->admitted, 1);
  EXPECT_EQ(task->finished(), 1);
}

TEST_F(AdmissionTest, TheEndWaitsForAnAdmissionUnderWay) {
  class SlowToDecide final : public MacTask {
   public:
    ByteView message() const override { return AsBytes("message"); }
    SteadyTime deadline() const override { return In(kLong); }
    bool abandoned() const override { return false; }
    Result<MacKey> Admit() override {
      deciding = true;
      // Longer than the destructor waits for the token.
      std::this_thread::sleep_for(milliseconds(2'500));
      decided = true;
      return Fail(Exception::kDisabledException);
    }
    void Finish(Result<MacTag>) override { ++finished; }

    std::atomic<bool> deciding{false};
    std::atomic<bool> decided{false};
    std::atomic<int> finished{0};
  };
  const auto task = std::make_shared<SlowToDecide>();
  hsm_->ComputeMac(task);
  ASSERT_TRUE(WaitUntil([&task] { return task->deciding.load(); }));
  hsm_.reset();
  EXPECT_TRUE(task->decided);
  EXPECT_EQ(task->finished, 1);
}

}  // namespace
}  // namespace hallmark::pkcs11
