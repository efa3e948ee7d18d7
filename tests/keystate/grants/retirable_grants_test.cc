#include "keystate/grants/retirable_grants.h"

#include "keystate/key_directory.h"
#include "tests/keystate/grants/test_grants.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace hallmark {
namespace {

using testing::kOwner;
using testing::TestGrant;
using testing::TestGrantId;
using testing::TestGrantKey;

GrantRecord Retirable(unsigned number, unsigned key, std::string retiring_id) {
  GrantRecord grant = TestGrant(number, "grantee");
  grant.key_id = TestGrantKey(key);
  grant.retiring_id = std::move(retiring_id);
  return grant;
}

KeyViewPtr View(unsigned key, Revision revision, GrantSet grants) {
  return std::make_shared<const KeyView>(KeyView{
      {.id = TestGrantKey(key), .account = kOwner, .spec = KeySpec::kHmac256, .revision = revision},
      "arn",
      {.key_id = TestGrantKey(key)},
      {},
      {},
      std::move(grants)});
}

using Names = std::vector<std::pair<KeyId, GrantId>>;
Names NamesOf(const std::vector<GrantOfKey>& grants) {
  Names names;
  for (const GrantOfKey& found : grants) names.emplace_back(found.key->key.id, found.grant->id);
  return names;
}

TEST(RetirableGrantsTest, FollowsTheGrantsOfAllKeys) {
  KeyDirectory keys;
  const GrantSet first = GrantSet()
                             .With(Retirable(1, 1, "r"))
                             .With(Retirable(2, 1, "other"))
                             .With(TestGrant(3, "nobody retires it"));
  keys.Publish(View(1, 1, first));
  keys.Publish(View(2, 2, GrantSet().With(Retirable(4, 2, "r"))));
  EXPECT_EQ(NamesOf(keys.ListRetirableGrants("r", std::nullopt, 10)),
            (Names{{TestGrantKey(1), TestGrantId(1)}, {TestGrantKey(2), TestGrantId(4)}}));
  EXPECT_TRUE(keys.ListRetirableGrants("", std::nullopt, 10).empty());
  EXPECT_TRUE(keys.ListRetirableGrants("nobody", std::nullopt, 10).empty());

  keys.Publish(View(1, 3, first.Without(TestGrantId(1)).With(Retirable(5, 1, "r"))));
  EXPECT_EQ(NamesOf(keys.ListRetirableGrants("r", std::nullopt, 10)),
            (Names{{TestGrantKey(1), TestGrantId(5)}, {TestGrantKey(2), TestGrantId(4)}}));
  // An overtaken version changes nothing.
  keys.Publish(View(1, 2, first));
  EXPECT_EQ(keys.ListRetirableGrants("r", std::nullopt, 10).front().grant->id, TestGrantId(5));

  keys.Remove(TestGrantKey(1));
  EXPECT_EQ(NamesOf(keys.ListRetirableGrants("r", std::nullopt, 10)),
            (Names{{TestGrantKey(2), TestGrantId(4)}}));
  EXPECT_TRUE(keys.ListRetirableGrants("other", std::nullopt, 10).empty());
}

TEST(RetirableGrantsTest, PagesGoOnWhereAGrantHasGone) {
  KeyDirectory keys;
  for (unsigned key = 1; key <= 3; ++key) {
    GrantSet grants;
    for (unsigned i = 0; i < 4; ++i) grants = grants.With(Retirable(key * 10 + i, key, "r"));
    keys.Publish(View(key, key, grants));
  }
  const auto page = keys.ListRetirableGrants("r", std::nullopt, 6);
  ASSERT_EQ(page.size(), 6U);
  const GrantPlace last{page.back().key->key.id, page.back().grant->id};
  EXPECT_EQ(last.grant_id, TestGrantId(21));
  keys.Publish(View(2, 9, page.back().key->grants.Without(last.grant_id)));
  EXPECT_EQ(keys.ListRetirableGrants("r", last, 100).size(), 6U);
  EXPECT_EQ(keys.ListRetirableGrants("r", last, 1).front().grant->id, TestGrantId(22));
}

// Writers publish versions of their keys while readers list: whatever a reader gets is a grant that
// some version had, and in the end the index says what the views say.
TEST(RetirableGrantsTest, StaysRightUnderConcurrentPublishes) {
  KeyDirectory keys;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  {
    std::jthread reader([&] {
      while (!done) {
        for (const GrantOfKey& found : keys.ListRetirableGrants("r", std::nullopt, 50)) {
          if (found.grant->retiring_id != "r" || found.grant->key_id != found.key->key.id) ++wrong;
        }
      }
    });
    std::vector<std::jthread> writers;
    for (unsigned key = 1; key <= 3; ++key) {
      writers.emplace_back([&keys, key] {
        GrantSet grants;
        for (unsigned i = 1; i <= 500; ++i) {
          grants = grants.With(Retirable(i, key, i % 2 == 0 ? "r" : "s"));
          if (i > 20) grants = grants.Without(TestGrantId(i - 20));
          keys.Publish(View(key, i, grants));
        }
      });
    }
    writers.clear();
    done = true;
  }
  EXPECT_EQ(wrong, 0);
  for (const char* retiring : {"r", "s"}) {
    std::set<std::pair<KeyId, GrantId>> want;
    for (unsigned key = 1; key <= 3; ++key) {
      for (const GrantPtr& grant : keys.Find(TestGrantKey(key))->grants.List(std::nullopt, 1000)) {
        if (grant->retiring_id == retiring) want.emplace(grant->key_id, grant->id);
      }
    }
    const Names got = NamesOf(keys.ListRetirableGrants(retiring, std::nullopt, 1000));
    EXPECT_EQ(Names(want.begin(), want.end()), got);
    EXPECT_EQ(got.size(), 30U);
  }
}

}  // namespace
}  // namespace hallmark
