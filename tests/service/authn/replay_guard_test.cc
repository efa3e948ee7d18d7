#include "service/authn/replay_guard.h"

#include "tests/service/authn/signed_requests.h"
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark::authn {
namespace {

using hallmark::testing::IsOk;
using hallmark::testing::Raises;
using namespace std::chrono_literals;

constexpr Exception kThrottled = Exception::kThrottlingException;

MATCHER(RefusesAReplay, "says that the signature was used before") {
  return !arg.has_value() && arg.error().exception == kThrottled &&
         arg.error().message.find("was used before") != std::string::npos;
}

// Small enough to be filled.
constexpr ReplayLimits kLimits{.per_access_key = 4, .total = 12};
Sha256Digest Signature(int number) { return Sha256(std::to_string(number)); }

TEST(ReplayGuardTest, ASignatureIsRememberedAsLongAsItIsGood) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon - 5min), IsOk());
  for (const auto later : {-5min, 0min, 5min}) {
    EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon + later), RefusesAReplay());
  }
  EXPECT_EQ(guard.size(), 1U);
}

TEST(ReplayGuardTest, AReplaySaysThatASignatureOfTheNextSecondWillDo) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon), IsOk());
  const auto replay = guard.Admit("a", Signature(1), kNoon, kNoon);
  ASSERT_THAT(replay, RefusesAReplay());
  EXPECT_EQ(replay.error().retry_after, 1s);
}

TEST(ReplayGuardTest, WhatIsNotGoodAnyMoreIsForgottenForEveryAccessKey) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(guard.Admit("a", Signature(i), kNoon, kNoon), IsOk());
  EXPECT_THAT(guard.Admit("b", Signature(3), kNoon + 5min, kNoon + 5min + 1ms), IsOk());
  EXPECT_EQ(guard.size(), 1U);
}

TEST(ReplayGuardTest, OtherSignaturesOfTheSameSecondPass) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon), IsOk());
  EXPECT_THAT(guard.Admit("a", Signature(2), kNoon, kNoon), IsOk());
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon), RefusesAReplay());
  EXPECT_THAT(guard.Admit("a", Signature(2), kNoon, kNoon), RefusesAReplay());
}

TEST(ReplayGuardTest, AFullMemoryOfAnAccessKeyRefusesUntilRoomComesBack) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(guard.Admit("a", Signature(i), kNoon + std::chrono::seconds(i), kNoon), IsOk());
  }
  const auto full = guard.Admit("a", Signature(4), kNoon + 4s, kNoon + 60s);
  ASSERT_THAT(full, Raises(kThrottled));
  EXPECT_EQ(full.error().retry_after, 240s);
  // What is remembered stays refused for what it is, and others are not disturbed.
  EXPECT_THAT(guard.Admit("a", Signature(0), kNoon, kNoon + 60s), RefusesAReplay());
  EXPECT_THAT(guard.Admit("b", Signature(5), kNoon + 5s, kNoon + 60s), IsOk());
  // The signature that was refused counts when it comes back.
  EXPECT_THAT(guard.Admit("a", Signature(4), kNoon + 4s, kNoon + 5min + 1ms), IsOk());
}

TEST(ReplayGuardTest, AnAccessKeyTakesNoMoreThanIsLeftForAllOthers) {
  TestMarks marks;
  ReplayGuard guard({.per_access_key = 100, .total = 12}, 5min, marks);
  int number = 0;
  const auto fill = [&](const std::string& key) {
    int admitted = 0;
    while (guard.Admit(key, Signature(++number), kNoon, kNoon)) ++admitted;
    return admitted;
  };
  EXPECT_EQ(fill("a"), 6);
  EXPECT_EQ(fill("b"), 3);
  EXPECT_EQ(fill("c"), 2);  // two of the three that were left: then one is
  EXPECT_EQ(fill("d"), 1);
  EXPECT_EQ(fill("e"), 0);
  EXPECT_EQ(guard.size(), 12U);
}

TEST(ReplayGuardTest, SignaturesUpToTheMarkMayHaveBeenUsed) {
  TestMarks marks(kNoon);
  ReplayGuard guard(kLimits, 5min, marks);
  // A client whose clock is behind comes back when it is not behind the mark any more.
  const auto early = guard.Admit("a", Signature(1), kNoon - 10s, kNoon + 1s);
  ASSERT_THAT(early, Raises(kThrottled));
  EXPECT_EQ(early.error().retry_after, 11s);
  EXPECT_THAT(guard.Admit("a", Signature(2), kNoon, kNoon + 1s), Raises(kThrottled));
  EXPECT_THAT(guard.Admit("a", Signature(3), kNoon + 1s, kNoon + 1s), IsOk());
}

TEST(ReplayGuardTest, ASignatureFromTheFutureIsMarkedBeforeItCounts) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon + 999ms), IsOk());
  EXPECT_THAT(marks.raised(), ::testing::IsEmpty());
  EXPECT_THAT(guard.Admit("a", Signature(2), kNoon + 1s, kNoon + 999ms), IsOk());
  EXPECT_THAT(marks.raised(), ::testing::ElementsAre(std::pair(std::string("a"), kNoon + 1s)));
  marks.broken = true;
  EXPECT_THAT(guard.Admit("a", Signature(3), kNoon + 2s, kNoon),
              Raises(Exception::kDependencyTimeoutException));
}

TEST(ReplayGuardTest, AClockThatIsSetBackRevivesNoSignature) {
  TestMarks marks;
  ReplayGuard guard(kLimits, 5min, marks);
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon), IsOk());
  EXPECT_THAT(guard.Admit("a", Signature(2), kNoon + 6min, kNoon + 6min), IsOk());
  EXPECT_THAT(guard.Admit("a", Signature(1), kNoon, kNoon), Raises(kThrottled));
  EXPECT_THAT(guard.Admit("a", Signature(3), kNoon + 1s, kNoon + 1s), IsOk());
}

TEST(ReplayGuardTest, ConcurrentCallsAreCountedExactly) {
  constexpr int kThreads = 8;
  constexpr int kSignatures = 500;
  TestMarks marks;
  ReplayGuard guard({.per_access_key = kSignatures, .total = 8 * kSignatures}, 5min, marks);
  std::atomic<int> admitted{0};
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        // Two threads share an access key and its signatures.
        const std::string key = "key " + std::to_string(t / 2);
        for (int i = 0; i < kSignatures; ++i) {
          const Sha256Digest signature = Sha256(key + std::to_string(i));
          if (guard.Admit(key, signature, kNoon + std::chrono::seconds(i % 7), kNoon)) ++admitted;
        }
      });
    }
  }
  EXPECT_EQ(admitted, kThreads / 2 * kSignatures);
  EXPECT_EQ(guard.size(), static_cast<std::size_t>(kThreads / 2 * kSignatures));
  EXPECT_THAT(guard.Admit("key 0", Signature(1), kNoon, kNoon), Raises(kThrottled));
}

}  // namespace
}  // namespace hallmark::authn
