#include "service/audit/audit_file.h"

#include "tests/support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hallmark::audit {
namespace {

using hallmark::testing::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

// The real calls, of which some find a full disk.
class FullDisk final : public FileCalls {
 public:
  ssize_t Write(int fd, const void* data, std::size_t size) override {
    if (!Strikes()) return FileCalls::Write(fd, data, size);
    // A disk that is nearly full takes a part first.
    if (size > 1 && part_first) {
      part_first = false;
      strike_at = calls;  // the next one
      return FileCalls::Write(fd, data, size / 2);
    }
    errno = ENOSPC;
    return -1;
  }
  int Allocate(int fd, off_t offset, off_t size) override {
    if (!Strikes()) return FileCalls::Allocate(fd, offset, size);
    errno = ENOSPC;
    return -1;
  }

  int Truncate(int fd, off_t size) override {
    if (!only_grows) return FileCalls::Truncate(fd, size);
    errno = EPERM;
    return -1;
  }

  bool only_grows = false;  // as after chattr +a
  int calls = 0;
  int strike_at = -1;  // this call, counted from 0, and all that follow
  bool part_first = false;

 private:
  bool Strikes() { return strike_at >= 0 && calls++ >= strike_at; }
};

// The clock stands until it is told to go on; a write waits until it may.
class HangingDisk final : public FileCalls {
 public:
  ssize_t Write(int fd, const void* data, std::size_t size) override {
    hangs.store(true);
    hangs.notify_all();
    may_go_on.wait(false);
    return FileCalls::Write(fd, data, size);
  }
  std::chrono::steady_clock::time_point Now() override {
    return std::chrono::steady_clock::time_point(1h) + passed.load();
  }

  std::atomic<std::chrono::seconds> passed{0s};
  std::atomic<bool> hangs{false};
  std::atomic<bool> may_go_on{false};
};

class AuditFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditFile> Open() {
    auto file = AuditFile::Open(path_, disk_);
    EXPECT_TRUE(file.has_value());
    return file.has_value() ? *std::move(file) : nullptr;
  }
  std::vector<std::string> Lines() const {
    std::ifstream in(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "audit.jsonl";
  const std::shared_ptr<FullDisk> disk_ = std::make_shared<FullDisk>();
};

TEST_F(AuditFileTest, GoesOnBehindWhatIsThere) {
  for (const char* const line : {"one", "two"}) {
    const auto file = Open();
    ASSERT_TRUE(file->Reserve(100));
    EXPECT_TRUE(file->Append(line, 100));
  }
  EXPECT_THAT(Lines(), ElementsAre("one", "two"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(AuditFileTest, RemovesTheRestOfALineThatACrashCutOff) {
  std::ofstream(path_) << "one\n{" << std::string(10'000, 'x');
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("two", 100));
  EXPECT_THAT(Lines(), ElementsAre("one", "two"));
}

TEST_F(AuditFileTest, AFileThatSomebodyCutIsNotLengthened) {
  {
    const auto file = Open();
    ASSERT_TRUE(file->Reserve(200));
    EXPECT_TRUE(file->Append("one", 100));
    std::filesystem::resize_file(path_, 0);
    EXPECT_TRUE(file->Append("two", 100));
    std::filesystem::rename(path_, directory_.path() / "old.jsonl");
    EXPECT_TRUE(file->Reopen().has_value());
    EXPECT_EQ(std::filesystem::file_size(directory_.path() / "old.jsonl"), 4U);
    ASSERT_TRUE(file->Reserve(200));
    EXPECT_TRUE(file->Append("three", 100));
    std::filesystem::resize_file(path_, 0);
    EXPECT_TRUE(file->Append("four", 100));
  }
  EXPECT_THAT(Lines(), ElementsAre("four"));
  EXPECT_NE(Open(), nullptr);
}

// `audit.file` names something else, such as a PIN, which has no end of line.
TEST_F(AuditFileTest, WhatIsNoRestOfALineIsLeftAlone) {
  for (const char* const content : {"1234", "one\ntwo"}) {
    std::ofstream(path_) << content;
    const auto file = AuditFile::Open(path_, disk_);
    ASSERT_FALSE(file.has_value());
    EXPECT_THAT(file.error(), HasSubstr("audit.jsonl"));
    EXPECT_THAT(file.error(), HasSubstr("correct audit.file"));
    EXPECT_EQ(std::filesystem::file_size(path_), std::string_view(content).size());
  }
}

TEST_F(AuditFileTest, InAFileThatMayOnlyGrowThePartOfALineStandsAlone) {
  disk_->only_grows = true;
  std::ofstream(path_) << "one\n{\"cut";
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  disk_->calls = 0;
  disk_->strike_at = 0;
  disk_->part_first = true;
  EXPECT_FALSE(file->Append("lost", 100));
  disk_->strike_at = -1;
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (!file->Probe() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("after", 100));
  EXPECT_THAT(Lines(), ElementsAre("one", "{\"cut", "lo", HasSubstr("\"recordsLost\":1"), "after"));
}

// Every call that can meet a full disk does: what Append took is there, and nothing else is.
TEST_F(AuditFileTest, WhatIsTakenIsThereWhereverTheDiskIsFull) {
  for (const bool part_first : {false, true}) {
    for (int strike_at = 0; strike_at < 12; ++strike_at) {
      std::filesystem::remove(path_);
      disk_->calls = 0;
      disk_->strike_at = strike_at;
      disk_->part_first = part_first;
      std::vector<std::string> taken;
      const auto file = Open();
      for (int i = 0; i < 10; ++i) {
        const std::string line = "line " + std::to_string(i);
        if (file->Reserve(100) && file->Append(line, 100)) taken.push_back(line);
      }
      disk_->strike_at = -1;
      EXPECT_EQ(Lines(), taken) << "the call " << strike_at;
    }
  }
}

TEST_F(AuditFileTest, IsBackByItselfAndSaysWhatIsMissing) {
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  disk_->calls = 0;
  disk_->strike_at = 0;
  EXPECT_FALSE(file->Append("lost", 100));
  EXPECT_FALSE(file->healthy());
  EXPECT_FALSE(file->Reserve(100));
  disk_->strike_at = -1;
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (!file->Probe() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("after", 100));
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr("\"recordsLost\":1"), "after"));
}

TEST_F(AuditFileTest, AFullDiskIsMetWhenRoomIsSetAside) {
  const auto file = Open();
  disk_->calls = 0;
  disk_->strike_at = 0;
  EXPECT_FALSE(file->Reserve(100));
  EXPECT_THAT(Lines(), IsEmpty());
}

TEST_F(AuditFileTest, ThreadsDoNotMixTheirLines) {
  const auto file = Open();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          const std::string line(static_cast<std::size_t>(50 + t), static_cast<char>('a' + t));
          EXPECT_TRUE(file->Reserve(200));
          EXPECT_TRUE(file->Append(line, 200));
        }
      });
    }
  }
  const std::vector<std::string> lines = Lines();
  EXPECT_EQ(lines.size(), 2000U);
  for (const std::string& line : lines) {
    EXPECT_EQ(std::set<char>(line.begin(), line.end()).size(), 1U) << line;
  }
}

