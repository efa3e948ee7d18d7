// The store of yesterday, put back beside the token of today.
#include "tests/crash/bench.h"
#include "tests/crash/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;

// What the daemon calls orphans are secret keys without a record: ours, and those of others.
constexpr std::size_t kForeignSecretKeys = 2;

class RestoredStoreTest : public ::testing::Test {
 protected:
  std::filesystem::path Backup() { return bench_.daemon().home() / "yesterday"; }

  void StopAndBackUp() {
    ASSERT_EQ(bench_.daemon().Stop(), 0);
    std::filesystem::copy(Store(), Backup(), std::filesystem::copy_options::recursive);
  }
  void StopAndRestore() {
    ASSERT_EQ(bench_.daemon().Stop(), 0);
    std::filesystem::remove_all(Store());
    std::filesystem::rename(Backup(), Store());
  }
  std::filesystem::path Store() { return bench_.daemon().home() / "store"; }

  Bench bench_;
};

TEST_F(RestoredStoreTest, KeysMadeSinceAreOrphansAndStayOnTheToken) {
  const std::string old_key = CreateKey(bench_.client());
  ASSERT_TRUE(CreatesAlias(bench_, old_key).ask().ok());
  const World yesterday = bench_.Observe();
  StopAndBackUp();

  bench_.Start();
  const std::string new_key = CreateKey(bench_.client());
  static_cast<void>(CreateKey(bench_.client()));
  ASSERT_TRUE(CreatesAlias(bench_, new_key).ask().ok());
  static_cast<void>(bench_.Observe());
  StopAndRestore();
  const std::map<std::string, std::string> files = ObjectFiles(bench_.daemon().home());

  // Twice: what the first start leaves must not be what the second one removes.
  for (int start = 1; start <= 2; ++start) {
    SCOPED_TRACE("start " + std::to_string(start));
    bench_.Start();
    EXPECT_EQ(Difference(yesterday, bench_.Observe()), "");
    EXPECT_EQ(ObjectFiles(bench_.daemon().home()), files);
    Leftovers leftovers;
    EXPECT_TRUE(bench_.TokenIsSound(&leftovers));
    EXPECT_EQ(leftovers.orphans, 2u);
    EXPECT_THAT(bench_.daemon().Log(),
                HasSubstr(R"("orphans":)" + std::to_string(2 + kForeignSecretKeys)));
    // It goes on from there.
    if (start == 1) {
      ASSERT_EQ(bench_.daemon().Stop(), 0);
    } else {
      EXPECT_TRUE(GenerateMac(bench_.client(), CreateKey(bench_.client()), "m").outcome.ok());
    }
  }
}

// A backup made while the daemon runs can hold a key that was being made then, and was finished and
// used since: keystate/store/README.md says what to do with it.
TEST_F(RestoredStoreTest, AKeyThatWasUnfinishedInTheBackupStaysOnTheToken) {
  const World yesterday = bench_.Observe();
  bench_.daemon().SetFaults("C_GenerateKey hang\n");
  std::string new_key;
  {
    const std::jthread creator([&] { new_key = CreateKey(bench_.client()); });
    ASSERT_TRUE(Eventually([&] { return bench_.HasUnfinishedKey(); }));
    std::filesystem::create_directory(Backup());
    bench_.ChangeStore("VACUUM INTO '" + (Backup() / "hallmark.db").string() + "'");
    bench_.daemon().SetFaults("");
  }
  ASSERT_TRUE(GenerateMac(bench_.client(), new_key, "m").outcome.ok());
  StopAndRestore();
  bench_.ChangeStore("UPDATE binding SET owned = 0 WHERE state = 'creating'");
  const std::map<std::string, std::string> files = ObjectFiles(bench_.daemon().home());

  bench_.Start();
  EXPECT_EQ(Difference(yesterday, bench_.Observe()), "");
  EXPECT_EQ(ObjectFiles(bench_.daemon().home()), files);
  Leftovers leftovers;
  EXPECT_TRUE(bench_.TokenIsSound(&leftovers));
  EXPECT_EQ(leftovers.orphans, 1u);
}

}  // namespace
}  // namespace hallmark::testing
