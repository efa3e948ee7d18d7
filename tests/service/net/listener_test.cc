#include "service/net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace hallmark::net {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string Refusal(const Result<Listener, std::string>& listener) {
  return listener.has_value() ? "" : listener.error();
}

class UnixListenerTest : public ::testing::Test {
 protected:
  UnixListenerTest() {
    std::string name = (std::filesystem::temp_directory_path() / "hallmark-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~UnixListenerTest() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST(TcpListenerTest, PortZeroReportsThePortThatTheSystemChose) {
  const auto v4 = Listener::OpenTcp("127.0.0.1:0");
  ASSERT_TRUE(v4.has_value());
  EXPECT_THAT(v4->address(), MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
}

TEST(TcpListenerTest, Ipv6IsWrittenInBrackets) {
  const auto v6 = Listener::OpenTcp("[::1]:0");
  if (!v6.has_value()) GTEST_SKIP() << "no IPv6 here: " << v6.error();
  EXPECT_THAT(v6->address(), MatchesRegex("\\[::1\\]:[1-9][0-9]*"));
}

TEST(TcpListenerTest, APortInUseIsSaidSo) {
  const auto first = Listener::OpenTcp("127.0.0.1:0");
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(
      Refusal(Listener::OpenTcp(first->address())),
      first->address() + ": the port is in use; stop the other process or choose another port");
}

TEST(TcpListenerTest, WhatIsNotAnAddressIsRefused) {
  for (const char* text : {"", "9443", "localhost", "127.0.0.1:", ":9443", "::1:9443",
                           "127.0.0.1:99999", "127.0.0.1:http"}) {
    EXPECT_NE(Refusal(Listener::OpenTcp(text)), "") << text;
  }
}

TEST_F(UnixListenerTest, OnlyTheOwnerMayConnectAndTheFileGoesWithTheListener) {
  const std::filesystem::path path = directory_ / "a.sock";
  {
    const auto listener = Listener::OpenUnix(path);
    ASSERT_TRUE(listener.has_value()) << listener.error();
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UnixListenerTest, ASocketThatSomebodyAnswersOnIsLeftAlone) {
  const auto first = Listener::OpenUnix(directory_ / "a.sock");
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(Refusal(Listener::OpenUnix(directory_ / "a.sock")),
              HasSubstr("another process listens"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "a.sock"));
}

TEST_F(UnixListenerTest, ASocketThatADeadProcessLeftIsReplaced) {
  const std::filesystem::path path = directory_ / "a.sock";
  {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(Refusal(Listener::OpenUnix(path)), "");
}

TEST_F(UnixListenerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(directory_ / "precious") << "data";
  EXPECT_THAT(Refusal(Listener::OpenUnix(directory_ / "precious")), HasSubstr("is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "precious"));
}

TEST_F(UnixListenerTest, APathThatIsTooLongIsRefusedWithTheLimit) {
  EXPECT_THAT(Refusal(Listener::OpenUnix(directory_ / std::string(120, 'x'))),
              HasSubstr("at most 107"));
}

}  // namespace
}  // namespace hallmark::net
