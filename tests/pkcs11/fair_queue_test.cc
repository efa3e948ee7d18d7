// The order in which calls wait: one line per principal, in turn.
#include "pkcs11/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::pkcs11 {
namespace {

using ::testing::ElementsAre;

// Only its name counts.
class NamedTask final : public MacTask {
 public:
  explicit NamedTask(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }

  ByteView message() const override { return {}; }
  SteadyTime deadline() const override { return {}; }
  bool abandoned() const override { return false; }
  Result<MacKey> Admit() override { return MacKey{}; }
  void Finish(Result<MacTag> /*tag*/) override {}

 private:
  const std::string name_;
};

FairQueue::Entry Named(const std::string& name) { return {std::make_shared<NamedTask>(name), {}}; }
const std::string& NameOf(const FairQueue::Entry& entry) {
  return static_cast<const NamedTask&>(*entry.task).name();
}

std::vector<std::string> PopAll(FairQueue& queue) {
  std::vector<std::string> order;
  while (!queue.empty()) order.push_back(NameOf(queue.Pop(SteadyTime{})));
  return order;
}

TEST(FairQueueTest, OnePrincipalIsServedInTheOrderOfItsCalls) {
  FairQueue queue(3);
  for (const char* name : {"a1", "a2", "a3"}) queue.Push(1, Named(name));
  EXPECT_TRUE(queue.full());
  EXPECT_THAT(PopAll(queue), ElementsAre("a1", "a2", "a3"));
}

TEST(FairQueueTest, PrincipalsAreServedInTurn) {
  FairQueue queue(10);
  for (const char* name : {"a1", "a2", "a3", "a4"}) queue.Push(1, Named(name));
  for (const char* name : {"b1", "b2"}) queue.Push(2, Named(name));
  queue.Push(3, Named("c1"));
  EXPECT_THAT(PopAll(queue), ElementsAre("a1", "b1", "c1", "a2", "b2", "a3", "a4"));
}

TEST(FairQueueTest, WhoComesBackWaitsForTheEndOfTheRound) {
  FairQueue queue(10);
  queue.Push(1, Named("a1"));
  queue.Push(2, Named("b1"));
  queue.Push(3, Named("c1"));
  EXPECT_EQ(NameOf(queue.Pop(SteadyTime{})), "a1");
  queue.Push(1, Named("a2"));
  EXPECT_THAT(PopAll(queue), ElementsAre("b1", "c1", "a2"));
}

TEST(FairQueueTest, ANewcomerWaitsForOneCallOfEachPrincipalAndNotForAll) {
  FairQueue queue(100);
  for (int i = 0; i < 50; ++i) queue.Push(1, Named("a"));
  queue.Push(2, Named("b"));
  EXPECT_EQ(queue.OutlookOf(3).ahead, 2u);
  EXPECT_EQ(queue.OutlookOf(2).ahead, 3u);   // its own, and two of the other
  EXPECT_EQ(queue.OutlookOf(1).ahead, 51u);  // everything
}

TEST(FairQueueTest, WhoseTurnsComeSeldomWaitsAsLongForEachCall) {
  using std::chrono::milliseconds;
  FairQueue queue(100);
  for (int i = 0; i < 50; ++i) queue.Push(1, Named("a"));
  EXPECT_EQ(queue.OutlookOf(1).turns, milliseconds(0));  // nothing is known yet
  // Another one always has a call there, though never more.
  SteadyTime now{milliseconds(1)};
  for (int i = 0; i < 20; ++i, now += milliseconds(20)) {
    queue.Push(2, Named("b"));
    ASSERT_EQ(NameOf(queue.Pop(now)), "a");
    ASSERT_EQ(NameOf(queue.Pop(now + milliseconds(10))), "b");
  }
  EXPECT_EQ(queue.OutlookOf(1).ahead, 30u);
  EXPECT_EQ(queue.OutlookOf(1).turns, 31 * milliseconds(20));
  EXPECT_EQ(queue.NewestOfLargest().outlook.turns, 30 * milliseconds(20));
  EXPECT_EQ(queue.OutlookOf(2).turns, milliseconds(0));
}

TEST(FairQueueTest, WhoHoldsMostLosesItsNewestCall) {
  FairQueue queue(5);
  for (const char* name : {"a1", "a2", "a3", "a4"}) queue.Push(1, Named(name));
  queue.Push(2, Named("b1"));
  EXPECT_TRUE(queue.HoldsLess(3));
  EXPECT_TRUE(queue.HoldsLess(2));
  EXPECT_FALSE(queue.HoldsLess(1));
  EXPECT_EQ(queue.NewestOfLargest().outlook.ahead, 4u);
  EXPECT_EQ(NameOf(queue.TakeNewestOfLargest()), "a4");
  queue.Push(2, Named("b2"));
  EXPECT_FALSE(queue.HoldsLess(2));
  EXPECT_THAT(PopAll(queue), ElementsAre("a1", "b1", "a2", "b2", "a3"));
}

TEST(FairQueueTest, WhatIsLateGoesAndTheOthersKeepTheirOrder) {
  FairQueue queue(10);
  for (const char* name : {"a1", "a late", "a2"}) queue.Push(1, Named(name));
  queue.Push(2, Named("b late"));
  for (const char* name : {"c late", "c1"}) queue.Push(3, Named(name));
  std::vector<std::string> gone;
  queue.Remove(
      [](const FairQueue::Entry& entry) { return NameOf(entry).find("late") != std::string::npos; },
      [&](const FairQueue::Entry& entry) { gone.push_back(NameOf(entry)); });
  EXPECT_THAT(gone, ElementsAre("a late", "b late", "c late"));
  EXPECT_THAT(PopAll(queue), ElementsAre("a1", "c1", "a2"));
}

// What the queue promises, written down plainly.
class PlainQueue {
 public:
  void Push(std::uint64_t principal, const std::string& name) {
    if (lines_[principal].empty()) turns_.push_back(principal);
    lines_[principal].push_back(name);
  }
  std::string Pop() {
    const std::uint64_t principal = turns_.front();
    turns_.pop_front();
    std::string name = lines_[principal].front();
    lines_[principal].pop_front();
    if (!lines_[principal].empty()) turns_.push_back(principal);
    return name;
  }
  std::size_t Ahead(std::uint64_t principal) {
    std::size_t ahead = 0;
    for (const auto& [other, line] : lines_) {
      ahead += std::min(line.size(), lines_[principal].size() + 1);
    }
    return ahead;
  }
  std::size_t Largest() const {
    std::size_t largest = 0;
    for (const auto& [principal, line] : lines_) largest = std::max(largest, line.size());
    return largest;
  }
  // A call that was displaced is the newest of one of the longest lines.
  bool Displace(const std::string& name) {
    for (auto& [principal, line] : lines_) {
      if (line.size() != Largest() || line.back() != name) continue;
      line.pop_back();
      if (line.empty()) turns_.erase(std::find(turns_.begin(), turns_.end(), principal));
      return true;
    }
    return false;
  }
  std::size_t size() const {
    std::size_t calls = 0;
    for (const auto& [principal, line] : lines_) calls += line.size();
    return calls;
  }

