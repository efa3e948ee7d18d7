#include "keystate/key_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark {
namespace {

const AccountId kAccount = *AccountId::Parse("111122223333");
const AccountId kOther = *AccountId::Parse("444455556666");

KeyId Id(unsigned number) {
  std::array<std::byte, 16> bytes{};
  bytes[0] = static_cast<std::byte>(number >> 8U);
  bytes[1] = static_cast<std::byte>(number);
  return KeyId::FromRandom(bytes);
}

KeyViewPtr View(unsigned number, Revision revision, const AccountId& account = kAccount) {
  return std::make_shared<const KeyView>(KeyView{
      {.id = Id(number), .account = account, .spec = KeySpec::kHmac256, .revision = revision},
      "arn",
      {.key_id = Id(number)},
      {},
      {}});
}

TEST(KeyDirectoryTest, FindsWhatWasPublishedAndNothingElse) {
  KeyDirectory directory;
  EXPECT_EQ(directory.Find(Id(1)), nullptr);
  const KeyViewPtr view = View(1, 1);
  directory.Publish(view);
  EXPECT_EQ(directory.Find(Id(1)), view);
  directory.Remove(Id(1));
  EXPECT_EQ(directory.Find(Id(1)), nullptr);
  EXPECT_TRUE(directory.List(kAccount, std::nullopt, 10).empty());
}

TEST(KeyDirectoryTest, AnOlderVersionDoesNotReplaceANewerOne) {
  KeyDirectory directory;
  const KeyViewPtr newer = View(1, 7);
  directory.Publish(newer);
  directory.Publish(View(1, 6));
  EXPECT_EQ(directory.Find(Id(1)), newer);
}

TEST(KeyDirectoryTest, PagesFollowTheIdsOfOneAccount) {
  KeyDirectory directory;
  for (unsigned i = 10; i > 0; --i) directory.Publish(View(i, 1));
  directory.Publish(View(100, 1, kOther));
  std::vector<KeyViewPtr> page = directory.List(kAccount, std::nullopt, 4);
  ASSERT_EQ(page.size(), 4U);
  EXPECT_EQ(page.front()->key.id, Id(1));
  page = directory.List(kAccount, page.back()->key.id, 100);
  ASSERT_EQ(page.size(), 6U);
  EXPECT_EQ(page.front()->key.id, Id(5));
  EXPECT_EQ(page.back()->key.id, Id(10));
}

TEST(KeyDirectoryTest, ARemovedKeyDoesNotBreakAPageThatBeginsAfterIt) {
  KeyDirectory directory;
  for (unsigned i = 1; i <= 3; ++i) directory.Publish(View(i, 1));
  directory.Remove(Id(2));
  const std::vector<KeyViewPtr> page = directory.List(kAccount, Id(2), 10);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front()->key.id, Id(3));
}

TEST(KeyDirectoryTest, AliasesBelongToTheirAccount) {
  KeyDirectory directory;
  directory.PublishAlias({kAccount, "alias/a", Id(1)});
  EXPECT_EQ(directory.FindAlias(kAccount, "alias/a")->target, Id(1));
  EXPECT_FALSE(directory.FindAlias(kOther, "alias/a"));
  EXPECT_FALSE(directory.FindAlias(kAccount, "alias/A"));
  directory.RemoveAlias({kAccount, "alias/a", Id(1)});
  EXPECT_FALSE(directory.FindAlias(kAccount, "alias/a"));
}

TEST(KeyDirectoryTest, CountsTheAliasesOfAKeyAcrossMovesAndRemovals) {
  KeyDirectory directory;
  AliasRecord alias{kAccount, "alias/a", Id(1)};
  directory.PublishAlias(alias);
  directory.PublishAlias({kAccount, "alias/b", Id(1)});
  EXPECT_EQ(directory.CountAliasesOf(Id(1)), 2U);
  alias.target = Id(2);
  alias.revision = 1;
  directory.PublishAlias(alias);
  EXPECT_EQ(directory.CountAliasesOf(Id(1)), 1U);
  EXPECT_EQ(directory.CountAliasesOf(Id(2)), 1U);
  directory.RemoveAlias({kAccount, "alias/b", Id(1)});
  EXPECT_EQ(directory.CountAliasesOf(Id(1)), 0U);
}

