// A daemon whose token is called in processes of its own, which are killed and hang under load.
#include "tests/support/token_hosts.h"

#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

// Callers that make MACs all the time.
class Load {
 public:
  // `client` outlives it.
  Load(const Client& client, const std::string& key_id, const std::string& expected) {
    for (std::size_t i = 0; i < kCallers; ++i) {
      callers_.at(i) =
          std::jthread([this, i, &client, key_id, expected](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
              const MacAnswer answer = GenerateMac(client, key_id, "load", 10s);
              if (!answer.outcome.ok()) {
                ++failed;
              } else if (answer.mac != expected) {
                ++wrong;
              } else {
                ++right;
                ++made_.at(i);
              }
            }
          });
    }
  }

  bool GoesOn(int calls = 100) const {
    const int goal = right + calls;
    return Eventually([&] { return right >= goal; });
  }
  // MACs a second, over that time, of all callers but the one that made the fewest.
  double RateOfTheOthers(milliseconds over) const {
    const std::array<int, kCallers> before = Made();
    const auto start = steady_clock::now();
    std::this_thread::sleep_for(over);
    const std::chrono::duration<double> took = steady_clock::now() - start;
    std::array<int, kCallers> made = Made();
    for (std::size_t i = 0; i < kCallers; ++i) made.at(i) -= before.at(i);
    std::sort(made.begin(), made.end());
    return std::accumulate(made.begin() + 1, made.end(), 0) / took.count();
  }

  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::atomic<int> failed{0};

 private:
  static constexpr std::size_t kCallers = 4;

  std::array<int, kCallers> Made() const {
    std::array<int, kCallers> made{};
    std::copy(made_.begin(), made_.end(), made.begin());
    return made;
  }

  std::array<std::atomic<int>, kCallers> made_{};
  std::array<std::jthread, kCallers> callers_;
};

class TokenHostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    daemon_.Start();
    client_ = daemon_.AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
    key_ = CreateKey(client_);
    const MacAnswer answer = GenerateMac(client_, key_, "load");
    ASSERT_TRUE(answer.outcome.ok()) << answer.outcome;
    load_.emplace(client_, key_, answer.mac);
  }
  void TearDown() override {
    load_.reset();
    EXPECT_EQ(daemon_.Stop(), 0);
  }

  std::vector<pid_t> Hosts() const { return ChildrenOf(daemon_.pid(), "hallmark-token-host"); }
  // Once `lost` hosts were noticed to be gone: before, they may look alive.
  bool BothServe(int lost) const {
    return Eventually([&] {
      return Metric("hallmark_token_host_replacements_total") == std::to_string(lost) &&
             Metric("hallmark_token_hosts") == "2" && Hosts().size() == 2;
    });
  }
  std::string Metric(const std::string& name) const {
    const std::string row = name + "{token=\"main\"} ";
    const std::string text = Scrape(daemon_);
    const std::size_t at = text.find(row);
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + row.size();
    return text.substr(begin, text.find_first_of("\r\n", begin) - begin);
  }

  TestDaemon daemon_{{.token_settings = "hosts = 2\nsessions = 2\nhost_hang_limit_ms = 500\n"}};
  Client client_;
  std::string key_;
  std::optional<Load> load_;
};

TEST_F(TokenHostsTest, NoCallFailsWhileOneHostAfterAnotherIsKilled) {
  const pid_t daemon = daemon_.pid();
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(BothServe(round));
    ASSERT_TRUE(load_->GoesOn());
    ASSERT_EQ(::kill(round % 2 == 0 ? Hosts().front() : Hosts().back(), SIGKILL), 0);
    ASSERT_TRUE(load_->GoesOn());
  }
  ASSERT_TRUE(BothServe(6));
  EXPECT_EQ(load_->wrong, 0);
  EXPECT_EQ(load_->failed, 0);
  EXPECT_EQ(daemon_.pid(), daemon);
  EXPECT_THAT(daemon_.Log(), HasSubstr("ended and is replaced"));
}

TEST_F(TokenHostsTest, ServiceIsBackSoonAfterEveryHostWasKilled) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(BothServe(2 * round));
    ASSERT_TRUE(load_->GoesOn());
    const auto killed = steady_clock::now();
    for (const pid_t host : Hosts()) ASSERT_EQ(::kill(host, SIGKILL), 0);
    ASSERT_TRUE(load_->GoesOn(10));
    const auto back = duration_cast<milliseconds>(steady_clock::now() - killed);
    std::printf("both hosts killed: ten MACs after %d ms\n", static_cast<int>(back.count()));
    EXPECT_LT(back, 2s);
  }
  EXPECT_EQ(load_->wrong, 0);
}

TEST_F(TokenHostsTest, ACallThatHangsForEverCostsOneHostAndNoCall) {
  ASSERT_TRUE(BothServe(0));
  ASSERT_TRUE(load_->GoesOn());
  const double before = load_->RateOfTheOthers(3s);
  daemon_.SetFaults("C_Sign hang claim=" + (daemon_.home() / "hangs").string() + "\n");
  const double meanwhile = load_->RateOfTheOthers(3s);
  daemon_.SetFaults("");
  ASSERT_TRUE(BothServe(1));
  ASSERT_TRUE(load_->GoesOn());
  std::printf("rate of the others while a call hangs, of the rate before: %.2f\n",
              meanwhile / before);
  EXPECT_GT(meanwhile, before / 2);
  EXPECT_EQ(load_->wrong, 0);
  EXPECT_EQ(load_->failed, 0);
}

}  // namespace
}  // namespace hallmark::testing
