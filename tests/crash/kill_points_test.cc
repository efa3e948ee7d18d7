// Each operation, killed at every boundary between store and token, started again, and checked.
#include "tests/crash/bench.h"
#include "tests/crash/changes.h"
#include "tests/crash/outcome_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

// Half of what SQLite calls long.
constexpr std::uintmax_t kLongLog = 500 * 4096;

using ::testing::Contains;
using ::testing::UnorderedElementsAreArray;

struct Row {
  const char* name;
  // Makes what the operation needs. All of it is acknowledged, so it must survive.
  Change (*prepare)(Bench& bench);
};

// For the names of CTest cases.
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string NewKey(const Bench& bench) { return CreateKey(bench.client()); }

// What a change makes that is acknowledged.
World Make(const Change& change) {
  const Outcome outcome = change.ask();
  EXPECT_TRUE(outcome.ok()) << outcome;
  World made;
  change.apply(&made, {});
  return made;
}

std::string NewPrincipal(Bench& bench) {
  return Make(AddsPrincipal(bench)).principals.begin()->first;
}

// The name of a new alias.
std::string NewAlias(Bench& bench) {
  return Make(CreatesAlias(bench, NewKey(bench))).aliases.begin()->first;
}

std::string NewTaggedKey(Bench& bench) { return Make(CreatesKey(bench)).keys.begin()->first; }

// A new key that has gone through `change`.
std::string NewKeyAfter(Bench& bench, Change (*change)(Bench&, const std::string&)) {
  std::string key = NewKey(bench);
  static_cast<void>(Make(change(bench, key)));
  return key;
}

const Row kRows[] = {
    {"AddPrincipal", AddsPrincipal},
    {"CancelKeyDeletion",
     [](Bench& bench) { return CancelsDeletion(bench, NewKeyAfter(bench, SchedulesDeletion)); }},
    {"CreateAlias", [](Bench& bench) { return CreatesAlias(bench, NewKey(bench)); }},
    {"CreateGrant", [](Bench& bench) { return CreatesGrant(bench, NewKey(bench)); }},
    {"CreateKey", CreatesKey},
    {"DeleteAlias", [](Bench& bench) { return DeletesAlias(bench, NewAlias(bench)); }},
    {"DisableKey", [](Bench& bench) { return Disables(bench, NewKey(bench)); }},
    {"EnableKey", [](Bench& bench) { return Enables(bench, NewKeyAfter(bench, Disables)); }},
    {"PutKeyPolicy", [](Bench& bench) { return PutsPolicy(bench, NewKey(bench)); }},
    {"RemovePrincipal", [](Bench& bench) { return RemovesPrincipal(bench, NewPrincipal(bench)); }},
    {"RetireGrant", [](Bench& bench) { return RetiresGrant(bench, MakesGrant(bench)); }},
    {"RevokeGrant", [](Bench& bench) { return RevokesGrant(bench, MakesGrant(bench)); }},
    {"ScheduleKeyDeletion", [](Bench& bench) { return SchedulesDeletion(bench, NewKey(bench)); }},
    {"TagResource", [](Bench& bench) { return Tags(bench, NewTaggedKey(bench), "made"); }},
    {"UntagResource", [](Bench& bench) { return Untags(bench, NewTaggedKey(bench), "made"); }},
    {"UpdateAlias",
     [](Bench& bench) { return PointsAlias(bench, NewAlias(bench), NewKey(bench)); }},
    {"UpdateKeyDescription", [](Bench& bench) { return Describes(bench, NewKey(bench)); }},
    {"the deletion of a key", DeletesWhatIsDue},
    {"the start after a crash", StartsAfterCrash},
    {"the stop", Stops},
};

bool Long() { return std::getenv("HALLMARK_LONG") != nullptr; }

constexpr const char* kDone = "done";
constexpr const char* kNothingLost = "nothing lost";

// What became of a change, as the table tells it; a world that is neither is shown.
std::string Judge(const World& before, const World& after, const World& seen) {
  if (seen == before && before == after) return kNothingLost;
  if (seen == after) return kDone;
  if (seen == before) return "not done";
  return "neither: " + Difference(before, seen);
}

class KillPointTest : public ::testing::TestWithParam<Row> {
 protected:
  // The points that a run of the operation passes.
  std::vector<KillPoint> Points() {
    const Change change = Prepare();
    const World before = change.before ? *change.before : bench_.Observe();
    bench_.kills().Record();
    const Outcome outcome = change.ask();
    EXPECT_TRUE(outcome.ok()) << outcome;
    const std::vector<std::string> trace = bench_.kills().Trace();
    bench_.kills().Disarm();
    if (!bench_.daemon().running()) bench_.Start();
    const World seen = bench_.Observe();
    World after = before;
    change.apply(&after, seen);
    EXPECT_EQ(Difference(after, seen), "");
    std::vector<KillPoint> points = PointsOf(trace, Long());
    if (change.first_stage.empty()) return points;
    points.erase(points.begin(),
                 std::find_if(points.begin(), points.end(), [&](const KillPoint& point) {
                   return point.name == change.first_stage;
                 }));
    return points;
  }