 private:
  std::map<std::uint64_t, std::deque<std::string>> lines_;
  std::deque<std::uint64_t> turns_;
};

TEST(FairQueueTest, AgreesWithAPlainQueueOverManyRandomSteps) {
  constexpr std::size_t kCapacity = 37;
  FairQueue queue(kCapacity);
  PlainQueue plain;
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same steps each time
  std::size_t was_full = 0;
  std::size_t was_empty = 0;
  for (int step = 0; step < 100'000; ++step) {
    // Some principals bring more than others; spells of filling and of emptying.
    const std::uint64_t principal = random() % (1 + random() % 60);
    const bool filling = step / 200 % 2 == 0;
    const auto choice = random() % 10;
    ASSERT_EQ(queue.OutlookOf(principal).ahead, plain.Ahead(principal));
    if (choice < (filling ? 7U : 3U)) {
      if (queue.full()) {
        ++was_full;
        const std::string name = NameOf(queue.TakeNewestOfLargest());
        ASSERT_TRUE(plain.Displace(name)) << name;
      }
      queue.Push(principal, Named(std::to_string(step)));
      plain.Push(principal, std::to_string(step));
    } else if (queue.empty()) {
      ++was_empty;
    } else {
      ASSERT_EQ(NameOf(queue.Pop(SteadyTime{})), plain.Pop());
    }
    ASSERT_EQ(queue.size(), plain.size());
  }
  EXPECT_GT(was_full, 100u);
  EXPECT_GT(was_empty, 100u);
}

}  // namespace
}  // namespace hallmark::pkcs11
