// SIGHUP: what a running daemon takes over of a changed configuration, and what leaves it as it
// was.
#include "tests/daemon/calls.h"
#include "tests/daemon/raw_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kSomeone = "arn:aws:iam::111122223333:user/Someone";
constexpr const char* kApplied = R"("event":"reload","outcome":"applied")";
constexpr const char* kRefused = R"("event":"reload","outcome":"refused")";

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() {
    daemon_.Start();
    key_ = CreateKey(daemon_.admin());
  }

  void Hangup() const { ASSERT_EQ(::kill(daemon_.pid(), SIGHUP), 0); }
  // Sends SIGHUP; what the log says until the reload is over.
  std::string Reload() const {
    const std::size_t before = daemon_.Log().size();
    Hangup();
    std::string said;
    EXPECT_TRUE(Eventually(
        [&] {
          said = daemon_.Log().substr(before);
          return Contains(said, kApplied) || Contains(said, kRefused);
        },
        30s));
    return said;
  }

  // Replaces a line of the configuration, which must be there.
  void Configure(const std::string& line, const std::string& by) const {
    std::string text = ReadFile(daemon_.config_file());
    const std::size_t at = text.find(line);
    ASSERT_NE(at, std::string::npos) << line;
    WriteFile(daemon_.config_file(), text.replace(at, line.size(), by));
  }
  // Adds lines to [grpc].
  void AddGrpcSettings(const std::string& lines) const {
    Configure("listen = \"127.0.0.1:0\"\n", "listen = \"127.0.0.1:0\"\n" + lines);
  }
  void Install(const PemPair& pair) const {
    WriteFile(daemon_.home() / "tls/server.pem", pair.certificate);
    WriteFile(daemon_.home() / "tls/server.key", pair.private_key);
  }
  void InstallClientCa(const std::string& pem) const {
    WriteFile(daemon_.home() / "tls/ca.pem", pem);
  }

  // The certificate that a new connection is shown, as PEM among other text.
  std::string ShownToANewConnection() {
    return HandshakeByOpenssl(daemon_, daemon_.admin().credentials, {"-tls1_3"}).output;
  }
  // A new connection.
  Outcome TryAnew() { return DescribeKey(daemon_.Connect(daemon_.admin().credentials), key_); }
  // A MAC, which level "debug" shows, and a refusal, with which the log is flushed.
  void MakeAMac() {
    EXPECT_TRUE(GenerateMac(daemon_.admin(), key_, "m").outcome.ok());
    EXPECT_FALSE(DescribeKey(daemon_.admin(), "alias/none").ok());
  }

  TestDaemon daemon_;
  TestAuthority other_{"another test CA"};
  std::string key_;
};

TEST_F(ReloadTest, UnderLoadNewConnectionsMeetTheNewCertificateAndNoCallOnOpenOnesFails) {
  constexpr int kConnections = 8;
  constexpr int kCallsEach = 8;
  // Slow enough that all calls are in flight at every moment.
  daemon_.SetFaults("C_Sign delay_ms=10\n");
  std::atomic<bool> stop{false};
  std::atomic<int> succeeded{0};
  std::atomic<int> failed{0};
  std::vector<Client> clients;
  clients.reserve(kConnections);
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(daemon_.Connect(daemon_.admin().credentials));
  }
  std::vector<std::jthread> callers;
  callers.reserve(std::size_t{kConnections} * kCallsEach);
  for (int i = 0; i < kConnections * kCallsEach; ++i) {
    callers.emplace_back([&, client = &clients[static_cast<std::size_t>(i % kConnections)]] {
      while (!stop) ++(GenerateMac(*client, key_, "m").outcome.ok() ? succeeded : failed);
    });
  }
  const auto another_round = [&] {
    const int before = succeeded + failed;
    return Eventually([&] { return succeeded + failed > before + kConnections * kCallsEach; }, 30s);
  };
  EXPECT_TRUE(another_round());

  // Of an authority that the open connections' clients do not trust: they could not come back.
  const PemPair next = other_.IssueServer();
  Install(next);
  InstallClientCa(daemon_.authority().certificate() + other_.certificate());
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  EXPECT_TRUE(another_round());
  stop = true;
  callers.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(ShownToANewConnection(), HasSubstr(next.certificate));
}