  // Kills the operation at `point`; says what became of it, or nothing if it never came there.
  std::optional<std::string> KillAt(const KillPoint& point) {
    const Change change = Prepare();
    const World before = change.before ? *change.before : bench_.Observe();
    bench_.kills().Arm(point);
    const Outcome asked = change.ask();
    const bool reached = !asked.ok();
    if (reached) {
      EXPECT_TRUE(IsLost(asked)) << asked;
      EXPECT_TRUE(bench_.Died());
    }
    bench_.kills().Disarm();
    if (!bench_.daemon().running()) bench_.Start();
    if (!reached) return std::nullopt;
    if (change.settled) {
      EXPECT_TRUE(Eventually(change.settled, 30s));
    }

    World seen = bench_.Observe();
    World after = before;
    change.apply(&after, seen);
    const std::string outcome = Judge(before, after, seen);
    EXPECT_TRUE(bench_.TokenIsSound(&leftovers_));

    // A start is not repeated, nor a stop.
    if (change.before || outcome == kNothingLost) return outcome;

    // The client repeats what it does not know the end of.
    const Outcome repeated = change.ask();
    EXPECT_TRUE(repeated.ok() || outcome == kDone) << repeated;
    seen = bench_.Observe();
    after = before;
    change.apply(&after, seen);
    EXPECT_EQ(Difference(after, seen), "") << "after the repeat";
    return outcome;
  }

  Change Prepare() {
    // A commit that finds the log long moves it into the database, and the first commit to a new
    // log writes and syncs its head: not what these points count.
    if (std::filesystem::file_size(bench_.daemon().home() / "store/hallmark.db-wal") > kLongLog) {
      EXPECT_TRUE(bench_.Stop().ok());
      bench_.Start();
    }
    static_cast<void>(NewKey(bench_));
    return GetParam().prepare(bench_);
  }

  Bench bench_;
  Leftovers leftovers_;
};

TEST_P(KillPointTest, KilledAtAnyPointLosesNothingAndLeavesNothingHalfMade) {
  const std::vector<KillPoint> points = Points();
  ASSERT_FALSE(points.empty());
  Outcomes outcomes;
  for (const KillPoint& point : points) {
    SCOPED_TRACE(point.row + ", call " + std::to_string(point.call));
    std::optional<std::string> outcome = KillAt(point);
    // A commit may write fewer pages than the recorded one did.
    for (KillPoint nearer = point; !outcome && nearer.call > 2;) {
      --nearer.call;
      outcome = KillAt(nearer);
    }
    ASSERT_TRUE(outcome) << "it was never there";
    if (!outcomes.empty() && outcomes.back().first == point.row) {
      EXPECT_EQ(outcomes.back().second, *outcome);
    } else {
      outcomes.emplace_back(point.row, *outcome);
    }
  }
  std::printf("%skills: %zu, objects that SoftHSM left half written: %zu\n",
              Print(GetParam().name, outcomes).c_str(), points.size(), leftovers_.debris);
  EXPECT_EQ(leftovers_.orphans, 0u);
  EXPECT_EQ(CommittedOutcomes(GetParam().name, outcomes), outcomes)
      << "HALLMARK_UPDATE_GOLDEN=1 rewrites the table; judge the difference first";
}

TEST(KillPointTableTest, EveryServedOperationThatChangesSomethingHasARow) {
  std::vector<std::string> rows;
  for (const Row& row : kRows) rows.emplace_back(row.name);
    // What waits for the store is in the control lane, and so are random bytes and explanations,
    // which leave nothing.
#define HALLMARK_SERVED(operation, lane, key_ids)                                               \
  if (std::string(#lane).ends_with("Control") && std::string(#operation) != "GenerateRandom" && \
      std::string(#operation) != "Explain") {                                                   \
    EXPECT_THAT(rows, Contains(#operation));                                                    \
  }
#include "service/app/served_operations.def"
#undef HALLMARK_SERVED
  EXPECT_THAT(rows, UnorderedElementsAreArray(CommittedOperations()));
}

INSTANTIATE_TEST_SUITE_P(Operations, KillPointTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) {
                           std::string name = row.param.name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace hallmark::testing
