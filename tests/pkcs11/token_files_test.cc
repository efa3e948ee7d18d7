// What a login that is cut short does to SoftHSM's token, undone.
#include "pkcs11/token_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace hallmark::pkcs11 {
namespace {

using ::testing::HasSubstr;

class TokenFilesTest : public ::testing::Test {
 protected:
  TokenFilesTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "hallmark-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = pattern;
    std::filesystem::create_directories(root_ / "tokens/a-token");
    std::filesystem::create_directories(root_ / "state");
    Write("12345678what decrypts every key");
    files_.emplace(root_ / "tokens", root_ / "state");
  }
  ~TokenFilesTest() override { std::filesystem::remove_all(root_); }

  std::filesystem::path Object() const { return root_ / "tokens/a-token/token.object"; }
  std::filesystem::path Copies() const { return root_ / "state/token-copies"; }
  void Write(const std::string& text) const { std::ofstream(Object()) << text; }
  std::string Content() const {
    std::ifstream in(Object());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t Restored() const {
    const Result<std::size_t, std::string> restored = files_->Restore();
    EXPECT_TRUE(restored.has_value()) << restored.error();
    return restored.has_value() ? *restored : 0;
  }

  std::filesystem::path root_;
  std::optional<TokenFiles> files_;
};

TEST_F(TokenFilesTest, WhatALoginLeftEmptyIsPutBack) {
  ASSERT_TRUE(files_->Keep().has_value());
  Write("");
  EXPECT_EQ(Restored(), 1u);
  EXPECT_EQ(Content(), "12345678what decrypts every key");
  EXPECT_EQ(Restored(), 0u);
}

TEST_F(TokenFilesTest, TheCopyFollowsAChangedPin) {
  ASSERT_TRUE(files_->Keep().has_value());
  Write("12345678the same under another PIN");
  ASSERT_TRUE(files_->Keep().has_value());
  Write("");
  ASSERT_TRUE(files_->Keep().has_value());  // an empty file is nothing to keep
  EXPECT_EQ(Restored(), 1u);
  EXPECT_EQ(Content(), "12345678the same under another PIN");
}

TEST_F(TokenFilesTest, AFileThatHoldsSomethingOrIsGoneIsLeftAlone) {
  ASSERT_TRUE(files_->Keep().has_value());
  Write("x");
  EXPECT_EQ(Restored(), 0u);
  EXPECT_EQ(Content(), "x");
  std::filesystem::remove(Object());
  EXPECT_EQ(Restored(), 0u);
  EXPECT_FALSE(std::filesystem::exists(Object()));
}

TEST_F(TokenFilesTest, AFileThatAnotherProgramIsWritingIsLeftAlone) {
  ASSERT_TRUE(files_->Keep().has_value());
  Write("");
  const int fd = ::open(Object().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  ASSERT_EQ(::fcntl(fd, F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(Restored(), 0u);
  ::close(fd);
  EXPECT_EQ(Restored(), 1u);
}

TEST_F(TokenFilesTest, TheCopyIsForItsOwnerAlone) {
  ASSERT_TRUE(files_->Keep().has_value());
  struct stat status {};
  ASSERT_EQ(::stat((Copies() / "a-token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(Copies().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(TokenFilesTest, WithoutACopyTheAnswerSaysWhy) {
  std::ofstream(Copies()) << "in the way";
  const Result<void, std::string> kept = files_->Keep();
  ASSERT_FALSE(kept.has_value());
  EXPECT_THAT(kept.error(), HasSubstr("a-token cannot be written"));
}

TEST_F(TokenFilesTest, NothingIsCopiedForATokenWithoutFiles) {
  const TokenFiles none("", root_ / "state");
  EXPECT_TRUE(none.Keep().has_value());
  EXPECT_FALSE(std::filesystem::exists(Copies()));
}

}  // namespace
}  // namespace hallmark::pkcs11
