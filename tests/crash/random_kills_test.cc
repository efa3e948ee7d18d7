// Several clients change things as fast as they can, the daemon is killed at any moment, and what
// was acknowledged is compared with what is there.
#include "tests/crash/bench.h"
#include "tests/crash/changes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::testing {
namespace {

constexpr std::size_t kClients = 4;
constexpr std::size_t kKeysAtFirst = 2;

// Each key makes every later start slower.
constexpr std::size_t kManyChangesPerKey = 12;

using Dice = std::mt19937;

std::size_t Roll(Dice& dice, std::size_t sides) {
  return std::uniform_int_distribution<std::size_t>(0, sides - 1)(dice);
}

// A client with keys of its own, so that it alone knows what they must be.
struct Worker {
  World acknowledged;
  std::optional<Change> in_doubt;  // asked for, and the daemon died before it answered
  std::size_t changes = 0;         // acknowledged

  void Acknowledge(const Change& change) {
    change.apply(&acknowledged, {});
    ++changes;
  }
};

std::string AnyKey(const World& world, Dice& dice) {
  return std::next(world.keys.begin(), static_cast<std::ptrdiff_t>(Roll(dice, world.keys.size())))
      ->first;
}

// One whose deletion is not scheduled; there is at least one.
std::string UsableKey(const World& world, Dice& dice) {
  for (;;) {
    std::string id = AnyKey(world, dice);
    if (!world.keys.at(id).ends) return id;
  }
}

// A change that must succeed, of a key that nobody else changes.
Change AnyChange(Bench& bench, const World& world, Dice& dice) {
  if (Roll(dice, kManyChangesPerKey) == 0) return CreatesKey(bench);
  const std::string id = AnyKey(world, dice);
  const KeyFacts& key = world.keys.at(id);
  if (key.ends) return CancelsDeletion(bench, id);
  const auto alias = std::find_if(world.aliases.begin(), world.aliases.end(),
                                  [&](const auto& entry) { return entry.second == id; });
  switch (Roll(dice, 8)) {
    case 0:
      return SchedulesDeletion(bench, id);
    case 1:
      return Disables(bench, id);
    case 2:
      return Describes(bench, id);
    case 3:
      return Tags(bench, id, "tag " + std::to_string(Roll(dice, 5)));
    case 4:
      if (!key.tags.empty()) return Untags(bench, id, key.tags.begin()->first);
      return Tags(bench, id, "tag");
    case 5:
      if (alias != world.aliases.end()) return DeletesAlias(bench, alias->first);
      return CreatesAlias(bench, id);
    case 6:
      if (alias != world.aliases.end())
        return PointsAlias(bench, alias->first, UsableKey(world, dice));
      return CreatesAlias(bench, id);
    default:
      return Enables(bench, id);
  }
}

// Until the daemon is dead.
void Work(Bench& bench, unsigned seed, Worker* worker, std::atomic<std::size_t>* acknowledged) {
  Dice dice(seed);
  for (;;) {
    const Change change = AnyChange(bench, worker->acknowledged, dice);
    const Outcome changed = change.ask();
    if (!changed.ok()) {
      EXPECT_TRUE(IsLost(changed)) << "refused: " << changed;
      worker->in_doubt = change;
      return;
    }
    worker->Acknowledge(change);
    ++*acknowledged;
    const std::string key = AnyKey(worker->acknowledged, dice);
    const Outcome outcome = GenerateMac(bench.client(), key, "m").outcome;
    if (IsLost(outcome)) return;
    EXPECT_EQ(outcome.ok() ? "OK" : outcome.exception, worker->acknowledged.keys[key].use)
        << "acknowledged, and not in force: " << outcome;
  }
}

class RandomKillsTest : public ::testing::Test {
 protected:
  static std::size_t Kills() { return std::getenv("HALLMARK_LONG") != nullptr ? 300 : 10; }

  RandomKillsTest() {
    for (Worker& worker : workers_) {
      for (std::size_t key = 0; key < kKeysAtFirst; ++key) {
        const Change change = CreatesKey(bench_);
        EXPECT_TRUE(change.ask().ok());
        worker.Acknowledge(change);
      }
    }
  }

  // Lets the clients work and kills the daemon some time later.
  void WorkAndKill() {
    std::atomic<std::size_t> acknowledged = 0;
    std::vector<std::jthread> threads;
    for (Worker& worker : workers_) {
      threads.emplace_back([this, seed = static_cast<unsigned>(dice_()), &worker, &acknowledged] {
        Work(bench_, seed, &worker, &acknowledged);
      });
    }
    const std::size_t enough = Roll(dice_, 4 * kClients);
    EXPECT_TRUE(Eventually([&] { return acknowledged >= enough; }, 60s));
    // The moment is the point of the test; nothing waits for it.
    std::this_thread::sleep_for(std::chrono::microseconds(Roll(dice_, 20'000)));
    bench_.daemon().Kill();
  }

  // What is there against what was acknowledged; what was in doubt may be either.
  void Compare() {
    const World seen = bench_.Observe();
    World expected;
    expected.principals = seen.principals;
    for (Worker& worker : workers_) {
      if (worker.in_doubt) {
        World done = worker.acknowledged;
        worker.in_doubt->apply(&done, seen);
        World names = worker.acknowledged;
        names.keys.insert(done.keys.begin(), done.keys.end());
        names.aliases.insert(done.aliases.begin(), done.aliases.end());
        done.principals = seen.principals;
        const bool there = PartOf(seen, names) == done;
        if (there) worker.acknowledged = done;
        ++(there ? doubts_done_ : doubts_not_done_);
        worker.in_doubt.reset();
      }
      expected.keys.insert(worker.acknowledged.keys.begin(), worker.acknowledged.keys.end());
      expected.aliases.insert(worker.acknowledged.aliases.begin(),
                              worker.acknowledged.aliases.end());
    }
    ASSERT_EQ(Difference(expected, seen), "");
    Leftovers leftovers;
    ASSERT_TRUE(bench_.TokenIsSound(&leftovers));
    ASSERT_EQ(leftovers.orphans, 0u);
    debris_ = leftovers.debris;
  }

  Bench bench_;
  std::array<Worker, kClients> workers_;
  const unsigned seed_ = std::random_device()();
  Dice dice_{seed_};
  std::size_t doubts_done_ = 0;
  std::size_t doubts_not_done_ = 0;
  std::size_t debris_ = 0;
};

TEST_F(RandomKillsTest, WhateverWasAcknowledgedSurvivesAndNothingHalfMadeIsUsable) {
  RecordProperty("seed", std::to_string(seed_));
  for (std::size_t kill = 1; kill <= Kills(); ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill) + ", seed " + std::to_string(seed_));
    WorkAndKill();
    bench_.Start();
    Compare();
    if (HasFailure()) return;
  }
  std::size_t changes = 0;
  for (const Worker& worker : workers_) changes += worker.changes;
  EXPECT_GT(changes, 2 * Kills()) << "killed before anything was done";
  std::printf(
      "kills: %zu, acknowledged changes: %zu, all there; unanswered ones: %zu done, %zu not done; "
      "objects that SoftHSM left half written: %zu\n",
      Kills(), changes, doubts_done_, doubts_not_done_, debris_);
}

}  // namespace
}  // namespace hallmark::testing
