// Who gets in, and for how long: by certificate, at every call.
#include "tests/daemon/calls.h"
#include "tests/daemon/raw_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kUser = "arn:aws:iam::111122223333:user/Someone";

class IdentityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = new TestDaemon;
    WriteFile(daemon_->home() / "tls/ca.key", daemon_->authority().private_key());
    daemon_->Start();
    key_ = new std::string(CreateKey(daemon_->admin()));
  }
  static void TearDownTestSuite() {
    delete key_;
    delete daemon_;
  }
  void TearDown() override { static_cast<void>(daemon_->RemovePrincipal(kUser)); }

  // The principal kUser with this certificate.
  static Client Register(const PemPair& credentials) {
    const Outcome added =
        daemon_->TryAddPrincipal(kUser, TestDaemon::kAllowAll, credentials.certificate);
    EXPECT_TRUE(added.ok()) << added;
    return daemon_->Connect(credentials);
  }
  // `hallmark principal VERB --arn kUser`, with what it issues signed by the daemon's client CA.
  static Finished Principal(const std::string& verb, const std::vector<std::string>& flags = {}) {
    std::vector<std::string> line{HALLMARK_BINARY_DIR "/hallmark", "principal", verb, "--home",
                                  daemon_->home().string(),        "--arn",     kUser};
    line.insert(line.end(), flags.begin(), flags.end());
    return hallmark::testing::Run(line, daemon_->environment());
  }
  // Of what `principal add` and `principal rotate` print.
  static Client ConnectWith(const std::string& printed) {
    const auto json = nlohmann::json::parse(printed);
    return daemon_->Connect({ReadFile(json.at("CertificateFile").get<std::string>()),
                             ReadFile(json.at("PrivateKeyFile").get<std::string>())});
  }
  static std::string AddByCommand() {
    WriteFile(daemon_->home() / "policy.json", TestDaemon::kAllowAll);
    const Finished added = Principal("add", {"--policy", daemon_->home() / "policy.json"});
    EXPECT_EQ(added.exit_code, 0) << added.errors;
    return added.output;
  }
  static Outcome Try(const Client& client) { return GenerateMac(client, *key_, "m").outcome; }
  static void ExpectUnrecognized(const Outcome& outcome) {
    EXPECT_EQ(outcome.code, grpc::StatusCode::UNAUTHENTICATED) << outcome;
    EXPECT_EQ(outcome.exception, "UnrecognizedClientException") << outcome;
  }
  static Finished Handshake(const std::string& version_flag) {
    return HandshakeByOpenssl(*daemon_, daemon_->admin().credentials, {version_flag});
  }

  static TestDaemon* daemon_;
  static std::string* key_;
};

TestDaemon* IdentityTest::daemon_ = nullptr;
std::string* IdentityTest::key_ = nullptr;

TEST_F(IdentityTest, Tls13IsSpoken) {
  const Finished handshake = Handshake("-tls1_3");
  EXPECT_EQ(handshake.exit_code, 0) << handshake.errors;
  EXPECT_THAT(handshake.output, HasSubstr("New, TLSv1.3, Cipher is TLS_"));
}

TEST_F(IdentityTest, Tls12IsRefused) {
  const Finished handshake = Handshake("-tls1_2");
  EXPECT_NE(handshake.exit_code, 0);
  EXPECT_THAT(handshake.output, HasSubstr("Cipher is (NONE)"));
}

TEST_F(IdentityTest, AClientWithoutACertificateGetsNoConnection) {
  const Outcome outcome = Try(daemon_->Connect({}));
  EXPECT_EQ(outcome.code, grpc::StatusCode::UNAVAILABLE) << outcome;
}

TEST_F(IdentityTest, ACertificateOfAnotherAuthorityGetsNoConnection) {
  const Outcome outcome = Try(daemon_->Connect(TestAuthority().IssueClient()));
  EXPECT_EQ(outcome.code, grpc::StatusCode::UNAVAILABLE) << outcome;
}

TEST_F(IdentityTest, ACertificateOfOurAuthorityAloneMakesNoPrincipal) {
  ExpectUnrecognized(Try(daemon_->Connect(daemon_->authority().IssueClient())));
}

TEST_F(IdentityTest, AnotherCertificateWithThePrincipalsNameIsNotThePrincipal) {
  Register(daemon_->authority().Issue({.common_name = "someone"}));
  ExpectUnrecognized(Try(daemon_->Connect(daemon_->authority().Issue({.common_name = "someone"}))));
}

