// A fast token is called on the thread that brings a task; a slow or hanging one is not, or loses
// it.
#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

class BorrowingTest : public OpenedTokenTest {
 protected:
  // The task of a thread that may be borrowed; not submitted yet.
  std::shared_ptr<WaitingTask> TaskFor(const MacKey& key, milliseconds deadline = kLong) {
    auto task = std::make_shared<WaitingTask>(key, "message", In(deadline));
    task->compute_here = true;
    return task;
  }

  // A key that is proven, on a token that was found to be fast.
  MacKey UsedKey() {
    const MacKey key = Generate();
    EXPECT_THAT(Mac(key), IsOk());
    return key;
  }
};

TEST_F(BorrowingTest, AFastTokenIsCalledOnTheThreadThatBringsTheTask) {
  const MacKey key = UsedKey();
  // On a busy machine a call may have looked slow: those that follow put that right.
  EXPECT_TRUE(WaitUntil([&] {
    const auto task = TaskFor(key);
    hsm_->ComputeMac(task);
    EXPECT_THAT(task->Wait(), IsOk());
    return task->admitted_on.load() == std::this_thread::get_id();
  }));
}

TEST_F(BorrowingTest, ATaskThatDoesNotAllowItIsComputedElsewhere) {
  const MacKey key = UsedKey();
  const auto task = Start(key);
  EXPECT_THAT(task->Wait(), IsOk());
  EXPECT_NE(task->admitted_on.load(), std::this_thread::get_id());
}

TEST_F(BorrowingTest, ASlowTokenIsCalledOnItsOwnThreadsUntilItIsFastAgain) {
  const MacKey key = UsedKey();
  FaultList::Arm({.function = "C_Sign", .delay = milliseconds(50)});
  EXPECT_THAT(Mac(key), IsOk());
  const auto after = TaskFor(key);
  hsm_->ComputeMac(after);
  EXPECT_THAT(after->Wait(), IsOk());
  EXPECT_NE(after->admitted_on.load(), std::this_thread::get_id());

  EXPECT_TRUE(WaitUntil([&] {
    const auto task = TaskFor(key);
    hsm_->ComputeMac(task);
    EXPECT_THAT(task->Wait(), IsOk());
    return task->admitted_on.load() == std::this_thread::get_id();
  }));
}

TEST_F(BorrowingTest, AHangingCallOnABorrowedThreadIsAnsweredByItsDeadline) {
  const MacKey key = UsedKey();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = TaskFor(key, milliseconds(100));
  std::jthread bringer([&] { hsm_->ComputeMac(task); });
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  FaultList::Disarm();
  bringer.join();
  EXPECT_EQ(task->finished(), 1);
  EXPECT_THAT(Mac(key), IsOk());
}

TEST_F(BorrowingTest, WhileOneThreadHangsTheNextTaskIsComputedElsewhere) {
  const MacKey key = UsedKey();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto hanging = TaskFor(key);
  std::jthread bringer([&] { hsm_->ComputeMac(hanging); });
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  ASSERT_TRUE(WaitUntil([&] {
    const auto task = TaskFor(key);
    hsm_->ComputeMac(task);
    EXPECT_THAT(task->Wait(), IsOk());
    return task->admitted_on.load() != std::this_thread::get_id();
  }));
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(BorrowingTest, ABorrowedThreadThatHangsUntilTheEndNeverComesBack) {
  // Outlives the test, like the thread.
  static std::atomic<bool> came_back{false};
  const MacKey key = UsedKey();
  FaultList::ResetCalls();
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = TaskFor(key);
  std::thread([hsm = hsm_.get(), task] {
    hsm->ComputeMac(task);
    came_back = true;
  }).detach();
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  hsm_.reset();
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  FaultList::Disarm();
  // A new token behind the same module: once it has answered, so has the old one.
  Reopen({});
  EXPECT_THAT(Mac(key), IsOk());
  EXPECT_FALSE(came_back);
  EXPECT_EQ(task->finished(), 1);
}

}  // namespace
}  // namespace hallmark::pkcs11
