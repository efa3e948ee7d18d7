#include "service/http/http_server.h"

#include "tests/service/http/echo_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace hallmark::http_front {
namespace {

using hallmark::testing::EchoServer;
using hallmark::testing::Eventually;
using hallmark::testing::Post;
using hallmark::testing::TestAuthority;
using hallmark::testing::TlsClient;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

std::string BodyOf(TlsClient& client, std::string_view request) {
  if (!client.Send(request)) return "not sent";
  const auto answer = client.Receive();
  return answer.has_value() ? answer->body : "no answer";
}

TEST(HttpServerTest, ARequestIsAnsweredWithTheHeadersOfTheProtocol) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(Post("Hello")));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "Hello");
  EXPECT_EQ(answer->headers.at("x-amzn-requestid"), "id");
  EXPECT_EQ(answer->headers.at("content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(answer->headers.at("date").size(), 29U);
  EXPECT_EQ(answer->headers.count("connection"), 0U);
}

TEST(HttpServerTest, AnAnswerToAPipelinedRequestIsReadAlthoughMoreHasCome) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(Post("last", "Connection: close\r\n") + std::string(64 * 1024, 'x')));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "last");
}

TEST(HttpServerTest, AfterHeadNothingMoreIsRead) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.at("connection"), "close");
}

TEST(HttpServerTest, WhenToComeBackIsSaidInWholeSecondsThatSuffice) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(Post("busy") + Post("Hello")));
  const auto busy = client.Receive();
  ASSERT_TRUE(busy.has_value());
  EXPECT_EQ(busy->headers.at("retry-after"), "2");
  const auto other = client.Receive();
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->headers.count("retry-after"), 0U);
}

TEST(HttpServerTest, TheHandlerLearnsThePeer) {
  EchoServer server;
  TlsClient client(server.port());
  EXPECT_THAT(BodyOf(client, Post("peer")), StartsWith("127.0.0.1:"));
}

TEST(HttpServerTest, AConnectionServesManyRequests) {
  EchoServer server;
  TlsClient client(server.port());
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(BodyOf(client, Post(std::to_string(i))), std::to_string(i));
  }
  EXPECT_EQ(server.server().door().counts().accepted, 1U);
}

TEST(HttpServerTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  EchoServer server;
  server.handler().Open();
  TlsClient client(server.port());
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += Post(i % 3 == 0 ? "later" : std::to_string(i));
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 100; ++i) {
    const auto answer = client.Receive();
    ASSERT_TRUE(answer.has_value()) << i;
    EXPECT_EQ(answer->body, i % 3 == 0 ? "later" : std::to_string(i));
  }
}

TEST(HttpServerTest, ARequestThatComesByteByByteIsServed) {
  EchoServer server;
  TlsClient client(server.port());
  const std::string request = Post("Hello");
  for (const char byte : request) ASSERT_TRUE(client.Send({&byte, 1}));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "Hello");
}

TEST(HttpServerTest, LargeBodiesGoBothWays) {
  EchoServer server;
  TlsClient client(server.port());
  const std::string body(HttpServerOptions().max_body_bytes, 'b');
  EXPECT_EQ(BodyOf(client, Post(body)), body);
  EXPECT_EQ(BodyOf(client, Post("long")).size(), 1024U * 1024U);
  EXPECT_EQ(BodyOf(client, Post("small")), "small");
}

TEST(HttpServerTest, WhoWaitsForContinueIsToldToGoOn) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  const auto go_on = client.Receive();
  ASSERT_TRUE(go_on.has_value());
  EXPECT_EQ(go_on->status, 100);
  ASSERT_TRUE(client.Send("Hello"));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "Hello");
}

TEST(HttpServerTest, WhoWaitsForContinueWithTooMuchIsToldThatInstead) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 413);
}

TEST(HttpServerTest, ConnectionCloseIsHonoured) {
  EchoServer server;
  TlsClient client(server.port());
  ASSERT_TRUE(client.Send(Post("Hello", "Connection: close\r\n")));
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_TRUE(client.IsEnded());
}

