#include "keystate/token_set.h"

#include "tests/support/absent_hsm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace hallmark {
namespace {

using ::testing::HasSubstr;

class BusyHsm final : public testing::AbsentHsm {
 public:
  using AbsentHsm::AbsentHsm;
  bool available() const override { return is_available; }
  std::size_t outstanding() const override { return calls; }

  bool is_available = true;
  std::size_t calls = 0;
};

class TokenSetTest : public ::testing::Test {
 protected:
  static std::vector<BindingRecord> On(const std::vector<std::string>& tokens) {
    std::vector<BindingRecord> bindings;
    for (const std::string& token : tokens) {
      bindings.push_back({.key_id = KeyId::FromRandom({}), .token_id = token});
    }
    return bindings;
  }
  std::string Picked(const std::vector<std::string>& holders,
                     const std::vector<const TokenSet::Token*>& tried = {}) {
    const TokenSet::Token* const token = set_.Pick(On(holders), tried);
    return token == nullptr ? "" : token->id();
  }
  void Drain(const char* id, Revision revision = 1, bool drained = true) {
    set_.Find(id)->Publish({.token_id = id, .drained = drained, .revision = revision});
  }

  BusyHsm a_{"a"};
  BusyHsm b_{"b"};
  BusyHsm c_{"c"};
  TokenSet set_{{{&a_, {.token_id = "a"}}, {&b_, {.token_id = "b"}}, {&c_, {.token_id = "c"}}},
                "b"};
};

TEST_F(TokenSetTest, TheHolderWithTheFewestCallsIsPicked) {
  a_.calls = 3;
  b_.calls = 2;
  EXPECT_EQ(Picked({"a", "b"}), "b");
  b_.calls = 4;
  EXPECT_EQ(Picked({"a", "b"}), "a");
}

TEST_F(TokenSetTest, OfHoldersThatAreAsBusyTheFirstIsPicked) {
  EXPECT_EQ(Picked({"c", "a"}), "c");
  EXPECT_EQ(Picked({"a", "c"}), "a");
}

TEST_F(TokenSetTest, WhoDoesNotHoldTheKeyIsNeverPicked) {
  a_.calls = 9;
  EXPECT_EQ(Picked({"a"}), "a");
  EXPECT_EQ(Picked({}), "");
  EXPECT_EQ(Picked({"not configured"}), "");
}

TEST_F(TokenSetTest, AHolderThatIsOutOrDrainedIsNotPicked) {
  b_.calls = 9;
  a_.is_available = false;
  EXPECT_EQ(Picked({"a", "b"}), "b");
  Drain("b");
  EXPECT_EQ(Picked({"a", "b"}), "") << "drained means no calls, even if no other is left";
  EXPECT_EQ(Picked({"b"}), "");
}

TEST_F(TokenSetTest, AHolderThatHasFailedIsNotPickedAgain) {
  EXPECT_EQ(Picked({"a", "b"}, {set_.Find("a")}), "b");
  EXPECT_EQ(Picked({"a", "b"}, {set_.Find("a"), set_.Find("b")}), "");
}

TEST_F(TokenSetTest, WhyNoneIsLeftIsToldOfEachHolder) {
  a_.is_available = false;
  Drain("b");
  const std::string why = set_.WhyNone(On({"a", "b", "x"}));
  EXPECT_THAT(why, HasSubstr("token a is out"));
  EXPECT_THAT(why, HasSubstr("token b is drained"));
  EXPECT_THAT(why, HasSubstr("token x is not configured"));
}

TEST_F(TokenSetTest, TheDefaultTokenIsPreferredWhereAnyWillDo) {
  EXPECT_EQ(set_.FindUsable()->id(), "b");
  b_.is_available = false;
  EXPECT_EQ(set_.FindUsable()->id(), "a");
  a_.is_available = false;
  Drain("c");
  EXPECT_EQ(set_.FindUsable(), nullptr);
  EXPECT_FALSE(set_.any_usable());
}

TEST_F(TokenSetTest, AnOlderRecordDoesNotReplaceANewerOne) {
  Drain("a", 7);
  Drain("a", 6, /*drained=*/false);
  EXPECT_TRUE(set_.Find("a")->drained());
  Drain("a", 8, /*drained=*/false);
  EXPECT_FALSE(set_.Find("a")->drained());
}

TEST_F(TokenSetTest, ATokenThatWasDrainedInTheStoreIsDrainedFromTheStart) {
  const TokenSet set({{&a_, {.token_id = "a", .drained = true}}}, "a");
  EXPECT_TRUE(set.tokens().front().drained());
}

TEST_F(TokenSetTest, TheEndWaitsForHandoversAndAllowsNoMore) {
  auto handover = set_.BeginHandover();
  ASSERT_TRUE(handover.has_value());
  std::future<void> stopped = std::async(std::launch::async, [this] { set_.StopHandovers(); });
  // It waits as long as there is one, however long that is; once it has begun there is no other.
  while (set_.BeginHandover().has_value()) {
  }
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  handover.reset();
  stopped.get();
  EXPECT_FALSE(set_.BeginHandover().has_value());
}

}  // namespace
}  // namespace hallmark
