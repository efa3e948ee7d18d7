// Connections that say nothing, too much or the wrong thing do not keep others out.
#include "tests/daemon/calls.h"
#include "tests/daemon/raw_connection.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

std::vector<RawConnection> SilentConnections(const TestDaemon& daemon, int count) {
  std::vector<RawConnection> silent;
  for (int i = 0; i < count; ++i) silent.emplace_back(daemon.target());
  return silent;
}

class ConnectionsTest : public ::testing::Test {
 protected:
  void Start(TestDaemon::Options options) {
    daemon_ = std::make_unique<TestDaemon>(std::move(options));
    daemon_->Start();
    // Its connection ends here, so that it counts against no limit.
    const Client client = daemon_->AddPrincipal(TestDaemon::kAdmin, TestDaemon::kAllowAll);
    credentials_ = client.credentials;
    key_ = CreateKey(client);
  }

  Client Connect() const { return daemon_->Connect(credentials_); }
  // Whether a client that tries again and again over new connections is served in time.
  bool IsServedWithin(std::chrono::milliseconds time) const {
    return Eventually([&] { return DescribeKey(Connect(), key_, 1s).ok(); }, time);
  }

  std::unique_ptr<TestDaemon> daemon_;
  PemPair credentials_;
  std::string key_;
};

class FewDescriptorsTest : public ConnectionsTest {
 protected:
  FewDescriptorsTest() { Start({.wrapper = {"/usr/bin/prlimit", "--nofile=64:64"}}); }
};

TEST_F(FewDescriptorsTest, After150SilentConnectionsWereDroppedTheNextCallIsServedWithin2Seconds) {
  SilentConnections(*daemon_, 150).clear();
  EXPECT_TRUE(IsServedWithin(2s));
}

TEST_F(FewDescriptorsTest, SilentConnectionsThatStayLockOthersOutOnlyForTheHandshakeTimeout) {
  const auto silent = SilentConnections(*daemon_, 150);
  // 5 seconds by default.
  EXPECT_TRUE(IsServedWithin(8s));
}

TEST_F(ConnectionsTest, OneAddressGetsOnlyItsShareOfConnections) {
  Start({.grpc_settings = "max_connections_per_address = 4\nhandshake_timeout_ms = 60000"});
  const auto silent = SilentConnections(*daemon_, 8);
  int closed = 0;
  for (const RawConnection& one : silent) closed += one.IsClosedWithin(300ms) ? 1 : 0;
  EXPECT_GE(closed, 4);
  EXPECT_LT(closed, 8);
  // A connection from before may have left its place meanwhile.
  std::vector<std::vector<RawConnection>> more;
  EXPECT_TRUE(Eventually(
      [&] {
        more.push_back(SilentConnections(*daemon_, 1));
        return !DescribeKey(Connect(), key_, 500ms).ok();
      },
      5s));

  const Finished elsewhere = HandshakeByOpenssl(*daemon_, credentials_, {"-bind", "127.0.0.2:0"});
  EXPECT_EQ(elsewhere.exit_code, 0) << elsewhere.errors;
}

class OrdinaryConnectionsTest : public ConnectionsTest {
 protected:
  OrdinaryConnectionsTest() { Start({}); }
};

TEST_F(OrdinaryConnectionsTest, PlainHttpIsClosedAndHarmsNobody) {
  const RawConnection browser(daemon_->target());
  browser.Write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(browser.IsClosedWithin(5s));
  EXPECT_TRUE(DescribeKey(Connect(), key_).ok());
}

TEST_F(OrdinaryConnectionsTest, BytesWithoutMeaningAreClosedAndHarmNobody) {
  const RawConnection noise(daemon_->target());
  noise.Write(std::string(100'000, '\xff'));
  EXPECT_TRUE(noise.IsClosedWithin(5s));
  EXPECT_TRUE(DescribeKey(Connect(), key_).ok());
}

TEST_F(OrdinaryConnectionsTest, ARequestFarBeyondAnyLimitIsRefusedByTheTransport) {
  const Outcome outcome = GenerateMac(Connect(), key_, std::string(70'000, 'm')).outcome;
  EXPECT_EQ(outcome.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(outcome.exception, "");
}

TEST_F(OrdinaryConnectionsTest, AMessageOneByteTooLongIsRefusedByName) {
  const Outcome outcome = GenerateMac(Connect(), key_, std::string(4'097, 'm')).outcome;
  EXPECT_EQ(outcome.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(outcome.exception, "ValidationException");
}

}  // namespace
}  // namespace hallmark::testing