TEST(HttpServerTlsTest, Versions12And13AreSpokenAndNoOlder) {
  EchoServer server;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server.port(), {.ca_pem = server.authority().certificate(),
                                     .lowest_version = version,
                                     .highest_version = version});
    ASSERT_TRUE(client.connected()) << version;
    EXPECT_EQ(client.version(), version);
    EXPECT_EQ(BodyOf(client, Post("Hello")), "Hello");
  }
  const TlsClient old(server.port(),
                      {.lowest_version = TLS1_VERSION, .highest_version = TLS1_1_VERSION});
  EXPECT_FALSE(old.connected());
}

TEST(HttpServerTlsTest, ANewCertificateIsForNewConnectionsAndOldOnesGoOn) {
  EchoServer server;
  TlsClient before(server.port(), {.ca_pem = server.authority().certificate()});
  ASSERT_TRUE(before.connected());
  const TestAuthority next("the next authority");
  server.server().Replace(server.Tls(next.IssueServer()));
  TlsClient after(server.port(), {.ca_pem = next.certificate()});
  EXPECT_TRUE(after.connected());
  EXPECT_FALSE(TlsClient(server.port(), {.ca_pem = server.authority().certificate()}).connected());
  EXPECT_EQ(BodyOf(before, Post("still here")), "still here");
}

TEST(HttpServerThreadsTest, HandlersThatHangHoldUpNobodyElse) {
  EchoServer server;
  std::vector<TlsClient> hanging;
  for (int i = 0; i < 20; ++i) {
    hanging.emplace_back(server.port());
    ASSERT_TRUE(hanging.back().Send(Post("hang")));
  }
  ASSERT_TRUE(Eventually([&] { return server.handler().hanging == 20; }));
  TlsClient client(server.port());
  EXPECT_EQ(BodyOf(client, Post("Hello")), "Hello");
  server.handler().Open();
  for (TlsClient& one : hanging) {
    const auto answer = one.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->body, "hang");
  }
}

class HttpServerStopTest : public ::testing::Test {
 protected:
  std::future<void> StopWithin(std::chrono::milliseconds time) {
    return std::async(std::launch::async, [this, time] {
      server_.server().Stop(std::chrono::system_clock::now() + time);
    });
  }

  EchoServer server_;
};

TEST_F(HttpServerStopTest, IdleConnectionsEndAtOnce) {
  TlsClient client(server_.port());
  ASSERT_EQ(BodyOf(client, Post("Hello")), "Hello");
  auto stopped = StopWithin(10min);
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(HttpServerStopTest, ARequestUnderWayIsAnsweredAndTheConnectionEnds) {
  TlsClient client(server_.port());
  ASSERT_TRUE(client.Send(Post("later")));
  ASSERT_TRUE(Eventually([&] { return server_.handler().later == 1; }));
  auto stopped = StopWithin(10min);
  ASSERT_TRUE(Eventually([&] { return !hallmark::testing::ConnectTcp(server_.port()).valid(); }));
  server_.handler().Open();
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "later");
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
}

TEST_F(HttpServerStopTest, AtTheDeadlineWhatStillWaitsIsCancelled) {
  TlsClient client(server_.port());
  ASSERT_TRUE(client.Send(Post("later")));
  ASSERT_TRUE(Eventually([&] { return server_.handler().later == 1; }));
  auto stopped = StopWithin(0ms);
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(client.IsEnded());
  EXPECT_TRUE(Eventually([&] { return server_.handler().later == 0; }));
}

// What is left of a call that is answered must not be taken for the next one's.
TEST_F(HttpServerStopTest, ThePipelinedCallIsCancelledAndNotTheOneBefore) {
  TlsClient client(server_.port());
  ASSERT_TRUE(client.Send(Post("early") + Post("later")));
  ASSERT_TRUE(client.Receive().has_value());
  ASSERT_TRUE(Eventually([&] { return server_.handler().later == 1; }));
  server_.handler().early_may_return = true;
  ASSERT_TRUE(Eventually([&] { return server_.handler().early == 0; }));
  auto stopped = StopWithin(0ms);
  EXPECT_TRUE(Eventually([&] { return server_.handler().later == 0; }));
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
}

TEST_F(HttpServerStopTest, ARequestOfWhichAPartHasComeHoldsNobodyUp) {
  TlsClient client(server_.port());
  ASSERT_TRUE(client.Send("POST / HT"));
  auto stopped = StopWithin(10min);
  EXPECT_EQ(stopped.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(client.IsEnded());
}

}  // namespace
}  // namespace hallmark::http_front
