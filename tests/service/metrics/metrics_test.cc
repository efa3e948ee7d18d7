#include "service/metrics/metrics.h"

#include "tests/service/fake_clock.h"
#include "tests/support/absent_hsm.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Says whether it is there, and does nothing else.
class SwitchedHsm : public testing::AbsentHsm {
 public:
  bool available() const override { return available_; }
  std::size_t open_sessions() const override { return sessions_; }
  std::size_t session_budget() const override { return 6; }
  RecoveryCounts recoveries() const override {
    return {
        .replaced_sessions = 1, .renewals = 2, .repairs = 3, .reinitialisations = 4, .outages = 5};
  }
  HungCalls hung_calls() const override { return hung_calls_; }

  bool available_ = true;
  std::size_t sessions_ = 0;
  HungCalls hung_calls_{};
};

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() { call_.started = clock_.SteadyNow(); }

  void Listen() {
    const Result<std::string> address = metrics_.Listen("127.0.0.1:0");
    ASSERT_TRUE(address.has_value()) << ToString(address.error());
    address_ = *address;
  }

  // One GET over a real socket; the whole answer.
  std::string Scrape() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
    std::string answer;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
      const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
      EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
      std::array<char, 4096> part{};
      for (ssize_t size = 0; (size = read(fd, part.data(), part.size())) > 0;) {
        answer.append(part.data(), static_cast<std::size_t>(size));
      }
    }
    close(fd);
    return answer;
  }

  FakeClock clock_;
  SwitchedHsm hsm_;
  TokenSet tokens_{{{&hsm_, {.token_id = "main"}}}, "main"};
  Metrics metrics_{clock_};
  app::CallContext call_;
  std::string address_;
};

TEST_F(MetricsTest, PortZeroReportsWhatWasBound) {
  Listen();
  EXPECT_THAT(address_, ::testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  EXPECT_THAT(Scrape(), HasSubstr("200 OK"));
}

TEST_F(MetricsTest, AddressInUseIsRefusedWithTheAddress) {
  Listen();
  Metrics second(clock_);
  const Result<std::string> refused = second.Listen(address_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr(address_));
}

TEST_F(MetricsTest, RequestsAreCountedByOperationAndOutcomeAndTimed) {
  Listen();
  call_.operation = Operation::kGenerateMac;
  clock_.Advance(std::chrono::milliseconds(2));
  metrics_.Finished(call_, {});
  metrics_.Finished(call_, {});
  metrics_.Finished(call_, Fail(Exception::kDisabledException));
  call_.protocol = app::Protocol::kAws;
  metrics_.Finished(call_, {});
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("outcome=\"OK\",protocol=\"aws\"} 1"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "hallmark_requests_total{operation=\"GenerateMac\",outcome=\"OK\",protocol=\"grpc\"} 2"));
  EXPECT_THAT(text, HasSubstr("hallmark_requests_total{operation=\"GenerateMac\",outcome="
                              "\"DisabledException\",protocol=\"grpc\"} 1"));
  EXPECT_THAT(text, HasSubstr("hallmark_request_duration_seconds_bucket{operation=\"GenerateMac\","
                              "protocol=\"grpc\",le=\"0.001\"} 0"));
  EXPECT_THAT(text, HasSubstr("hallmark_request_duration_seconds_bucket{operation=\"GenerateMac\","
                              "protocol=\"grpc\",le=\"0.0025\"} 3"));
  EXPECT_THAT(text, Not(HasSubstr("VerifyMac")));
}

TEST_F(MetricsTest, ConcurrentFirstCallsLoseNoCount) {
  Listen();
  call_.operation = Operation::kVerifyMac;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        for (int n = 0; n < 1000; ++n) metrics_.Finished(call_, {});
      });
    }
  }
  EXPECT_THAT(Scrape(),
              HasSubstr("{operation=\"VerifyMac\",outcome=\"OK\",protocol=\"grpc\"} 4000"));
}

TEST_F(MetricsTest, TokenIsAskedAtEveryScrape) {
  metrics_.WatchTokens(tokens_);
  Listen();
  EXPECT_THAT(Scrape(), HasSubstr("hallmark_token_available{token=\"main\"} 1"));
  hsm_.available_ = false;
  hsm_.sessions_ = 4;
  hsm_.hung_calls_ = {2, 3};
  tokens_.default_token().Publish({.token_id = "main", .drained = true});
  tokens_.default_token().CountFailover();
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hallmark_token_available{token=\"main\"} 0"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_sessions{token=\"main\"} 4"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_session_budget{token=\"main\"} 6"));
  EXPECT_THAT(text,
              HasSubstr("hallmark_token_recoveries_total{token=\"main\",step=\"session\"} 1"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_recoveries_total{token=\"main\",step=\"login\"} 2"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_recoveries_total{token=\"main\",step=\"device\"} 3"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_recoveries_total{token=\"main\",step=\"module\"} 4"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_outages_total{token=\"main\"} 5"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_drained{token=\"main\"} 1"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_outstanding{token=\"main\"} 0"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_failovers_total{token=\"main\"} 1"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_hung_calls{token=\"main\"} 2"));
  EXPECT_THAT(text, HasSubstr("hallmark_token_calls_written_off_total{token=\"main\"} 3"));
}

TEST_F(MetricsTest, ConnectionsAreCounted) {
  Listen();
  metrics_.ConnectionOpened(app::Protocol::kGrpc);
  metrics_.ConnectionOpened(app::Protocol::kGrpc);
  metrics_.ConnectionClosed(app::Protocol::kGrpc);
  metrics_.ConnectionOpened(app::Protocol::kAws);
  metrics_.ConnectionOpened(app::Protocol::kAws);
  metrics_.ConnectionRefused(app::Protocol::kAws);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hallmark_connections{protocol=\"grpc\"} 1"));
  EXPECT_THAT(text, HasSubstr("hallmark_connections{protocol=\"aws\"} 2"));
  EXPECT_THAT(text, HasSubstr("hallmark_refused_connections_total{protocol=\"aws\"} 1"));
}

TEST_F(MetricsTest, RequestsForNothingAreCountedByStatus) {
  Listen();
  metrics_.Unserved(400);
  metrics_.Unserved(431);
  metrics_.Unserved(400);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("hallmark_unserved_requests_total{status=\"400\"} 2"));
  EXPECT_THAT(text, HasSubstr("hallmark_unserved_requests_total{status=\"431\"} 1"));
}

TEST_F(MetricsTest, ReloadsAreCountedByOutcomeFromZero) {
  Listen();
  EXPECT_THAT(Scrape(), HasSubstr("hallmark_reloads_total{outcome=\"refused\"} 0"));
  metrics_.Reloaded(false);
  metrics_.Reloaded(true);
  metrics_.Reloaded(true);
  const std::string scraped = Scrape();
  EXPECT_THAT(scraped, HasSubstr("hallmark_reloads_total{outcome=\"refused\"} 1"));
  EXPECT_THAT(scraped, HasSubstr("hallmark_reloads_total{outcome=\"applied\"} 2"));
}

}  // namespace
}  // namespace hallmark::service
