#include "keystate/grants/grant_set.h"

#include "tests/keystate/grants/test_grants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace hallmark {
namespace {

using testing::GrantsOf;
using testing::kForeign;
using testing::kOwner;
using testing::TestGrant;
using testing::TestGrantId;

constexpr auto kEverything = std::numeric_limits<std::size_t>::max();

GrantCaller User(std::string_view unique_id) { return {.account = kOwner, .unique_id = unique_id}; }
GrantCaller Session(std::string_view unique_id, std::string_view role_id) {
  return {.account = kOwner, .unique_id = unique_id, .role_id = role_id, .is_session = true};
}

GrantDemand For(Operation operation, std::string_view source_arn = {}) {
  return {.operations = GrantOperations::BitOf(operation), .source_arn = source_arn};
}

std::vector<GrantId> Ids(const std::vector<GrantPtr>& grants) {
  std::vector<GrantId> ids;
  for (const GrantPtr& grant : grants) ids.push_back(grant->id);
  return ids;
}

TEST(GrantSetTest, EmptySetHasNothing) {
  const GrantSet none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.Find(TestGrantId(1)), nullptr);
  EXPECT_FALSE(none.FindCovering(User("u"), For(Operation::kGenerateMac)));
  EXPECT_EQ(none.FindRepeated(TestGrant(1, "u")), nullptr);
  EXPECT_TRUE(none.List(std::nullopt, kEverything).empty());
  EXPECT_TRUE(none.ListTo("u", std::nullopt, kEverything).empty());
  EXPECT_TRUE(none.Without(TestGrantId(1)).empty());
  EXPECT_TRUE(GrantSet::Of({}).empty());
}

TEST(GrantSetTest, AVersionNeverChanges) {
  const GrantSet one = GrantSet().With(TestGrant(1, "u"));
  const GrantSet two = one.With(TestGrant(2, "u"));
  const GrantSet none = one.Without(TestGrantId(1));
  EXPECT_EQ(one.size(), 1U);
  EXPECT_EQ(two.size(), 2U);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(one.Find(TestGrantId(2)), nullptr);
  EXPECT_EQ(two.Find(TestGrantId(1)), one.Find(TestGrantId(1))) << "grants are shared";
  EXPECT_FALSE(none.FindCovering(User("u"), For(Operation::kGenerateMac)));
}

TEST(GrantSetTest, AGrantOfTheSameIdTakesThePlace) {
  GrantRecord named = TestGrant(1, "u");
  named.name = "n";
  const GrantSet set = GrantSet().With(named).With(TestGrant(1, "other"));
  EXPECT_EQ(set.size(), 1U);
  EXPECT_FALSE(set.FindCovering(User("u"), For(Operation::kGenerateMac)));
  EXPECT_TRUE(set.FindCovering(User("other"), For(Operation::kGenerateMac)));
  EXPECT_EQ(set.FindRepeated(named), nullptr);
}

struct CoverRow {
  const char* name;
  GrantCaller caller;
  GrantDemand demand;
  std::optional<unsigned> want;
  bool to_session = false;
};

TEST(GrantSetTest, WhomAGrantHelps) {
  GrantRecord constrained =
      TestGrant(5, "lambda", {Operation::kGenerateMac, Operation::kRetireGrant});
  constrained.source_arn = "arn:aws:lambda:us-west-2:111122223333:function:f";
  const GrantSet grants = GrantsOf({
      TestGrant(1, "user", {Operation::kGenerateMac}),
      TestGrant(2, "user", {Operation::kVerifyMac, Operation::kDescribeKey}),
      TestGrant(3, "ROLE", {Operation::kGenerateMac, Operation::kVerifyMac}),
      TestGrant(4, "ROLE:own", {Operation::kGenerateMac}),
      constrained,
      TestGrant(6, "111122223333", {Operation::kGenerateMac}),
  });
  const GrantCaller root{.account = kOwner, .unique_id = "root", .is_root = true};
  const GrantCaller foreign_root{.account = kForeign, .unique_id = "root2", .is_root = true};
  const std::vector<CoverRow> rows{
      {"its grantee", User("user"), For(Operation::kGenerateMac), 1},
      {"another grant of the grantee", User("user"), For(Operation::kVerifyMac), 2},
      {"an operation that none allows", User("user"), For(Operation::kCreateGrant), {}},
      {"an operation that no grant can allow", User("user"), For(Operation::kEnableKey), {}},
      {"somebody else", User("user2"), For(Operation::kGenerateMac), {}},
      {"a shorter id", User("use"), For(Operation::kGenerateMac), {}},
      {"nobody", User(""), For(Operation::kGenerateMac), {}},
      {"the role itself", User("ROLE"), For(Operation::kGenerateMac), 3},
      {"the session before its role", Session("ROLE:own", "ROLE"), For(Operation::kGenerateMac), 4,
       true},
      {"a session through its role", Session("ROLE:own", "ROLE"), For(Operation::kVerifyMac), 3},
      {"another session: only the role's", Session("ROLE:two", "ROLE"),
       For(Operation::kGenerateMac), 3},
      {"a session of another role", Session("ROLF:own", "ROLF"), For(Operation::kGenerateMac), {}},
      {"SourceArn missing", User("lambda"), For(Operation::kGenerateMac), {}},
      {"SourceArn wrong", User("lambda"), For(Operation::kGenerateMac, "arn:aws:s3:::b"), {}},
      {"SourceArn right", User("lambda"), For(Operation::kGenerateMac, constrained.source_arn), 5},
      {"SourceArn does not constrain RetireGrant", User("lambda"), For(Operation::kRetireGrant), 5},
      {"SourceArn gives no other operation",
       User("lambda"),
       For(Operation::kVerifyMac, constrained.source_arn),
       {}},
      {"the root of the account", root, For(Operation::kGenerateMac), 6},
      {"the root of another account", foreign_root, For(Operation::kGenerateMac), {}},
      {"a principal of the account", User("user3"), For(Operation::kGenerateMac), {}},
  };
  for (const CoverRow& row : rows) {
    const std::optional<CoveringGrant> match = grants.FindCovering(row.caller, row.demand);
    ASSERT_EQ(match.has_value(), row.want.has_value()) << row.name;
    if (!match) continue;
    EXPECT_EQ(match->grant->id, TestGrantId(*row.want)) << row.name;
    EXPECT_EQ(match->to_session, row.to_session) << row.name;
  }
}

