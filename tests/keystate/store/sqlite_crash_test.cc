// A process that is killed while it commits, and a disk that is full.
#include "keystate/store/sqlite_store.h"
#include "tests/keystate/store/test_records.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>
#include <vector>

namespace hallmark::store {
namespace {

constexpr std::uint32_t kKeysPerCommit = 3;

// In the child: commits for ever, and says so on `acknowledge` after each one.
[[noreturn]] void CommitUntilKilled(const std::filesystem::path& directory, int acknowledge) {
  CountingRandom random;
  auto store = SqliteStore::Open(directory, kTestSite, random);
  if (!store) _exit(1);
  const Result<StoreImage> before = (*store)->Load();
  if (!before) _exit(1);
  for (auto n = static_cast<std::uint32_t>(before->keys.size());; n += kKeysPerCommit) {
    std::vector<StoreWrite> writes;
    for (std::uint32_t i = 0; i < kKeysPerCommit; ++i) writes.push_back(Put(TestKey(n + i)));
    const Result<Revision> revision = (*store)->Commit(writes);
    if (!revision || write(acknowledge, &*revision, sizeof *revision) != sizeof *revision) _exit(1);
  }
}

TEST(SqliteCrashTest, EveryAcknowledgedCommitSurvivesKillAndNoneIsHalf) {
  const TemporaryDirectory folder;
  Revision acknowledged = 0;
  for (int round = 1; round <= 4; ++round) {
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) CommitUntilKilled(folder.path() / "store", pipe_ends[1]);
    close(pipe_ends[1]);
    // Killed at whatever it is doing after a different number of commits in every round.
    const Revision kill_after = acknowledged + 5 * static_cast<Revision>(round);
    bool killed = false;
    Revision seen = 0;
    while (read(pipe_ends[0], &seen, sizeof seen) == sizeof seen) {
      acknowledged = seen;
      if (!killed && seen >= kill_after) {
        kill(child, SIGKILL);
        killed = true;
      }
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up by itself";

    CountingRandom random;
    auto store = SqliteStore::Open(folder.path() / "store", kTestSite, random);
    ASSERT_TRUE(store.has_value()) << ToString(store.error());
    const Result<StoreImage> image = (*store)->Load();
    ASSERT_TRUE(image.has_value()) << ToString(image.error());
    EXPECT_GE(image->meta.revision, acknowledged);
    // At most the one commit that was under way is there unacknowledged.
    EXPECT_LE(image->meta.revision, acknowledged + 1);
    EXPECT_EQ(image->keys.size(), image->meta.revision * kKeysPerCommit);
    std::set<KeyId> ids;
    for (const KeyRecord& key : image->keys) ids.insert(key.id);
    for (std::uint32_t n = 0; n < acknowledged * kKeysPerCommit; ++n) {
      EXPECT_TRUE(ids.contains(TestKeyId(n)));
    }
    acknowledged = image->meta.revision;
  }
}

constexpr std::uint32_t kGrantsOfTheKey = 2000;

// In the child: gives a key many grants and takes all of them away, for ever.
[[noreturn]] void GrantUntilKilled(const std::filesystem::path& directory, int acknowledge) {
  CountingRandom random;
  auto store = SqliteStore::Open(directory, kTestSite, random);
  if (!store) _exit(1);
  const Result<StoreImage> before = (*store)->Load();
  if (!before) _exit(1);
  KeyRecord key = before->keys.empty() ? TestKey(1) : before->keys[0];
  for (bool grants = !before->grants.empty();; grants = !grants) {
    std::vector<StoreWrite> writes{Put(key)};
    if (grants) writes.push_back(RemoveGrantsOf(key));
    for (std::uint32_t n = 0; !grants && n < kGrantsOfTheKey; ++n) {
      writes.push_back(Put(TestGrant(n, key.id)));
    }
    const Result<Revision> revision = (*store)->Commit(writes);
    if (!revision || write(acknowledge, &*revision, sizeof *revision) != sizeof *revision) _exit(1);
    key.revision = *revision;
  }
}

TEST(SqliteCrashTest, AKeysGrantsComeAndGoTogetherWhateverIsKilled) {
  const TemporaryDirectory folder;
  for (Revision round = 1; round <= 4; ++round) {
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) GrantUntilKilled(folder.path() / "store", pipe_ends[1]);
    close(pipe_ends[1]);
    Revision seen = 0;
    for (Revision commits = 0; commits < round; ++commits) {
      ASSERT_EQ(read(pipe_ends[0], &seen, sizeof seen), static_cast<ssize_t>(sizeof seen));
    }
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    close(pipe_ends[0]);

    CountingRandom random;
    auto store = SqliteStore::Open(folder.path() / "store", kTestSite, random);
    ASSERT_TRUE(store.has_value()) << ToString(store.error());
    const Result<StoreImage> image = (*store)->Load();
    ASSERT_TRUE(image.has_value()) << ToString(image.error());
    EXPECT_GE(image->meta.revision, seen);
    ASSERT_EQ(image->keys.size(), 1u);
    EXPECT_EQ(image->keys[0].revision, image->meta.revision);
    // Odd revisions brought them, even ones took them away.
    EXPECT_EQ(image->grants.size(), image->meta.revision % 2 == 1 ? kGrantsOfTheKey : 0u);
  }
}

TEST(SqliteCrashTest, SecondProcessIsRefusedUntilTheHolderDies) {
  const TemporaryDirectory folder;
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) CommitUntilKilled(folder.path() / "store", pipe_ends[1]);
  close(pipe_ends[1]);
  Revision seen = 0;
  ASSERT_EQ(read(pipe_ends[0], &seen, sizeof seen), static_cast<ssize_t>(sizeof seen));

  CountingRandom random;
  const auto refused = SqliteStore::Open(folder.path() / "store", kTestSite, random);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().exception, Exception::kConflictException);
  EXPECT_NE(refused.error().message.find("process " + std::to_string(child) + ";"),
            std::string::npos)
      << refused.error().message;

  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  close(pipe_ends[0]);
  const auto opened = SqliteStore::Open(folder.path() / "store", kTestSite, random);
  EXPECT_TRUE(opened.has_value());
}

// No file may grow beyond `bytes` while this lives: what a full disk looks like to a writer.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);  // then write fails instead
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(SqliteCrashTest, FullDiskRefusesTheCommitAndChangesNothing) {
  const TemporaryDirectory folder;
  CountingRandom random;
  auto store = SqliteStore::Open(folder.path() / "store", kTestSite, random);
  ASSERT_TRUE(store.has_value()) << ToString(store.error());
  ASSERT_TRUE(CommitOne(**store, Put(TestKey(1, "before"))).has_value());
  {
    const FileSizeLimit limit(400'000);
    const Result<Revision> refused = (*store)->Commit(std::vector<StoreWrite>{
        Put(TestKey(2)), Put(PolicyRecord{.hash = "a", .document = std::string(1'000'000, 'x')})});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().exception, Exception::kDependencyTimeoutException)
        << ToString(refused.error());
    const Result<StoreImage> image = (*store)->Load();
    ASSERT_TRUE(image.has_value()) << ToString(image.error());
    EXPECT_EQ(image->keys.size(), 1u);
    EXPECT_EQ(image->meta.revision, 1u);
  }
  // With room again, the same store goes on.
  const Result<Revision> revision = CommitOne(**store, Put(TestKey(3)));
  ASSERT_TRUE(revision.has_value()) << ToString(revision.error());
  EXPECT_EQ(*revision, 2u);
}

}  // namespace
}  // namespace hallmark::store
