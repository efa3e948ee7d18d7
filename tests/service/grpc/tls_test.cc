#include "service/grpc/tls.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/net/tls_files.h"
#include "tests/service/grpc/tiny_server.h"

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <string>

namespace hallmark::grpc_front {
namespace {

using hallmark::testing::ConnectTo;
using hallmark::testing::Describe;
using hallmark::testing::PemPair;
using hallmark::testing::TemporaryDirectory;
using hallmark::testing::TestAuthority;
using hallmark::testing::TinyServer;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr net::ConnectionLimits kGenerous{100, 100};

// gRPC reads the setting once per process, so every test here runs under it.
class RestrictTls : public ::testing::Environment {
 public:
  void SetUp() override { RestrictTlsToVersion13(); }
};
const auto* const kRestrictTls = ::testing::AddGlobalTestEnvironment(new RestrictTls);

struct Outcome {
  int exit_status;
  std::string output;
};

Outcome RunOpenssl(const TinyServer& server, const std::string& version_flag) {
  const TemporaryDirectory directory;
  const PemPair client = server.authority().IssueClient();
  const std::string command = "/usr/bin/openssl s_client " + version_flag +
                              " -alpn h2 -connect 127.0.0.1:" + server.port() + " -cert " +
                              directory.Write("c.pem", client.certificate) + " -key " +
                              directory.Write("c.key", client.private_key) + " -CAfile " +
                              directory.Write("ca.pem", server.authority().certificate()) +
                              " -verify_return_error </dev/null 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> chunk{};
  for (std::size_t got; (got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;) {
    output.append(chunk.data(), got);
  }
  return {pclose(pipe), output};
}

TEST(TlsVersionTest, Version13IsSpoken) {
  TinyServer server(kGenerous);
  const Outcome outcome = RunOpenssl(server, "-tls1_3");
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("New, TLSv1.3, Cipher is TLS_"));
}

TEST(TlsVersionTest, Version12IsRefused) {
  TinyServer server(kGenerous);
  const Outcome outcome = RunOpenssl(server, "-tls1_2");
  EXPECT_NE(outcome.exit_status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("Cipher is (NONE)"));
}

TEST(TlsVersionTest, Version12IsRefusedWithEverySuiteThatOpensslHas) {
  TinyServer server(kGenerous);
  for (const char* suites : {"ALL:@SECLEVEL=0", "PSK-AES256-GCM-SHA384"}) {
    const Outcome outcome =
        RunOpenssl(server, std::string("-tls1_2 -psk 00112233 -cipher ") + suites);
    EXPECT_NE(outcome.exit_status, 0) << suites;
    EXPECT_THAT(outcome.output, HasSubstr("Cipher is (NONE)")) << suites;
  }
}

TEST(TlsClientTest, AClientOfAnotherAuthorityIsRefused) {
  TinyServer server(kGenerous);
  const PemPair stranger = TestAuthority().IssueClient();
  const auto channel =
      ConnectTo(server.door().address(), server.authority().certificate(), stranger);
  EXPECT_EQ(Describe(channel, "k").error_code(), grpc::UNAVAILABLE);
}

TEST(TlsClientTest, AClientWithoutACertificateIsRefused) {
  TinyServer server(kGenerous);
  const auto channel = ConnectTo(server.door().address(), server.authority().certificate(), {});
  EXPECT_EQ(Describe(channel, "k").error_code(), grpc::UNAVAILABLE);
}

// The longest KeyId that the schema allows, echoed in the refusal, against a client with gRPC's
// limits.
TEST(StatusOverTheWireTest, TheLongestEchoedKeyIdStillArrivesWithItsReason) {
  TinyServer server(kGenerous);
  const auto channel = server.Connect();
  for (const std::string_view character : {"k", "%", "\u00e4", "\u20ac", "\U0001f511"}) {
    std::string key_id;
    for (int i = 0; i < 2048; ++i) key_id += character;
    const grpc::Status status = Describe(channel, key_id);
    EXPECT_EQ(status.error_code(), grpc::NOT_FOUND) << character << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), StartsWith("Invalid keyId '" + key_id.substr(0, 1'000)));
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(details.details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), "NotFoundException");
  }
}

class ServerCredentialsTest : public ::testing::Test {
 protected:
  std::string Refusal() const {
    const auto material = net::ReadTlsFiles(files_);
    return material.has_value() ? "" : material.error();
  }