TEST_F(IdentityTest, ACertificateThatExpiresIsRefusedOnItsOpenConnection) {
  const Client client = Register(daemon_->authority().Issue({.not_after = 4s}));
  const Outcome before = Try(client);
  ASSERT_TRUE(before.ok()) << before;
  Outcome after;
  EXPECT_TRUE(Eventually([&] { return !(after = Try(client)).ok(); }));
  // A new connection could not be made with it, so this is the answer of the old one.
  ExpectUnrecognized(after);
  EXPECT_THAT(after.message, HasSubstr("expired"));
}

TEST_F(IdentityTest, ACertificateWithTwoUriNamesIsRefused) {
  const Client client = Register(daemon_->authority().Issue(
      {.alternative_names = {"URI:spiffe://one.example/a", "URI:spiffe://two.example/b"}}));
  ExpectUnrecognized(Try(client));
}

TEST_F(IdentityTest, ACertificateWithOneUriNameIsAccepted) {
  const Client client =
      Register(daemon_->authority().Issue({.alternative_names = {"URI:spiffe://one.example/a"}}));
  const Outcome outcome = Try(client);
  EXPECT_TRUE(outcome.ok()) << outcome;
}

TEST_F(IdentityTest, ARemovedPrincipalIsRefusedOnItsOpenConnection) {
  const Client client = Register(daemon_->authority().IssueClient());
  ASSERT_TRUE(Try(client).ok());
  ASSERT_TRUE(daemon_->RemovePrincipal(kUser).ok());
  // At once: well within the two seconds that are promised.
  ExpectUnrecognized(Try(client));
}

TEST_F(IdentityTest, APrincipalAddedAgainIsKnownByItsNewCertificateOnly) {
  const Client before = Register(daemon_->authority().IssueClient());
  ASSERT_TRUE(Try(before).ok());
  ASSERT_TRUE(daemon_->RemovePrincipal(kUser).ok());
  const Client after = Register(daemon_->authority().IssueClient());
  ExpectUnrecognized(Try(before));
  const Outcome outcome = Try(after);
  EXPECT_TRUE(outcome.ok()) << outcome;
}

TEST_F(IdentityTest, ARotatedCertificateIsRefusedOnItsOpenConnectionAndTheNewOneServes) {
  const Client before = ConnectWith(AddByCommand());
  ASSERT_TRUE(Try(before).ok());
  const Finished rotated = Principal("rotate");
  ASSERT_EQ(rotated.exit_code, 0) << rotated.errors;
  ExpectUnrecognized(Try(before));
  const Outcome after = Try(ConnectWith(rotated.output));
  EXPECT_TRUE(after.ok()) << after;
}

TEST_F(IdentityTest, ACertificateThatRotationKeepsServesBesideTheNewOne) {
  const Client before = ConnectWith(AddByCommand());
  const Finished rotated = Principal("rotate", {"--keep-old"});
  ASSERT_EQ(rotated.exit_code, 0) << rotated.errors;
  EXPECT_TRUE(Try(before).ok());
  EXPECT_TRUE(Try(ConnectWith(rotated.output)).ok());
}

TEST_F(IdentityTest, RotationWorksOnTheStoreWhileNoDaemonRuns) {
  const std::string added = AddByCommand();
  ASSERT_EQ(daemon_->Stop(), 0);
  const Finished rotated = Principal("rotate");
  daemon_->Start();
  ASSERT_EQ(rotated.exit_code, 0) << rotated.errors;
  ExpectUnrecognized(Try(ConnectWith(added)));
  const Outcome after = Try(ConnectWith(rotated.output));
  EXPECT_TRUE(after.ok()) << after;
}

TEST_F(IdentityTest, RotationOfNobodyLeavesNoFilesBehind) {
  const auto files = [] {
    const std::filesystem::directory_iterator tls(daemon_->home() / "tls");
    return std::distance(begin(tls), end(tls));
  };
  const auto before = files();
  const Finished rotated = Principal("rotate");
  EXPECT_EQ(rotated.exit_code, 254);
  EXPECT_THAT(rotated.errors, HasSubstr("(NotFoundException) when calling the RotatePrincipal"));
  EXPECT_EQ(files(), before);
}

TEST_F(IdentityTest, TheAdminSocketIsForTheDaemonsUserAlone) {
  struct stat info {};
  ASSERT_EQ(::stat((daemon_->home() / "admin.sock").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace hallmark::testing