TEST_F(AuditFileTest, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("old", 100));
  std::filesystem::rename(path_, directory_.path() / "audit.jsonl.1");
  EXPECT_TRUE(file->Reopen().has_value());
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("new", 100));
  EXPECT_THAT(Lines(), ElementsAre("new"));
}

TEST_F(AuditFileTest, AReloadWithoutARenameLosesNothing) {
  auto file = Open();
  constexpr int kLines = 2000;
  std::atomic<int> writers{3};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kLines; ++i) {
          EXPECT_TRUE(file->Reserve(200));
          EXPECT_TRUE(file->Append("{\"a\":\"line\"}", 200));
        }
        --writers;
      });
    }
    threads.emplace_back([&] {
      while (writers > 0) EXPECT_TRUE(file->Reopen().has_value());
    });
  }
  file.reset();
  const std::vector<std::string> lines = Lines();
  EXPECT_EQ(lines.size(), 3U * kLines);
  EXPECT_EQ(std::filesystem::file_size(path_), 3U * kLines * 13);
}

TEST_F(AuditFileTest, WhatIsReservedHasRoomInTheNewFileOrItIsNotUsed) {
  const std::filesystem::path moved = directory_.path() / "audit.jsonl.1";
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  ASSERT_TRUE(file->Reserve(100));
  std::filesystem::rename(path_, moved);
  disk_->calls = 0;
  disk_->strike_at = 0;
  const auto refused = file->Reopen();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error(), HasSubstr("has no room"));
  disk_->strike_at = -1;
  EXPECT_TRUE(file->Append("old", 100));
  EXPECT_EQ(std::filesystem::file_size(moved), 4U);

  EXPECT_TRUE(file->Reopen().has_value());
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_GT(status.st_blocks, 0) << "set aside";
  EXPECT_TRUE(file->Append("new", 100));
  EXPECT_THAT(Lines(), ElementsAre("new"));
}

TEST_F(AuditFileTest, AWriteThatHangsIsSeenWithoutWaitingForIt) {
  const auto disk = std::make_shared<HangingDisk>();
  const auto file = *AuditFile::Open(path_, disk);
  ASSERT_TRUE(file->Reserve(100));
  std::jthread writer([&] { EXPECT_TRUE(file->Append("slow", 100)); });
  disk->hangs.wait(false);
  EXPECT_TRUE(file->healthy());
  EXPECT_TRUE(file->Probe());
  disk->passed = AuditFile::kPatience + 1s;
  EXPECT_FALSE(file->healthy());
  EXPECT_FALSE(file->Probe());
  disk->may_go_on = true;
  disk->may_go_on.notify_all();
  writer.join();
  EXPECT_TRUE(file->Probe());
}

TEST_F(AuditFileTest, SaysWhatIsInTheWay) {
  std::filesystem::create_directory(path_);
  const auto file = AuditFile::Open(path_, disk_);
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error(), HasSubstr("audit.jsonl"));
}

}  // namespace
}  // namespace hallmark::audit
