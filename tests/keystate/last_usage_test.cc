#include "keystate/last_usage.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

namespace hallmark {
namespace {

const KeyId kKey = KeyId::FromRandom({});

WallTime At(int seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(LastUsageTest, KeepsTheLatestUse) {
  LastUsage usage;
  EXPECT_FALSE(usage.Find(kKey));
  usage.Note(kKey, Operation::kGenerateMac, At(2), "second");
  usage.Note(kKey, Operation::kVerifyMac, At(1), "first, noted late");
  ASSERT_TRUE(usage.Find(kKey));
  EXPECT_EQ(usage.Find(kKey)->request_id, "second");
  EXPECT_EQ(usage.Find(kKey)->operation, Operation::kGenerateMac);
  usage.Note(kKey, Operation::kVerifyMac, At(3), "third");
  EXPECT_EQ(usage.Find(kKey)->request_id, "third");
  EXPECT_EQ(usage.Find(kKey)->operation, Operation::kVerifyMac);
}

TEST(LastUsageTest, WhatIsNotedWhileItIsStoredStaysChanged) {
  LastUsage usage;
  usage.Note(kKey, Operation::kGenerateMac, At(1), "first");
  const std::vector<LastUsageRecord> changed = usage.Changed();
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed.front().revision, 0U);
  usage.Note(kKey, Operation::kGenerateMac, At(2), "second");
  usage.Stored(changed, 7);
  ASSERT_EQ(usage.Changed().size(), 1U);
  EXPECT_EQ(usage.Changed().front().request_id, "second");
  EXPECT_EQ(usage.Changed().front().revision, 7U);
  usage.Stored(usage.Changed(), 8);
  EXPECT_TRUE(usage.Changed().empty());
}

TEST(LastUsageTest, WhatTheStoreHoldsIsNoChange) {
  LastUsage usage;
  usage.Load(std::array{LastUsageRecord{kKey, Operation::kGenerateMac, At(1), "old", 3}});
  EXPECT_EQ(usage.Find(kKey)->request_id, "old");
  EXPECT_TRUE(usage.Changed().empty());
  usage.Forget(kKey);
  EXPECT_FALSE(usage.Find(kKey));
}

}  // namespace
}  // namespace hallmark