TEST(KeyDirectoryTest, AliasesAreListedByNameForAnAccountOrOneKey) {
  KeyDirectory directory;
  for (const char* name : {"alias/c", "alias/a", "alias/b"}) {
    directory.PublishAlias({kAccount, name, Id(1)});
  }
  directory.PublishAlias({kAccount, "alias/ab", Id(2)});
  directory.PublishAlias({kOther, "alias/aa", Id(3)});
  const auto names = [](const std::vector<AliasRecord>& aliases) {
    std::string joined;
    for (const AliasRecord& alias : aliases) joined += alias.name + " ";
    return joined;
  };
  EXPECT_EQ(names(directory.ListAliases(kAccount, std::nullopt, "", 10)),
            "alias/a alias/ab alias/b alias/c ");
  EXPECT_EQ(names(directory.ListAliases(kAccount, std::nullopt, "alias/ab", 1)), "alias/b ");
  EXPECT_EQ(names(directory.ListAliases(kAccount, Id(1), "", 2)), "alias/a alias/b ");
  EXPECT_EQ(names(directory.ListAliases(kAccount, Id(1), "alias/aaa", 10)), "alias/b alias/c ");
  EXPECT_EQ(names(directory.ListAliases(kAccount, Id(9), "", 10)), "");
}

TEST(KeyDirectoryTest, KeysPastTheirDateAreDueUntilTheyAreCancelledOrRemoved) {
  KeyDirectory directory;
  const auto due_at = [&](int seconds) {
    return directory.DueForDeletion(WallTime(std::chrono::seconds(seconds)), 10);
  };
  const auto publish = [&](unsigned n, Revision revision, std::optional<int> seconds) {
    KeyView view = *View(n, revision);
    if (seconds) view.key.deletion_date = WallTime(std::chrono::seconds(*seconds));
    directory.Publish(std::make_shared<const KeyView>(std::move(view)));
  };
  publish(1, 1, 20);
  publish(2, 1, 10);
  publish(3, 1, std::nullopt);
  EXPECT_TRUE(due_at(9).empty());
  EXPECT_EQ(due_at(10), std::vector{Id(2)});
  EXPECT_EQ(due_at(30), (std::vector{Id(2), Id(1)}));
  publish(2, 2, std::nullopt);
  EXPECT_EQ(due_at(30), std::vector{Id(1)});
  directory.Remove(Id(1));
  EXPECT_TRUE(due_at(30).empty());
  EXPECT_EQ(directory.CountKeysOf(kAccount), 2U);
  EXPECT_EQ(directory.CountKeysOf(kOther), 0U);
}

TEST(KeyDirectoryTest, KeysAreCountedOnEveryTokenThatHoldsThem) {
  KeyDirectory directory;
  const auto publish = [&](Revision revision, std::vector<std::string> tokens) {
    auto view = std::make_shared<KeyView>(*View(1, revision));
    for (const std::string& token : tokens) {
      view->bindings.push_back({.key_id = view->key.id, .token_id = token});
    }
    directory.Publish(view);
  };
  publish(1, {"a"});
  publish(2, {"a", "b"});
  EXPECT_EQ(directory.CountKeysOn("a"), 1U);
  EXPECT_EQ(directory.CountKeysOn("b"), 1U);
  directory.Remove(Id(1));
  EXPECT_EQ(directory.CountKeysOn("a"), 0U);
  EXPECT_EQ(directory.CountKeysOn("b"), 0U);
}

TEST(KeyDirectoryTest, ReadersSeeWholeVersionsWhileWritersReplaceThem) {
  KeyDirectory directory;
  directory.Publish(View(1, 1));
  std::atomic<bool> stop{false};
  std::atomic<bool> went_back{false};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      Revision last = 0;
      while (!stop) {
        const Revision seen = directory.Find(Id(1))->key.revision;
        if (seen < last) went_back = true;
        last = seen;
        static_cast<void>(directory.List(kAccount, std::nullopt, 5));
      }
    });
  }
  std::vector<std::jthread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      for (Revision revision = 2; revision < 2000; ++revision) {
        directory.Publish(View(1, revision));
        directory.Publish(View(2 + static_cast<unsigned>(revision % 50), revision));
      }
    });
  }
  writers.clear();
  stop = true;
  readers.clear();
  EXPECT_FALSE(went_back);
  EXPECT_EQ(directory.Find(Id(1))->key.revision, 1999U);
}

}  // namespace
}  // namespace hallmark
