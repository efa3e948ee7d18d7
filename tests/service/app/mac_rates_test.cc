// Rates per principal and per key.
#include "service/app/mac_rates.h"

#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace hallmark::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsOk;
using testing::Raises;

KeyId Key(unsigned char number) {
  return KeyId::FromRandom(std::array<std::byte, 16>{std::byte{number}});
}

class MacRatesTest : public ::testing::Test {
 protected:
  Status Take(const std::string& principal, const KeyId& key) {
    return rates_.Take(principal, key, now_);
  }
  // How many are taken before the first refusal.
  int TakeAll(const std::string& principal, const KeyId& key) {
    int taken = 0;
    while (taken < 1'000 && Take(principal, key).has_value()) ++taken;
    return taken;
  }

  MacRates rates_;
  SteadyTime now_ = SteadyTime{} + seconds(100);
};

TEST_F(MacRatesTest, WithoutLimitsEverythingIsTaken) { EXPECT_EQ(TakeAll("a", Key(1)), 1'000); }

TEST_F(MacRatesTest, ASecondsWorthIsTakenAtOnceAndThenAsItComes) {
  rates_.Set({.per_principal = 10, .per_key = 0});
  EXPECT_EQ(TakeAll("a", Key(1)), 10);
  const Status refused = Take("a", Key(2));
  ASSERT_THAT(refused, Raises(Exception::kThrottlingException));
  EXPECT_EQ(refused.error().retry_after, milliseconds(100));
  now_ += milliseconds(99);
  EXPECT_THAT(Take("a", Key(1)), Raises(Exception::kThrottlingException));
  now_ += milliseconds(1);
  EXPECT_EQ(TakeAll("a", Key(1)), 1);
  now_ += milliseconds(350);
  EXPECT_EQ(TakeAll("a", Key(1)), 3);
  now_ += seconds(60);
  EXPECT_EQ(TakeAll("a", Key(1)), 10);
}

TEST_F(MacRatesTest, PrincipalsDoNotTakeFromEachOther) {
  rates_.Set({.per_principal = 10, .per_key = 0});
  EXPECT_EQ(TakeAll("a", Key(1)), 10);
  EXPECT_EQ(TakeAll("b", Key(1)), 10);
}

TEST_F(MacRatesTest, AKeyHasItsRateWhoeverUsesIt) {
  rates_.Set({.per_principal = 0, .per_key = 10});
  EXPECT_EQ(TakeAll("a", Key(1)), 10);
  EXPECT_EQ(TakeAll("b", Key(1)), 0);
  EXPECT_EQ(TakeAll("a", Key(2)), 10);
}

TEST_F(MacRatesTest, WhatTheKeyRefusesIsNotCountedForThePrincipal) {
  rates_.Set({.per_principal = 10, .per_key = 4});
  EXPECT_EQ(TakeAll("a", Key(1)), 4);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(Take("a", Key(1)).has_value());
  EXPECT_EQ(TakeAll("a", Key(2)), 4);
  EXPECT_EQ(TakeAll("a", Key(3)), 2);
}

TEST_F(MacRatesTest, ALimitThatIsTakenAwayRefusesNoMore) {
  rates_.Set({.per_principal = 1, .per_key = 1});
  EXPECT_EQ(TakeAll("a", Key(1)), 1);
  rates_.Set({});
  EXPECT_EQ(TakeAll("a", Key(1)), 1'000);
}

TEST(RateBucketsTest, BucketsThatAreFullAgainAreDropped) {
  RateBuckets buckets;
  SteadyTime now = SteadyTime{} + seconds(100);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    now += milliseconds(1);  // a thousand a second are in use
    ASSERT_EQ(buckets.Take(i, 10, now).count(), 0);
  }
  EXPECT_LT(buckets.size(), 5'000u);
}

}  // namespace
}  // namespace hallmark::app