TEST_F(ReloadTest, TheSerialOfTheCertificateInUseIsLogged) {
  Install(daemon_.authority().IssueServer());
  const std::string said = Reload();
  // "serial=5A0C…\n"
  const std::string serial =
      hallmark::testing::Run({"/usr/bin/openssl", "x509", "-noout", "-serial", "-in",
                              (daemon_.home() / "tls/server.pem").string()})
          .output;
  ASSERT_THAT(serial, ::testing::StartsWith("serial="));
  EXPECT_THAT(said, HasSubstr("\"certificate_serial\":\"" + serial.substr(7, serial.size() - 8)));
}

TEST_F(ReloadTest, APairThatDoesNotFitIsRefusedWithItsReasonAndTheOldOneIsServed) {
  const std::string old_certificate = ReadFile(daemon_.home() / "tls/server.pem");
  const PemPair good = daemon_.authority().IssueServer();
  struct Row {
    PemPair pair;
    const char* reason;
  };
  const std::vector<Row> rows{
      {{good.certificate, other_.IssueServer().private_key}, "does not belong to the certificate"},
      {{good.certificate.substr(0, 100), good.private_key}, "server.pem: certificate 1 in it is"},
      {{good.certificate + good.certificate.substr(0, 100), good.private_key},
       "server.pem: certificate 2 in it is damaged"},
      {{good.certificate, "not PEM"}, "server.key: holds no PEM private key"},
      {daemon_.authority().Issue({.not_after = -60s}), "the server certificate has expired"},
      {daemon_.authority().Issue({.not_before = 600s}), "the server certificate is not valid yet"},
  };
  for (const auto& row : rows) {
    Install(row.pair);
    const std::string said = Reload();
    EXPECT_THAT(said, HasSubstr(row.reason));
    EXPECT_THAT(said, HasSubstr(kRefused)) << row.reason;
    EXPECT_THAT(ShownToANewConnection(), HasSubstr(old_certificate)) << row.reason;
  }
  Install(good);
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  EXPECT_THAT(ShownToANewConnection(), HasSubstr(good.certificate));
}

