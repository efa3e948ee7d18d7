#include "service/audit/audit_file.h"

#include "tests/support/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <set>
#include <string>
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
      strike_at = calls + 1;
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

  int calls = 0;
  int strike_at = -1;  // this call, counted from 0, and all that follow
  bool part_first = false;

 private:
  bool Strikes() { return strike_at >= 0 && calls++ >= strike_at; }
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
  std::ofstream(path_) << "one\n" << std::string(10'000, 'x');
  const auto file = Open();
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_TRUE(file->Append("two", 100));
  EXPECT_THAT(Lines(), ElementsAre("one", "two"));
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

TEST_F(AuditFileTest, SaysWhatIsInTheWay) {
  std::filesystem::create_directory(path_);
  const auto file = AuditFile::Open(path_, disk_);
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error(), HasSubstr("audit.jsonl"));
}

}  // namespace
}  // namespace hallmark::audit
