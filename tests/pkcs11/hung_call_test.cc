// A call that never comes back costs a thread and a session, and nobody else anything.
#include "tests/pkcs11/opened_token.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

class HungCallTest : public OpenedTokenTest {
 protected:
  void SetUp() override {
    FaultList::ResetCalls();
    OpenWith(/*max_hung_calls=*/8);
  }

  void OpenWith(std::size_t max_hung_calls) {
    Reopen([&](TokenOptions& options) {
      options.sessions = 2;
      options.hung_call_limit = milliseconds(300);
      options.max_hung_calls = max_hung_calls;
    });
    key_ = Generate();
    ASSERT_THAT(Mac(key_), IsOk());
  }

  // Calls that hang until Disarm, and whose callers were answered.
  std::vector<std::shared_ptr<WaitingTask>> Hang(std::size_t calls) {
    hanging_ += calls;
    FaultList::Arm({.function = "C_Sign", .times = calls, .hang = true});
    std::vector<std::shared_ptr<WaitingTask>> tasks;
    for (std::size_t i = 0; i < calls; ++i) tasks.push_back(Start(key_, milliseconds(500)));
    EXPECT_TRUE(FaultList::WaitForHanging(hanging_, kLong));
    for (const auto& task : tasks) {
      EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
    }
    return tasks;
  }
  bool WaitForHung(std::size_t calls) {
    return WaitUntil([&] { return hsm_->hung_calls().now == calls; });
  }
  static bool AllSessionsAreClosed() {
    return FaultList::Calls("C_CloseSession") == FaultList::Calls("C_OpenSession");
  }

  MacKey key_;
  std::size_t hanging_ = 0;
};

TEST_F(HungCallTest, OthersAreServedAtFullWidthAgain) {
  const auto first = Hang(2);
  ASSERT_TRUE(WaitForHung(2));
  EXPECT_THAT(Mac(key_), IsOk());
  // Both places are there: two more calls are in the token at the same time.
  const auto second = Hang(2);
  ASSERT_TRUE(WaitForHung(4));
  EXPECT_THAT(Mac(key_), IsOk());
  EXPECT_EQ(events_.Count(Severity::kWarning, "does not come back"), 4);

  FaultList::Disarm();
  EXPECT_TRUE(WaitForHung(0));
  EXPECT_EQ(hsm_->hung_calls().written_off, 4u);
  EXPECT_THAT(Mac(key_), IsOk());
  for (const auto& tasks : {first, second}) {
    for (const auto& task : tasks) EXPECT_EQ(task->finished(), 1);
  }
  hsm_.reset();
  EXPECT_TRUE(AllSessionsAreClosed());
}

TEST_F(HungCallTest, ACallThatComesBackClosesItsSession) {
  Hang(1);
  ASSERT_TRUE(WaitForHung(1));
  const std::size_t closed = FaultList::Calls("C_CloseSession");
  FaultList::Disarm();
  ASSERT_TRUE(WaitForHung(0));
  EXPECT_EQ(FaultList::Calls("C_CloseSession"), closed + 1);
  EXPECT_THAT(Mac(key_), IsOk());
}

TEST_F(HungCallTest, ATokenWhoseLastPlaceHangsComesBackByItself) {
  Reopen([](TokenOptions& options) {
    options.sessions = 2;
    options.hung_call_limit = milliseconds(2'000);
  });
  ASSERT_THAT(Mac(key_), IsOk());
  const auto hung = Hang(1);
  EXPECT_TRUE(hsm_->available());
  const auto last = Hang(1);
  EXPECT_TRUE(WaitUntil([this] { return !hsm_->available(); }));
  EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
  EXPECT_GE(hsm_->hung_calls().now, 1u);
  EXPECT_THAT(Mac(key_), IsOk());
}

TEST_F(HungCallTest, AHungCallOnABorrowedThreadIsReplacedToo) {
  std::atomic<bool> came_back{false};
  std::shared_ptr<WaitingTask> task;
  std::jthread bringer;
  // On a busy machine a call may look slow, and the next then goes to a worker.
  ASSERT_TRUE(WaitUntil([&] {
    task = std::make_shared<WaitingTask>(key_, "message", In(kLong));
    task->compute_here = true;
    hsm_->ComputeMac(task);
    EXPECT_THAT(task->Wait(), IsOk());
    return task->admitted_on.load() == std::this_thread::get_id();
  }));
  FaultList::Arm({.function = "C_Sign", .hang = true});
  task = std::make_shared<WaitingTask>(key_, "message", In(milliseconds(200)));
  task->compute_here = true;
  bringer = std::jthread([&] {
    hsm_->ComputeMac(task);
    came_back = true;
  });
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  EXPECT_THAT(task->Wait(), Raises(Exception::kKeyUnavailableException));
  ASSERT_TRUE(WaitForHung(1));
  hanging_ = 1;
  Hang(2);
  ASSERT_TRUE(WaitForHung(3));
  EXPECT_FALSE(came_back);
  FaultList::Disarm();
  bringer.join();
  EXPECT_TRUE(WaitForHung(0));
  EXPECT_EQ(task->finished(), 1);
  EXPECT_THAT(Mac(key_), IsOk());
}

TEST_F(HungCallTest, WhenTooManyHangTheProcessIsToldOnce) {
  std::atomic<int> told{0};
  too_many_hung_ = [&told] { ++told; };
  OpenWith(/*max_hung_calls=*/1);
  Hang(1);
  ASSERT_TRUE(WaitForHung(1));
  EXPECT_EQ(told, 0);
  Hang(2);
  EXPECT_TRUE(WaitUntil([&] { return told == 1; }));
  // The queue looks at its calls a hundred times a second.
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(events_.Count(Severity::kAlarm, "do not come back"), 1);
  EXPECT_EQ(hsm_->hung_calls().now, 1u);
  FaultList::Disarm();
  EXPECT_TRUE(WaitForHung(0));
  EXPECT_THAT(Mac(key_), IsOk());
  hsm_.reset();
}

TEST_F(HungCallTest, ACallWithinItsDeadlineIsLeftAlone) {
  FaultList::Arm({.function = "C_Sign", .hang = true});
  const auto task = Start(key_);
  ASSERT_TRUE(FaultList::WaitForHanging(1, kLong));
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_EQ(hsm_->hung_calls().written_off, 0u);
  FaultList::Disarm();
  EXPECT_THAT(task->Wait(), IsOk());
}

TEST_F(HungCallTest, TheEndLeavesBehindWhatWasWrittenOff) {
  const auto tasks = Hang(2);
  ASSERT_TRUE(WaitForHung(2));
  hsm_.reset();
  FaultList::Disarm();
  EXPECT_TRUE(WaitUntil(AllSessionsAreClosed));
  for (const auto& task : tasks) EXPECT_EQ(task->finished(), 1);
}

}  // namespace
}  // namespace hallmark::pkcs11