TEST_F(ReloadTest, AnAuthorityOfClientsThatIsAddedCountsAndOneThatIsRemovedDoesNot) {
  const PemPair credentials = other_.IssueClient();
  const Outcome added =
      daemon_.TryAddPrincipal(kSomeone, TestDaemon::kAllowAll, credentials.certificate);
  ASSERT_TRUE(added.ok()) << added;
  EXPECT_FALSE(DescribeKey(daemon_.Connect(credentials), key_).ok());

  InstallClientCa(daemon_.authority().certificate() + other_.certificate());
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  const Client open = daemon_.Connect(credentials);
  const Outcome outcome = DescribeKey(open, key_);
  EXPECT_TRUE(outcome.ok()) << outcome;
  EXPECT_TRUE(TryAnew().ok());

  InstallClientCa(daemon_.authority().certificate());
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  EXPECT_EQ(DescribeKey(daemon_.Connect(credentials), key_).code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(TryAnew().ok());
  // What is open stays open; the principal is what to remove.
  EXPECT_TRUE(DescribeKey(open, key_).ok());
  ASSERT_TRUE(daemon_.RemovePrincipal(kSomeone).ok());
  EXPECT_EQ(DescribeKey(open, key_).exception, "UnrecognizedClientException");
}

TEST_F(ReloadTest, AChangedListenAddressIsNamedAtEveryReloadAndNotApplied) {
  Configure("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"");
  for (int i = 0; i < 2; ++i) {
    const std::string said = Reload();
    EXPECT_THAT(said, HasSubstr("grpc.listen: changed; takes effect at the next start"));
    EXPECT_THAT(said, HasSubstr(kApplied));
    EXPECT_TRUE(TryAnew().ok());
  }
}

TEST_F(ReloadTest, AChangedTokenSettingIsNamedWithItsToken) {
  Configure("sync_path = \"tokens\"", "sync_path = \"store\"");
  EXPECT_THAT(Reload(), HasSubstr("token.main.sync_path: changed; takes effect at the next start"));
}

TEST_F(ReloadTest, TheLogLevelIsApplied) {
  Configure("level = \"debug\"", "level = \"error\"");
  EXPECT_THAT(Reload(), HasSubstr(R"("changed":"log.level")"));
  // The level takes effect just behind the line that tells of it, or that line would not be shown.
  EXPECT_TRUE(Eventually([&] {
    const std::size_t quiet_from = daemon_.Log().size();
    MakeAMac();
    return daemon_.Log().size() == quiet_from;
  }));
  Configure("level = \"error\"", "level = \"debug\"");
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  const std::size_t before = daemon_.Log().size();
  MakeAMac();
  EXPECT_TRUE(Eventually([&] { return Contains(daemon_.Log().substr(before), "GenerateMac"); }));
}

TEST_F(ReloadTest, MistakesInTheFileAreLoggedWithTheirLinesAndChangeNothing) {
  const std::string old_certificate = ReadFile(daemon_.home() / "tls/server.pem");
  Install(daemon_.authority().IssueServer());
  Configure("level = \"debug\"", "level = \"error\"");
  AddGrpcSettings("max_connections = 0\nmax_cal_ms = 1\n");
  const std::string said = Reload();
  EXPECT_THAT(said, HasSubstr("hallmarkd.toml:7: grpc.max_connections"));
  EXPECT_THAT(said, HasSubstr("hallmarkd.toml:8: grpc.max_cal_ms: no such key"));
  EXPECT_THAT(said, HasSubstr(kRefused));
  EXPECT_THAT(ShownToANewConnection(), HasSubstr(old_certificate));
  MakeAMac();
  EXPECT_TRUE(Eventually([&] { return Contains(daemon_.Log(), "GenerateMac"); }));
}

TEST_F(ReloadTest, OutcomesAreCounted) {
  EXPECT_THAT(Scrape(daemon_), HasSubstr("hallmark_reloads_total{outcome=\"refused\"} 0"));
  Reload();
  WriteFile(daemon_.config_file(), "this is not TOML\n" + ReadFile(daemon_.config_file()));
  EXPECT_THAT(Reload(), HasSubstr("hallmarkd.toml:1: not valid TOML"));
  Reload();
  const std::string metrics = Scrape(daemon_);
  EXPECT_THAT(metrics, HasSubstr("hallmark_reloads_total{outcome=\"applied\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("hallmark_reloads_total{outcome=\"refused\"} 2"));
}

TEST_F(ReloadTest, ALogFileThatWasRenamedIsLeftAndANewOneBegun) {
  const auto log = daemon_.home() / "log";
  const auto rotated = daemon_.home() / "log.1";
  std::filesystem::rename(log, rotated);
  Hangup();
  ASSERT_TRUE(Eventually(
      [&] { return std::filesystem::exists(log) && Contains(ReadFile(log), kApplied); }, 30s));
  const std::string before = ReadFile(rotated);
  MakeAMac();
  EXPECT_TRUE(Eventually([&] { return Contains(ReadFile(log), "GenerateMac"); }));
  EXPECT_EQ(ReadFile(rotated), before);
}

TEST_F(ReloadTest, ALogFileThatCannotBeOpenedIsAMistake) {
  Configure("file = \"log\"", "file = \"nowhere/log\"");
  const std::string said = Reload();
  EXPECT_THAT(said, HasSubstr("log.file: Cannot open the log file"));
  EXPECT_THAT(said, HasSubstr(kRefused));
}

TEST_F(ReloadTest, LimitsOfConnectionsAreApplied) {
  ASSERT_TRUE(TryAnew().ok());
  AddGrpcSettings("max_connections_per_address = 1\n");
  EXPECT_THAT(Reload(), HasSubstr(R"("changed":"grpc.max_connections_per_address")"));
  // The administrator's own is open, and stays so.
  ASSERT_TRUE(DescribeKey(daemon_.admin(), key_).ok());
  EXPECT_FALSE(TryAnew().ok());
  Configure("max_connections_per_address = 1\n", "");
  Reload();
  EXPECT_TRUE(TryAnew().ok());
}

TEST_F(ReloadTest, TheLongestCallIsApplied) {
  AddGrpcSettings("max_call_ms = 300\n");
  Reload();
  daemon_.SetFaults("C_Sign delay_ms=3000 times=1\n");
  EXPECT_FALSE(GenerateMac(daemon_.admin(), key_, "m").outcome.ok());
}

TEST_F(ReloadTest, TheTimeToDrainIsApplied) {
  AddGrpcSettings("drain_timeout_ms = 0\n");
  Reload();
  daemon_.SetFaults("C_Sign delay_ms=3000 times=1\n");
  const v1::GenerateMacRequest request = MacRequest(key_, "m");
  v1::GenerateMacResponse response;
  grpc::ClientContext context;
  std::promise<grpc::Status> ended;
  daemon_.admin().keys->async()->GenerateMac(
      &context, &request, &response, [&](const grpc::Status& status) { ended.set_value(status); });
  // Behind the slow call on the same connection: its answer says that the slow one has arrived.
  ASSERT_TRUE(DescribeKey(daemon_.admin(), key_).ok());
  EXPECT_EQ(daemon_.Stop(), 0);
  EXPECT_FALSE(ended.get_future().get().ok());
}

TEST_F(ReloadTest, ManySighupsInARowAndBesideTheEndAreHarmless) {
  for (int i = 0; i < 100; ++i) Hangup();
  EXPECT_THAT(Reload(), HasSubstr(kApplied));
  EXPECT_TRUE(TryAnew().ok());
  for (int i = 0; i < 10; ++i) Hangup();
  ASSERT_EQ(::kill(daemon_.pid(), SIGTERM), 0);
  // Not reaped yet, so the number is still the daemon's.
  for (int i = 0; i < 100; ++i) Hangup();
  EXPECT_EQ(daemon_.WaitForEnd(), 0);
}

TEST(ReloadAtStartTest, ASighupDuringTheStartIsAReloadAfterItEvenUnderNohup) {
  // The shell becomes the daemon; its child sends SIGHUP as long as the daemon starts.
  TestDaemon daemon({.wrapper = {"/bin/sh", "-c",
                                 "trap '' HUP; (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 "
                                 "18 19 20; do kill -HUP $$ || exit; sleep 0.05; done) & "
                                 "exec \"$@\"",
                                 "sh"}});
  daemon.Start();
  EXPECT_TRUE(Eventually([&] { return Contains(daemon.Log(), kApplied); }, 30s));
  EXPECT_EQ(daemon.Stop(), 0);
}

TEST_F(ReloadTest, ARateCountsFromTheReloadOn) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(GenerateMac(daemon_.admin(), key_, "m").outcome.ok());
  WriteFile(daemon_.config_file(),
            ReadFile(daemon_.config_file()) + "\n[limits]\nkey_macs_per_second = 1\n");
  EXPECT_THAT(Reload(), HasSubstr("\"changed\":\"limits.key_macs_per_second\""));
  Outcome outcome;
  for (int i = 0; i < 100 && outcome.ok(); ++i) {
    outcome = GenerateMac(daemon_.admin(), key_, "m").outcome;
  }
  EXPECT_EQ(outcome.exception, "ThrottlingException") << outcome;
  EXPECT_TRUE(outcome.retry_after.has_value());
  EXPECT_TRUE(DescribeKey(daemon_.admin(), key_).ok());
}

}  // namespace
}  // namespace hallmark::testing
