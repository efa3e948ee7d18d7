// Tokens and modules that go and come back, under load, without a restart.
#include "tests/pkcs11/load.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <thread>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

class OutageTest : public OpenedTokenTest {
 protected:
  void SetUp() override {
    OpenedTokenTest::SetUp();
    Reopen([](TokenOptions& options) { options.sessions = 4; });
    key_ = Generate();
    const Result<MacTag> tag = Mac(key_);
    ASSERT_THAT(tag, IsOk());
    expected_ = ToHex(tag->bytes());
  }
  void TearDown() override {
    FaultList::Outage().Clear();
    OpenedTokenTest::TearDown();
  }

  // Everything that was lent is back, and lent again.
  void ExpectEveryPlaceServes() {
    EXPECT_TRUE(WaitUntil([this] { return hsm_->available(); }));
    FaultList::Arm({.function = "C_Sign", .times = 4, .hang = true});
    std::array<std::shared_ptr<WaitingTask>, 4> tasks;
    for (auto& task : tasks) task = Start(key_);
    EXPECT_TRUE(FaultList::WaitForHanging(tasks.size(), kLong));
    FaultList::Disarm();
    for (const auto& task : tasks) EXPECT_THAT(task->Wait(), IsOk());
  }

  MacKey key_;
  std::string expected_;
};

TEST_F(OutageTest, ATokenPulledAndPutBackServesWithinASecond) {
  constexpr int kRounds = 20;
  std::array<double, kRounds> back_ms{};
  {
    Load load(*hsm_, key_, expected_);
    for (double& back : back_ms) {
      const int before = load.right;
      ASSERT_TRUE(WaitUntil([&] { return load.right > before; }));
      const int refused = load.refused;
      FaultList::Outage().Remove(token_.label());
      ASSERT_TRUE(WaitUntil([&] { return load.refused > refused; }));
      std::this_thread::sleep_for(milliseconds(100));
      const SteadyTime put_back = std::chrono::steady_clock::now();
      FaultList::Outage().PutBack();
      ASSERT_TRUE(WaitUntil([&] { return load.last_right > put_back.time_since_epoch().count(); }));
      const SteadyTime served(SteadyTime::duration(load.last_right.load()));
      back = std::chrono::duration<double, std::milli>(served - put_back).count();
      // While it is in, nothing fails.
      const int refused_then = load.refused;
      std::this_thread::sleep_for(milliseconds(20));
      EXPECT_EQ(load.refused, refused_then);
    }
    EXPECT_EQ(load.wrong, 0);
  }
  const double worst = *std::max_element(back_ms.begin(), back_ms.end());
  static_cast<void>(std::printf("first success after its return, worst of 20: %.0f ms\n", worst));
  EXPECT_LT(worst, 1'000);
  ExpectEveryPlaceServes();
}

TEST_F(OutageTest, CallsSurviveTheLossOfEverySession) {
  Load load(*hsm_, key_, expected_);
  for (int round = 0; round < 10; ++round) {
    FaultList::Outage().LoseSessions();
    ASSERT_TRUE(load.Advance(5));
  }
  EXPECT_EQ(load.refused, 0) << load.last_refusal();
  EXPECT_EQ(load.wrong, 0);
}

TEST_F(OutageTest, CallsSurviveAModuleThatMustBeInitialisedAgain) {
  {
    Load load(*hsm_, key_, expected_);
    for (std::uint64_t round = 1; round <= 10; ++round) {
      FaultList::Outage().BreakModule();
      ASSERT_TRUE(WaitUntil([&] { return hsm_->recoveries().reinitialisations >= round; }));
      ASSERT_TRUE(load.Advance(5));
    }
    EXPECT_EQ(load.refused, 0) << load.last_refusal();
    EXPECT_EQ(load.wrong, 0);
  }
  ExpectEveryPlaceServes();
}

TEST_F(OutageTest, AModuleWithoutSlotsIsATokenThatIsOut) {
  Load load(*hsm_, key_, expected_);
  FaultList::Outage().SetSlotsGone(true);
  ASSERT_TRUE(WaitUntil([&] { return load.refused > 0; }));
  EXPECT_TRUE(WaitUntil([&] { return !hsm_->available(); }));
  FaultList::Outage().SetSlotsGone(false);
  ASSERT_TRUE(load.Advance(5));
  EXPECT_EQ(load.wrong, 0);
  EXPECT_EQ(hsm_->recoveries().outages, 1u);
}

}  // namespace
}  // namespace hallmark::pkcs11
