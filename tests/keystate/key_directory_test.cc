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
  directory.RemoveAlias(kAccount, "alias/a");
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
  directory.RemoveAlias(kAccount, "alias/b");
  EXPECT_EQ(directory.CountAliasesOf(Id(1)), 0U);
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
