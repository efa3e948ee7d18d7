// Clients that mean harm, and what honest ones notice of them: nothing.
#include "service/http/http_server.h"
#include "tests/service/http/echo_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace hallmark::http_front {
namespace {

using hallmark::testing::ConnectTcp;
using hallmark::testing::EchoServer;
using hallmark::testing::Eventually;
using hallmark::testing::Post;
using hallmark::testing::TlsClient;
using namespace std::chrono_literals;

std::size_t ThreadsOfThisProcess() {
  const std::filesystem::directory_iterator entries("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

bool IsServed(EchoServer& server) {
  TlsClient client(server.port());
  if (!client.Send(Post("honest"))) return false;
  const auto answer = client.Receive();
  return answer.has_value() && answer->body == "honest";
}

// The refusal of what was sent, after which the connection has ended.
void ExpectRefusal(EchoServer& server, const std::string& sent, int status) {
  TlsClient client(server.port());
  static_cast<void>(client.Send(sent));  // may be cut off before all of it is out
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, status);
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_EQ(answer->headers.at("x-amzn-requestid").size(), 36U);
  EXPECT_TRUE(client.IsEnded());
}

struct Smuggled {
  const char* name;
  const char* head;
  int status;
};

constexpr Smuggled kSmuggled[] = {
    {"LengthAndChunked",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"TwoLengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\n",
     400},
    {"BareLf", "POST / HTTP/1.1\nHost: h\nContent-Length: 4\n\n", 400},
    {"ObsFold", "POST / HTTP/1.1\r\nHost: h\r\nX: a\r\n Content-Length: 4\r\n\r\n", 400},
    {"Chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
};

class SmugglingTest : public ::testing::TestWithParam<Smuggled> {};

TEST_P(SmugglingTest, IsRefusedAndWhatFollowsIsNeverARequest) {
  EchoServer server;
  ExpectRefusal(server, GetParam().head + Post("smuggled"), GetParam().status);
  EXPECT_EQ(server.handler().requests, 0);
}

INSTANTIATE_TEST_SUITE_P(Heads, SmugglingTest, ::testing::ValuesIn(kSmuggled),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(HostileClientsTest, AHundredThousandHeadersAreRefusedAfterTheFirst) {
  EchoServer server;
  std::string request = "POST / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 100'000; ++i) request += "a:b\r\n";
  ExpectRefusal(server, request + "\r\n", 431);
  EXPECT_TRUE(IsServed(server));
}

TEST(HostileClientsTest, AHeaderWithoutAnEndIsRefused) {
  EchoServer server;
  ExpectRefusal(server, "POST / HTTP/1.1\r\nX: " + std::string(64 * 1024, 'x'), 431);
}

TEST(HostileClientsTest, AGibibyteIsRefusedWhenItIsAnnounced) {
  EchoServer server;
  ExpectRefusal(server, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n", 413);
  EXPECT_TRUE(IsServed(server));
}

TEST(HostileClientsTest, BodiesThatAreAnnouncedAndNeverSentFillNoMemoryOfOthers) {
  EchoServer server({.max_buffered_bytes = 1'000});
  TlsClient greedy(server.port());
  ASSERT_TRUE(greedy.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n"));
  // Begun once a second body does not fit beside it.
  ASSERT_TRUE(Eventually([&] {
    TlsClient next(server.port());
    return next.Send(Post(std::string(200, 'x'))) && next.Receive()->status == 503;
  }));
  EXPECT_TRUE(IsServed(server));
  ASSERT_TRUE(greedy.Send(std::string(900, 'x')));
  EXPECT_EQ(greedy.Receive()->status, 200);
}

TEST(HostileClientsTest, SlowLorisMeetsTheTimeoutAndHonestClientsDoNot) {
  EchoServer server({.request_timeout = 300ms});
  std::vector<TlsClient> slow;
  for (int i = 0; i < 20; ++i) slow.emplace_back(server.port());
  // Some of a head, or of a body, and one more byte whenever it is taken.
  for (std::size_t i = 0; i < slow.size(); ++i) {
    ASSERT_TRUE(slow[i].Send(i % 2 == 0
                                 ? "POST / HTTP/1.1\r\n"
                                 : "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n"));
  }
  EXPECT_TRUE(IsServed(server));
  EXPECT_TRUE(Eventually([&] {
    for (TlsClient& one : slow) static_cast<void>(one.Send("x"));
    return server.open() == 0;
  }));
  EXPECT_EQ(server.handler().requests, 1);
}

TEST(HostileClientsTest, WhoDoesNotTakeTheAnswerMeetsTheTimeout) {
  EchoServer server({.request_timeout = 300ms});
  TlsClient client(server.port());
  // More than any socket's buffer.
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += Post("long");
  ASSERT_TRUE(client.Send(requests));
  EXPECT_TRUE(Eventually([&] { return server.handler().requests > 0 && server.open() == 0; }));
}

TEST(HostileClientsTest, SilenceInsteadOfAHandshakeMeetsTheTimeout) {
  EchoServer server({.handshake_timeout = 300ms});
  const net::UniqueFd silent = ConnectTcp(server.port());
  ASSERT_TRUE(Eventually([&] { return server.server().door().counts().accepted == 1; }));
  EXPECT_TRUE(Eventually([&] { return server.open() == 0; }));
}

TEST(HostileClientsTest, PlainTextInsteadOfTlsIsForgotten) {
  EchoServer server;
  const net::UniqueFd talker = ConnectTcp(server.port());
  const std::string request = Post("Hello");
  ASSERT_EQ(send(talker.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  EXPECT_TRUE(Eventually(
      [&] { return server.server().door().counts().accepted == 1 && server.open() == 0; }));
}

TEST(HostileClientsTest, AnIdleConnectionEndsAfterTheIdleTimeout) {
  EchoServer server({.idle_timeout = 300ms});
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(Post("Hello")));
  ASSERT_TRUE(client.Receive().has_value());
  EXPECT_TRUE(client.IsEnded());
}

TEST(HostileClientsTest, StrangersDoNotKeepTheirPlace) {
  EchoServer server({.request_timeout = 300ms, .idle_timeout = 10min});
  TlsClient refused(server.port());
  ASSERT_TRUE(refused.Send(Post("stranger")));
  const auto answer = refused.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.at("connection"), "close");
  TlsClient silent(server.port());
  ASSERT_TRUE(silent.connected());
  EXPECT_TRUE(silent.IsEnded());
}

TEST(HostileClientsTest, AFloodMeetsTheLimitsAndThenThereIsRoomAgain) {
  EchoServer server({}, {10, 10, "aws"});
  {
    std::vector<net::UniqueFd> flood;
    for (int i = 0; i < 200; ++i) flood.push_back(ConnectTcp(server.port()));
    EXPECT_TRUE(Eventually([&] { return server.server().door().counts().refused == 190; }));
    EXPECT_EQ(server.open(), 10U);
  }
  ASSERT_TRUE(Eventually([&] { return server.open() == 0; }));
  EXPECT_TRUE(IsServed(server));
}

TEST(HostileClientsTest, AThousandIdleConnectionsCostNoThreads) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4'096);  // both ends are ours
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  EchoServer server;
  ASSERT_TRUE(IsServed(server));
  const std::size_t before = ThreadsOfThisProcess();
  std::vector<TlsClient> idle;
  idle.reserve(1'000);
  for (int i = 0; i < 1'000; ++i) {
    idle.emplace_back(server.port());
    ASSERT_TRUE(idle.back().Send(Post("Hello")));
    ASSERT_TRUE(idle.back().Receive().has_value());
  }
  EXPECT_TRUE(Eventually([&] { return server.open() == 1'000; }));
  // A busy machine may make threads look held up: some more, but never one for a connection.
  EXPECT_LT(ThreadsOfThisProcess(), before + 64);
  EXPECT_TRUE(IsServed(server));
  ASSERT_TRUE(idle.front().Send(Post("again")));
  EXPECT_EQ(idle.front().Receive()->body, "again");
}

}  // namespace
}  // namespace hallmark::http_front
