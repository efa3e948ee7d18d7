// Tokens and modules that go and come back, under load, without a restart.
#include "tests/pkcs11/opened_token.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using std::chrono::milliseconds;

// Callers that make MACs all the time, and what they were answered.
class Load {
 public:
  Load(Hsm& hsm, const MacKey& key, std::string expected) : expected_(std::move(expected)) {
    for (int caller = 0; caller < 4; ++caller) {
      callers_.emplace_back([this, &hsm, key](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const SteadyTime started = std::chrono::steady_clock::now();
          auto task = std::make_shared<WaitingTask>(key, "message", In(kLong));
          hsm.ComputeMac(task);
          const Result<MacTag> tag = task->Wait();
          if (tag.has_value()) {
            (ToHex(tag->bytes()) == expected_ ? right : wrong)++;
            last_right = std::chrono::steady_clock::now().time_since_epoch().count();
          } else {
            ++refused;
            // Refused at once, so it would be repeated as fast as it can be asked.
            std::this_thread::sleep_for(milliseconds(1));
          }
          const auto took = std::chrono::steady_clock::now() - started;
          if (took.count() > longest) longest = took.count();
        }
      });
    }
  }

  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> refused{0};
  std::atomic<SteadyTime::rep> last_right{0};
  std::atomic<SteadyTime::rep> longest{0};

 private:
  const std::string expected_;
  std::vector<std::jthread> callers_;
};

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
    std::vector<std::shared_ptr<WaitingTask>> tasks;
    for (int place = 0; place < 4; ++place) tasks.push_back(Start(key_));
    EXPECT_TRUE(FaultList::WaitForHanging(4, kLong));
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
    const int before = load.right;
    ASSERT_TRUE(WaitUntil([&] { return load.right > before + 20; }));
  }
  EXPECT_EQ(load.refused, 0);
  EXPECT_EQ(load.wrong, 0);
}

TEST_F(OutageTest, CallsSurviveAModuleThatMustBeInitialisedAgain) {
  {
    Load load(*hsm_, key_, expected_);
    for (std::uint64_t round = 1; round <= 10; ++round) {
      FaultList::Outage().BreakModule();
      ASSERT_TRUE(WaitUntil([&] { return hsm_->recoveries().reinitialisations >= round; }));
      const int before = load.right;
      ASSERT_TRUE(WaitUntil([&] { return load.right > before + 20; }));
    }
    EXPECT_EQ(load.refused, 0);
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
  const int before = load.right;
  ASSERT_TRUE(WaitUntil([&] { return load.right > before + 20; }));
  EXPECT_EQ(load.wrong, 0);
  EXPECT_EQ(hsm_->recoveries().outages, 1u);
}

}  // namespace
}  // namespace hallmark::pkcs11
