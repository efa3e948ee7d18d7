// Who gets in, and for how long: by certificate, at every call.
#include "tests/daemon/calls.h"
#include "tests/daemon/raw_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kUser = "arn:aws:iam::111122223333:user/Someone";

class IdentityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = new TestDaemon;
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

TEST_F(IdentityTest, TheAdminSocketIsForTheDaemonsUserAlone) {
  struct stat info {};
  ASSERT_EQ(::stat((daemon_->home() / "admin.sock").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace hallmark::testing
