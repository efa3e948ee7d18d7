// What waits for a token is shared fairly among those who bring it, and nothing waits in vain.
#include "tests/pkcs11/opened_token.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;
using Tasks = std::vector<std::shared_ptr<WaitingTask>>;

constexpr std::uint64_t kNoisy = 1;
constexpr std::uint64_t kQuiet = 2;

class FairSharingTest : public OpenedTokenTest {
 protected:
  // A token with one place.
  void SetUp() override { Open(/*max_queued=*/1000); }

  void Open(std::size_t max_queued) {
    Reopen([&](TokenOptions& options) {
      options.sessions = 1;
      options.max_queued = max_queued;
    });
    key_ = Generate();
    ASSERT_THAT(Mac(key_), IsOk());
  }

  // The place is in a call until Disarm.
  std::shared_ptr<WaitingTask> OccupyThePlace() {
    FaultList::Arm({.function = "C_Sign", .hang = true});
    auto hanging = Start(key_, kLong, kNoisy);
    EXPECT_TRUE(FaultList::WaitForHanging(1, kLong));
    return hanging;
  }
  Tasks StartMany(int count, std::uint64_t whose, milliseconds deadline = kLong) {
    Tasks tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(Start(key_, deadline, whose));
    return tasks;
  }
  // The queue learns that a call takes about this long.
  void Learn(milliseconds call) {
    FaultList::Arm({.function = "C_Sign", .times = 24, .delay = call});
    for (int i = 0; i < 24; ++i) ASSERT_THAT(Mac(key_), IsOk());
  }

  MacKey key_;
};

TEST_F(FairSharingTest, PrincipalsAreServedInTurn) {
  const auto hanging = OccupyThePlace();
  const Tasks noisy = StartMany(6, kNoisy);
  const Tasks quiet = StartMany(2, kQuiet);
  FaultList::Disarm();
  for (const Tasks& tasks : {noisy, quiet}) {
    for (const auto& task : tasks) EXPECT_THAT(task->Wait(), IsOk());
  }
  EXPECT_LT(quiet[0]->answered_at(), noisy[1]->answered_at());
  EXPECT_LT(quiet[1]->answered_at(), noisy[2]->answered_at());
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(FairSharingTest, InAFullQueueWhoHoldsMostMakesRoomForANewcomer) {
  Open(/*max_queued=*/4);
  const auto hanging = OccupyThePlace();
  const Tasks noisy = StartMany(4, kNoisy);
  const auto quiet = Start(key_, kLong, kQuiet);
  const Result<MacTag> displaced = noisy.back()->Wait();
  ASSERT_THAT(displaced, Raises(Exception::kThrottlingException));
  EXPECT_TRUE(displaced.error().retry_after.has_value());
  // Two each would be fair, so one more takes its place; a third does not.
  const auto fair = Start(key_, kLong, kQuiet);
  EXPECT_THAT(noisy[2]->Wait(), Raises(Exception::kThrottlingException));
  EXPECT_THAT(Start(key_, kLong, kQuiet)->Wait(), Raises(Exception::kThrottlingException));
  EXPECT_THAT(Start(key_, kLong, kNoisy)->Wait(), Raises(Exception::kThrottlingException));
  FaultList::Disarm();
  EXPECT_THAT(quiet->Wait(), IsOk());
  EXPECT_THAT(fair->Wait(), IsOk());
  EXPECT_THAT(noisy[0]->Wait(), IsOk());
  EXPECT_THAT(noisy[1]->Wait(), IsOk());
  EXPECT_EQ(noisy[2]->finished(), 1);
  EXPECT_EQ(noisy[3]->finished(), 1);
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(FairSharingTest, AQueueFullOfOneCallerDoesNotGetAnotherRefused) {
  Learn(milliseconds(20));
  FaultList::Arm({.function = "C_Sign", .times = 0, .delay = milliseconds(20)});
  const Tasks noisy = StartMany(200, kNoisy);  // some 4 s of work
  EXPECT_THAT(Start(key_, milliseconds(1'500), kNoisy)->Wait(),
              Raises(Exception::kThrottlingException));
  EXPECT_THAT(Start(key_, milliseconds(1'500), kQuiet)->Wait(), IsOk());
  FaultList::Disarm();
  for (const auto& task : noisy) EXPECT_THAT(task->Wait(), IsOk());
}

TEST_F(FairSharingTest, WhoseTurnANewcomerPushesPastItsDeadlineIsToldAtOnce) {
  Learn(milliseconds(20));
  const auto hanging = OccupyThePlace();
  // Room for some: the estimate takes what it would serve in time, and refuses the others.
  const Tasks noisy = StartMany(100, kNoisy, milliseconds(1'500));
  EXPECT_THAT(noisy.back()->Wait(), Raises(Exception::kThrottlingException));
  std::size_t held = 0;
  while (held < noisy.size() && noisy[held]->finished() == 0) ++held;
  ASSERT_GT(held, 10u);
  // More than the margin that the estimate leaves.
  const Tasks quiet = StartMany(static_cast<int>(held) - 2, kQuiet);
  EXPECT_THAT(noisy[held - 1]->Wait(), Raises(Exception::kThrottlingException));
  EXPECT_EQ(noisy.front()->finished(), 0);
  EXPECT_EQ(quiet.front()->finished(), 0);
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(FairSharingTest, ACallThatWouldComeTooLateIsNotBegun) {
  Learn(milliseconds(100));
  const auto hanging = OccupyThePlace();
  const auto late = Start(key_, milliseconds(500));
  const auto other = Start(key_);
  std::this_thread::sleep_until(late->deadline() - milliseconds(50));
  FaultList::Disarm();
  EXPECT_THAT(late->Wait(), Raises(Exception::kKeyUnavailableException));
  EXPECT_EQ(late->admitted, 0);
  EXPECT_THAT(other->Wait(), IsOk());
  EXPECT_THAT(hanging->Wait(), IsOk());
}

TEST_F(FairSharingTest, TimeSpentOnRepairIsNotTheTokensTime) {
  FaultList::Arm({.function = "C_SignInit", .rv = CKR_KEY_HANDLE_INVALID});
  FaultList::Arm({.function = "C_FindObjectsInit", .delay = milliseconds(1'600)});
  ASSERT_THAT(Mac(key_), IsOk());
  const auto hanging = OccupyThePlace();
  // It would be refused if a call took a fifth of a second.
  const auto queued = Start(key_, milliseconds(150));
  EXPECT_THAT(queued->Wait(), Raises(Exception::kKeyUnavailableException));
  FaultList::Disarm();
  EXPECT_THAT(hanging->Wait(), IsOk());
}

}  // namespace
}  // namespace hallmark::pkcs11