  TemporaryDirectory directory_;
  TestAuthority authority_;
  PemPair pair_ = authority_.IssueServer();
  net::TlsFiles files_{directory_.Write("server.pem", pair_.certificate),
                       directory_.Write("server.key", pair_.private_key),
                       directory_.Write("ca.pem", authority_.certificate())};
};

TEST_F(ServerCredentialsTest, AMatchingPairIsAccepted) { EXPECT_EQ(Refusal(), ""); }

TEST_F(ServerCredentialsTest, AMissingFileIsNamed) {
  files_.certificate = directory_.path() / "nowhere.pem";
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("nowhere.pem"), HasSubstr("No such file"), Not(HasSubstr("\n"))));
  files_.certificate = files_.client_ca;
  files_.private_key = directory_.path() / "nowhere.key";
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("nowhere.key"), HasSubstr("No such file")));
}

TEST_F(ServerCredentialsTest, AKeyOfAnotherCertificateIsRefused) {
  directory_.Write("server.key", authority_.IssueServer().private_key);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("server.key"), HasSubstr("does not belong")));
}

TEST_F(ServerCredentialsTest, AKeyThatOthersMayReadIsRefused) {
  chmod(files_.private_key.c_str(), 0644);
  EXPECT_THAT(Refusal(), EndsWith("run: chmod 600 " + files_.private_key.string()));
  chmod(files_.private_key.c_str(), 0640);
  EXPECT_EQ(Refusal(), "");
}

TEST_F(ServerCredentialsTest, FilesWithoutPemAreRefused) {
  directory_.Write("ca.pem", "not PEM");
  EXPECT_THAT(Refusal(), HasSubstr("ca.pem: holds no PEM certificate"));
  directory_.Write("server.key", "not PEM");
  EXPECT_THAT(Refusal(), HasSubstr("server.key: holds no PEM private key"));
  directory_.Write("server.pem", "");
  EXPECT_THAT(Refusal(), HasSubstr("server.pem: is empty"));
}

TEST_F(ServerCredentialsTest, AServerCertificateThatIsNotValidYetIsRefused) {
  const PemPair early = authority_.Issue({.not_before = std::chrono::seconds(600)});
  directory_.Write("server.pem", early.certificate);
  directory_.Write("server.key", early.private_key);
  EXPECT_THAT(Refusal(), HasSubstr("is not valid yet"));
}

TEST_F(ServerCredentialsTest, ADamagedCertificateBehindAGoodOneIsRefused) {
  const std::string damaged = authority_.certificate().substr(0, 200);
  directory_.Write("server.pem", pair_.certificate + damaged);
  EXPECT_THAT(Refusal(), HasSubstr("server.pem: certificate 2 in it is damaged"));
  directory_.Write("server.pem", pair_.certificate + authority_.certificate());
  directory_.Write("ca.pem", authority_.certificate() + damaged);
  EXPECT_THAT(Refusal(), HasSubstr("ca.pem: certificate 2 in it is damaged"));
  directory_.Write("ca.pem", authority_.certificate() + authority_.certificate());
  EXPECT_EQ(Refusal(), "");
}

TEST_F(ServerCredentialsTest, AnAuthorityThatIsOverIsRefusedUnlessACurrentOneStandsBesideIt) {
  const std::string over = authority_.Issue({.not_after = std::chrono::seconds(-60)}).certificate;
  directory_.Write("ca.pem", over);
  EXPECT_THAT(Refusal(), HasSubstr("ca.pem: no certificate in it is valid now"));
  directory_.Write("ca.pem", over + authority_.certificate());
  EXPECT_EQ(Refusal(), "");
}

TEST_F(ServerCredentialsTest, AnExpiredServerCertificateIsRefused) {
  const PemPair expired = authority_.Issue({.not_after = std::chrono::seconds(-60)});
  directory_.Write("server.pem", expired.certificate);
  directory_.Write("server.key", expired.private_key);
  EXPECT_THAT(Refusal(), HasSubstr("has expired"));
}

}  // namespace
}  // namespace hallmark::grpc_front
