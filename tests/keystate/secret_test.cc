#include "keystate/secret.h"

#include "keystate/bytes.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>

namespace hallmark {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);

TEST(SecretBytesTest, HoldsWhatItWasGiven) {
  const SecretBytes secret(AsBytes("hunter2"));
  EXPECT_EQ(ToHex(secret.RevealForHsm()), ToHex(AsBytes("hunter2")));
}

TEST(SecretBytesTest, MovingLeavesNothingBehind) {
  SecretBytes first(AsBytes("hunter2"));
  SecretBytes second(std::move(first));
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.size(), 7U);
  first = std::move(second);
  EXPECT_EQ(first.size(), 7U);
}

TEST(BytesTest, HexSurvivesTheRoundTripAndRefusesTheRest) {
  EXPECT_EQ(ToHex(*FromHex("00ffA5")), "00ffa5");
  EXPECT_FALSE(FromHex("0"));
  EXPECT_FALSE(FromHex("0g"));
  EXPECT_TRUE(FromHex("")->empty());
}

TEST(BytesTest, ConstantTimeComparisonAgreesWithEquality) {
  EXPECT_TRUE(EqualInConstantTime(AsBytes("abc"), AsBytes("abc")));
  EXPECT_FALSE(EqualInConstantTime(AsBytes("abc"), AsBytes("abd")));
  EXPECT_FALSE(EqualInConstantTime(AsBytes("abc"), AsBytes("ab")));
  EXPECT_TRUE(EqualInConstantTime({}, {}));
}

}  // namespace
}  // namespace hallmark
