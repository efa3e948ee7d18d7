#include "service/authn/signing_keys.h"

#include "tests/service/authn/signed_requests.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::authn {
namespace {

constexpr std::chrono::sys_days kToday = std::chrono::floor<std::chrono::days>(kNoon);
constexpr std::chrono::days kOneDay{1};

class SigningKeysTest : public ::testing::Test {
 protected:
  std::string Key(const std::string& id, std::chrono::sys_days day = kToday,
                  std::chrono::sys_days today = kToday) {
    return ToHex(keys_.Get(id, day, today)->RevealForHsm());
  }
  std::string Derived(const std::string& id, const std::string& day) const {
    const TestSealer sealer;
    return ToHex(
        DeriveSigningKey(DeriveSecretAccessKey(sealer, id), day, kRegion, "kms").RevealForHsm());
  }

  const TestSealer sealer_;
  SigningKeys keys_{sealer_, std::string(kRegion), "kms", /*capacity=*/3};
};

TEST(DeriveSigningKeyTest, DependsOnAccessKeyDayRegionAndService) {
  const SecretBytes secret(AsBytes("secret"));
  const SecretBytes other(AsBytes("secreT"));
  const auto hex = [](const SecretBytes& key) { return ToHex(key.RevealForHsm()); };
  const std::string key = hex(DeriveSigningKey(secret, "20261122", "us-west-2", "kms"));
  EXPECT_EQ(key.size(), 64U);
  EXPECT_EQ(hex(DeriveSigningKey(secret, "20261122", "us-west-2", "kms")), key);
  EXPECT_NE(hex(DeriveSigningKey(other, "20261122", "us-west-2", "kms")), key);
  EXPECT_NE(hex(DeriveSigningKey(secret, "20261123", "us-west-2", "kms")), key);
  EXPECT_NE(hex(DeriveSigningKey(secret, "20261122", "us-west-1", "kms")), key);
  EXPECT_NE(hex(DeriveSigningKey(secret, "20261122", "us-west-2", "sts")), key);
}

TEST_F(SigningKeysTest, AKeyIsDerivedOnceADay) {
  EXPECT_EQ(Key("a"), Derived("a", "20261122"));
  EXPECT_EQ(Key("a"), Derived("a", "20261122"));
  EXPECT_EQ(sealer_.derived(), 1);
  EXPECT_EQ(Key("b"), Derived("b", "20261122"));
  EXPECT_EQ(sealer_.derived(), 2);
}

TEST_F(SigningKeysTest, NoKeyOutlivesTheDay) {
  Key("a");
  Key("b");
  EXPECT_EQ(keys_.size(), 2U);
  const auto tomorrow = kToday + kOneDay;
  EXPECT_EQ(Key("a", tomorrow, tomorrow), Derived("a", "20261123"));
  EXPECT_EQ(keys_.size(), 1U);
}

TEST_F(SigningKeysTest, KeysOfOtherDaysAreNotKept) {
  EXPECT_EQ(Key("a", kToday - kOneDay), Derived("a", "20261121"));
  EXPECT_EQ(Key("a", kToday + kOneDay), Derived("a", "20261123"));
  EXPECT_EQ(keys_.size(), 0U);
  EXPECT_EQ(Key("a"), Derived("a", "20261122"));
  EXPECT_EQ(Key("a", kToday - kOneDay), Derived("a", "20261121"));
  EXPECT_EQ(keys_.size(), 1U);
}

TEST_F(SigningKeysTest, TheKeyThatWasNotUsedForLongestGoesFirst) {
  for (const char* id : {"a", "b", "c", "a", "d"}) Key(id);
  EXPECT_EQ(keys_.size(), 3U);
  const int before = sealer_.derived();
  for (const char* id : {"a", "c", "d"}) Key(id);
  EXPECT_EQ(sealer_.derived(), before);
  Key("b");
  EXPECT_EQ(sealer_.derived(), before + 1);
}

TEST_F(SigningKeysTest, AForgottenKeyIsDerivedAnew) {
  Key("a");
  Key("b");
  keys_.Forget("a");
  keys_.Forget("nobody");
  EXPECT_EQ(keys_.size(), 1U);
  Key("a");
  EXPECT_EQ(sealer_.derived(), 3);
}

TEST_F(SigningKeysTest, AKeyInUseOutlivesItsPlace) {
  const auto key = keys_.Get("a", kToday, kToday);
  keys_.Forget("a");
  EXPECT_EQ(ToHex(key->RevealForHsm()), Derived("a", "20261122"));
}

TEST_F(SigningKeysTest, WithoutCapacityEachIsDerived) {
  SigningKeys none(sealer_, std::string(kRegion), "kms", 0);
  none.Get("a", kToday, kToday);
  none.Get("a", kToday, kToday);
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(sealer_.derived(), 2);
}

TEST_F(SigningKeysTest, ConcurrentCallersGetTheRightKeys) {
  std::vector<std::string> expected;
  for (int i = 0; i < 6; ++i) expected.push_back(Derived(std::to_string(i), "20261122"));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 300; ++i) {
          const int id = (i * (t + 1)) % 6;
          // Every tenth look is that of a thread for which the day has changed already.
          const auto today = i % 10 == 9 ? kToday + kOneDay : kToday;
          if (Key(std::to_string(id), kToday, today) != expected[static_cast<std::size_t>(id)]) {
            ++wrong;
          }
          if (i % 17 == 0) keys_.Forget(std::to_string(id));
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(keys_.size(), 3U);
}

}  // namespace
}  // namespace hallmark::authn