TEST(GrantSetTest, TwoGrantsAreNeverAddedUp) {
  const GrantSet grants = GrantsOf(
      {TestGrant(1, "u", {Operation::kGenerateMac}), TestGrant(2, "u", {Operation::kVerifyMac})});
  const auto both =
      static_cast<GrantOperations::Bits>(GrantOperations::BitOf(Operation::kGenerateMac) |
                                         GrantOperations::BitOf(Operation::kVerifyMac));
  EXPECT_FALSE(grants.FindCovering(User("u"), {.operations = both}));
  const GrantSet more =
      grants.With(TestGrant(3, "u", {Operation::kVerifyMac, Operation::kGenerateMac}));
  ASSERT_TRUE(more.FindCovering(User("u"), {.operations = both}));
}

// One of a grantee's 50,000 grants is the one, and the neighbours in order belong to others.
TEST(GrantSetTest, FindsTheOneAmongFiftyThousand) {
  std::vector<GrantRecord> grants;
  for (unsigned i = 0; i < 50'000; ++i) {
    grants.push_back(TestGrant(i,
                               i % 10 == 0   ? "a"
                               : i % 10 == 9 ? "c"
                                             : "b",
                               {Operation::kDescribeKey}));
  }
  grants[31'415].operations.Add(Operation::kGenerateMac);
  grants[9].operations.Add(Operation::kVerifyMac);  // of "c", behind all of "b"
  const GrantSet set = GrantSet::Of(grants);
  EXPECT_EQ(set.size(), 50'000U);
  const auto match = set.FindCovering(User("b"), For(Operation::kGenerateMac));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->grant->id, TestGrantId(31'415));
  EXPECT_FALSE(set.FindCovering(User("b"), For(Operation::kVerifyMac)));
  EXPECT_FALSE(set.FindCovering(User("a"), For(Operation::kGenerateMac)));
}

// 4.3: a repeat is the same name with the same parameters, of the same account.
TEST(GrantSetTest, RepeatsOfANamedGrant) {
  GrantRecord original = TestGrant(1, "u", {Operation::kGenerateMac, Operation::kVerifyMac});
  original.name = "name";
  original.retiring_id = "r";
  const GrantSet grants = GrantsOf({original, TestGrant(2, "u")});

  GrantRecord wanted = original;
  wanted.id = TestGrantId(99);
  wanted.revision = 7;
  wanted.created = WallTime(std::chrono::hours(1));
  wanted.grantee = "the same principal, named by its unique id";
  wanted.operations = testing::Operations({Operation::kVerifyMac, Operation::kGenerateMac});
  ASSERT_NE(grants.FindRepeated(wanted), nullptr);
  EXPECT_EQ(grants.FindRepeated(wanted)->id, original.id);

  struct Row {
    const char* name;
    void (*change)(GrantRecord&);
  };
  for (const Row& row : std::vector<Row>{
           {"no name", [](GrantRecord& g) { g.name = ""; }},
           {"another name", [](GrantRecord& g) { g.name = "name2"; }},
           {"another grantee", [](GrantRecord& g) { g.grantee_id = "u2"; }},
           {"another retiring principal", [](GrantRecord& g) { g.retiring_id = "r2"; }},
           {"no retiring principal", [](GrantRecord& g) { g.retiring_id = ""; }},
           {"more operations", [](GrantRecord& g) { g.operations.Add(Operation::kDescribeKey); }},
           {"fewer operations",
            [](GrantRecord& g) { g.operations = testing::Operations({Operation::kVerifyMac}); }},
           {"a constraint", [](GrantRecord& g) { g.source_arn = "arn:aws:s3:::b"; }},
           {"another issuing account", [](GrantRecord& g) { g.issuing_account = kForeign; }},
       }) {
    GrantRecord different = wanted;
    row.change(different);
    EXPECT_EQ(grants.FindRepeated(different), nullptr) << row.name;
  }
  EXPECT_EQ(grants.Without(original.id).FindRepeated(wanted), nullptr);
  EXPECT_EQ(grants.FindRepeated(TestGrant(3, "u")), nullptr) << "without a name nothing repeats";
}

TEST(GrantSetTest, PagesMissNothingWhenTheirLastGrantGoes) {
  GrantSet grants;
  for (unsigned i = 10; i > 0; --i) grants = grants.With(TestGrant(i, i % 2 == 0 ? "even" : "odd"));
  const std::vector<GrantPtr> first = grants.List(std::nullopt, 3);
  EXPECT_EQ(Ids(first), (std::vector<GrantId>{TestGrantId(1), TestGrantId(2), TestGrantId(3)}));
  const GrantSet without = grants.Without(first.back()->id);
  EXPECT_EQ(Ids(without.List(first.back()->id, 2)),
            (std::vector<GrantId>{TestGrantId(4), TestGrantId(5)}));
  EXPECT_EQ(Ids(grants.List(TestGrantId(9), kEverything)), (std::vector<GrantId>{TestGrantId(10)}));
  EXPECT_TRUE(grants.List(TestGrantId(10), kEverything).empty());
  EXPECT_TRUE(grants.List(std::nullopt, 0).empty());

  EXPECT_EQ(Ids(grants.ListTo("even", std::nullopt, 2)),
            (std::vector<GrantId>{TestGrantId(2), TestGrantId(4)}));
  EXPECT_EQ(Ids(grants.Without(TestGrantId(4)).ListTo("even", TestGrantId(4), kEverything)),
            (std::vector<GrantId>{TestGrantId(6), TestGrantId(8), TestGrantId(10)}));
  EXPECT_TRUE(grants.ListTo("eve", std::nullopt, kEverything).empty());
}

// Every lookup against a plain list, over random grants.
TEST(GrantSetTest, AgreesWithAPlainList) {
  std::mt19937 random(42);  // NOLINT(bugprone-random-generator-seed): the same every time
  const std::vector<std::string> ids{"a", "b", "b:s", "c"};
  GrantSet set;
  std::map<GrantId, GrantRecord> model;
  for (int step = 0; step < 3000; ++step) {
    const GrantId id = TestGrantId(static_cast<unsigned>(random() % 60));
    if (random() % 3 == 0) {
      set = set.Without(id);
      model.erase(id);
    } else {
      GrantRecord grant = TestGrant(0, ids[random() % ids.size()], {});
      grant.id = id;
      for (const Operation operation : GrantOperations::kAll) {
        if (random() % 4 == 0) grant.operations.Add(operation);
      }
      if (random() % 3 == 0) grant.source_arn = "arn:x";
      if (random() % 2 == 0) grant.name = "n";
      set = set.With(grant);
      model.insert_or_assign(id, grant);
    }
    ASSERT_EQ(set.size(), model.size());
    const auto bits = static_cast<GrantOperations::Bits>(1 + random() % 31);
    const std::string& grantee = ids[random() % ids.size()];
    const std::string source = random() % 2 == 0 ? "arn:x" : "";
    bool covered = false;
    for (const auto& [other, grant] : model) {
      const bool constrained = !grant.source_arn.empty() && grant.source_arn != source;
      const auto usable = static_cast<GrantOperations::Bits>(
          constrained ? grant.operations.bits() & GrantOperations::BitOf(Operation::kRetireGrant)
                      : grant.operations.bits());
      covered = covered || (grant.grantee_id == grantee && (usable & bits) == bits);
    }
    const auto match = set.FindCovering(User(grantee), {.operations = bits, .source_arn = source});
    ASSERT_EQ(match.has_value(), covered) << "step " << step;
    const auto listed = set.ListTo(grantee, std::nullopt, kEverything);
    ASSERT_EQ(listed.size(), static_cast<std::size_t>(
                                 std::count_if(model.begin(), model.end(), [&](const auto& entry) {
                                   return entry.second.grantee_id == grantee;
                                 })));
  }
  EXPECT_EQ(set.List(std::nullopt, kEverything).size(), model.size());
}

TEST(GrantSetTest, ManyThreadsReadAndDeriveFromOneVersion) {
  std::vector<GrantRecord> grants;
  for (unsigned i = 0; i < 1000; ++i) grants.push_back(TestGrant(i, "u"));
  const GrantSet shared = GrantSet::Of(grants);
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&shared, t] {
      GrantSet mine = shared;
      for (unsigned i = 0; i < 200; ++i) {
        mine = mine.Without(TestGrantId(t * 200 + i)).With(TestGrant(2000 + i, "u"));
        EXPECT_TRUE(mine.FindCovering(User("u"), For(Operation::kGenerateMac)));
      }
      EXPECT_EQ(mine.size(), 1000U);
    });
  }
  threads.clear();
  EXPECT_EQ(shared.size(), 1000U);
}

}  // namespace
}  // namespace hallmark
