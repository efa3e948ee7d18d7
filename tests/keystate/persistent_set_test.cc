#include "keystate/persistent_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

// A value that knows how many of its kind there are: as many as there are nodes.
struct Counted {
  explicit Counted(int k, int v = 0) : key(k), value(v) { ++alive; }
  Counted(const Counted& other) : key(other.key), value(other.value) { ++alive; }
  Counted(Counted&& other) noexcept : key(other.key), value(other.value) { ++alive; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
  bool operator==(const Counted& other) const { return key == other.key && value == other.value; }

  int key;
  int value;
  static inline std::int64_t alive = 0;
};
struct CountedLess {
  bool operator()(const Counted& a, const Counted& b) const { return a.key < b.key; }
  bool operator()(const Counted& a, int b) const { return a.key < b; }
  bool operator()(int a, const Counted& b) const { return a < b.key; }
};
// The largest value of a subtree.
struct Largest {
  int value;
  static Largest Of(const Counted& counted) { return {counted.value}; }
  friend Largest operator|(Largest a, Largest b) { return {std::max(a.value, b.value)}; }
};
using Set = PersistentSet<Counted, CountedLess, Largest>;
using Model = std::map<int, int>;

Model Contents(const Set& set) {
  Model contents;
  set.VisitAll([&](const Counted& counted) {
    EXPECT_TRUE(contents.empty() || contents.rbegin()->first < counted.key) << "out of order";
    contents.emplace(counted.key, counted.value);
    return true;
  });
  return contents;
}

double NodesOnAPath(std::size_t size) { return 1.45 * std::log2(static_cast<double>(size)) + 2; }

TEST(PersistentSetTest, AgreesWithAMapOverRandomChangesAndNeverTouchesOldVersions) {
  std::mt19937 random(20261122);  // NOLINT(bugprone-random-generator-seed): the same every time
  std::uniform_int_distribution<int> key(0, 400);
  Set set;
  Model model;
  std::vector<std::pair<Set, Model>> versions;
  for (int step = 0; step < 20'000; ++step) {
    const int k = key(random);
    // Grows and shrinks in turns, down to nothing.
    if (static_cast<int>(random() % 100) < ((step / 2000) % 2 == 0 ? 75 : 20)) {
      set = set.Insert(Counted(k, step));
      model[k] = step;
    } else {
      set = set.Erase(k);
      model.erase(k);
    }
    const Counted* found = set.Find(k);
    ASSERT_EQ(found != nullptr, model.contains(k));
    if (found != nullptr) {
      ASSERT_EQ(found->value, model.at(k));
    }
    ASSERT_EQ(set.empty(), model.empty());
    if (step % 500 == 0) {
      ASSERT_TRUE(set.Balanced());
      versions.emplace_back(set, model);
    }
  }
  for (const auto& [version, contents] : versions) EXPECT_EQ(Contents(version), contents);
}

TEST(PersistentSetTest, BuiltFromSortedValuesItIsTheSame) {
  for (const int size : {0, 1, 2, 3, 7, 8, 1000}) {
    std::vector<Counted> sorted;
    Model model;
    for (int i = 0; i < size; ++i) {
      sorted.emplace_back(2 * i, i);
      model.emplace(2 * i, i);
    }
    const Set set = Set::FromSorted(sorted);
    EXPECT_TRUE(set.Balanced());
    EXPECT_EQ(Contents(set), model);
    EXPECT_TRUE(set.Insert(Counted(1)).Balanced());
  }
}

TEST(PersistentSetTest, AscendingAndDescendingInsertionStaysInBalance) {
  Set up;
  Set down;
  for (int i = 0; i < 5000; ++i) {
    up = up.Insert(Counted(i));
    down = down.Insert(Counted(-i));
  }
  EXPECT_TRUE(up.Balanced());
  EXPECT_TRUE(down.Balanced());
}

// Memory is the proof of sharing: every node holds one value.
TEST(PersistentSetTest, AVersionCostsNoMoreNodesThanAPathIsLong) {
  const std::int64_t before = Counted::alive;
  {
    constexpr int kSize = 50'000;
    Set set;
    for (int i = 0; i < kSize; ++i) set = set.Insert(Counted(2 * i));
    ASSERT_EQ(Counted::alive - before, kSize);
    std::vector<Set> versions;
    constexpr int kVersions = 1000;
    for (int i = 0; i < kVersions; ++i) {
      set = i % 3 == 0 ? set.Erase(80 * i) : set.Insert(Counted(80 * i + 1));
      versions.push_back(set);
    }
    // A rotation remakes two nodes beside the path.
    const double most = kVersions * (NodesOnAPath(kSize) + 2);
    EXPECT_LT(static_cast<double>(Counted::alive - before - kSize), most);
  }
  EXPECT_EQ(Counted::alive, before) << "a version leaks nodes";
}

TEST(PersistentSetTest, ErasingWhatIsNotThereSharesEverything) {
  const Set set = Set().Insert(Counted(1)).Insert(Counted(3));
  const std::int64_t before = Counted::alive;
  const Set same = set.Erase(2);
  EXPECT_EQ(Counted::alive, before);
  EXPECT_EQ(Contents(same), Contents(set));
}

TEST(PersistentSetTest, VisitsFromAKeyUntilToldToStop) {
  Set set;
  for (int i = 0; i < 100; i += 10) set = set.Insert(Counted(i));
  struct Row {
    int from;
    std::size_t count;
    std::vector<int> want;
  };
  for (const Row& row : std::vector<Row>{{-5, 2, {0, 10}},
                                         {20, 3, {20, 30, 40}},
                                         {21, 2, {30, 40}},
                                         {90, 5, {90}},
                                         {91, 5, {}}}) {
    std::vector<int> got;
    set.VisitFrom(row.from, [&](const Counted& counted) {
      got.push_back(counted.key);
      return got.size() < row.count;
    });
    EXPECT_EQ(got, row.want) << "from " << row.from;
  }
}

TEST(PersistentSetTest, SearchPassesOverSubtreesThatAreNotWorthIt) {
  Set set;
  for (int i = 0; i < 10'000; ++i) set = set.Insert(Counted(i, i == 7777 ? 1 : 0));
  int looks = 0;
  int found = -1;
  set.VisitFrom(
      10, [](const Largest& largest) { return largest.value >= 1; },
      [&](const Counted& counted) {
        ++looks;
        if (counted.value >= 1) found = counted.key;
        return found < 0;
      });
  EXPECT_EQ(found, 7777);
  EXPECT_LT(looks, NodesOnAPath(10'000));
  // What an erased value said about the subtrees is forgotten.
  looks = 0;
  set.Erase(7777).VisitFrom(
      10, [](const Largest& largest) { return largest.value >= 1; },
      [&](const Counted&) { return ++looks > 0; });
  EXPECT_EQ(looks, 0);
}

TEST(PersistentSetTest, DiffIsWhatAModelSays) {
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same every time
  std::uniform_int_distribution<int> key(0, 100);
  for (int round = 0; round < 300; ++round) {
    Set before;
    for (int i = 0; i < round % 60; ++i) before = before.Insert(Counted(key(random), i));
    Set after = round % 7 == 0 ? Set() : before;
    for (int i = 0; i < round % 11; ++i) {
      after = random() % 2 == 0 ? after.Insert(Counted(key(random), static_cast<int>(random() % 3)))
                                : after.Erase(key(random));
    }
    Model left = Contents(before);
    Set::Diff(
        before, after,
        [&](const Counted& removed) {
          ASSERT_EQ(left.at(removed.key), removed.value);
          left.erase(removed.key);
        },
        [&](const Counted& added) { EXPECT_TRUE(left.emplace(added.key, added.value).second); });
    EXPECT_EQ(left, Contents(after)) << "round " << round;
  }
}

// Values that are compared by ==; a walk over everything would compare them all.
struct Watched {
  int key;
  bool operator==(const Watched& other) const {
    ++compared;
    return key == other.key;
  }
  static inline int compared = 0;
};
struct WatchedLess {
  bool operator()(const Watched& a, const Watched& b) const { return a.key < b.key; }
};

TEST(PersistentSetTest, DiffPassesOverWhatIsShared) {
  std::vector<Watched> sorted(100'000);
  for (std::size_t i = 0; i < sorted.size(); ++i) sorted[i].key = static_cast<int>(2 * i);
  using WatchedSet = PersistentSet<Watched, WatchedLess>;
  const WatchedSet before = WatchedSet::FromSorted(sorted);
  const WatchedSet after =
      before.Insert({5001}).Erase(Watched{60'000}).Insert({-1}).Insert({1'000'000});
  std::vector<int> changes;
  Watched::compared = 0;
  WatchedSet::Diff(
      before, after, [&](const Watched& removed) { changes.push_back(-removed.key); },
      [&](const Watched& added) { changes.push_back(added.key); });
  EXPECT_EQ(changes, (std::vector<int>{-1, 5001, -60'000, 1'000'000}));
  EXPECT_LT(Watched::compared, 4 * (NodesOnAPath(sorted.size()) + 2));
}

}  // namespace
}  // namespace hallmark
