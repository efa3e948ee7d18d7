#include "service/grpc/rotating_credentials.h"

#include "tests/service/grpc/tiny_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::grpc_front {
namespace {

using hallmark::testing::ConnectTo;
using hallmark::testing::Describe;
using hallmark::testing::MaterialOf;
using hallmark::testing::PemPair;
using hallmark::testing::TestAuthority;
using hallmark::testing::TinyServer;

class RotatingCredentialsTest : public ::testing::Test {
 protected:
  // A new connection that trusts `ca` alone.
  std::shared_ptr<grpc::Channel> ConnectTrusting(const std::string& ca, const PemPair& client) {
    return ConnectTo(server_.door().address(), ca, client);
  }
  // Every call of this service is refused as NOT_FOUND; what is not reached is UNAVAILABLE.
  static bool Reaches(const std::shared_ptr<grpc::Channel>& channel) {
    const grpc::Status status = Describe(channel, "k");
    EXPECT_TRUE(status.error_code() == grpc::NOT_FOUND || status.error_code() == grpc::UNAVAILABLE)
        << status.error_message();
    return status.error_code() == grpc::NOT_FOUND;
  }

  TinyServer server_{{1000, 1000}};
  TestAuthority other_;
};

TEST_F(RotatingCredentialsTest, ANewConnectionMeetsTheNewCertificateAndAnOpenOneGoesOn) {
  const PemPair client = server_.authority().IssueClient();
  const auto open = server_.Connect();
  ASSERT_TRUE(Reaches(open));
  server_.credentials().Replace(
      MaterialOf(other_.IssueServer(), server_.authority().certificate()));
  EXPECT_TRUE(Reaches(open));
  EXPECT_TRUE(Reaches(ConnectTrusting(other_.certificate(), client)));
  EXPECT_FALSE(Reaches(ConnectTrusting(server_.authority().certificate(), client)));
}

TEST_F(RotatingCredentialsTest, TheClientAuthorityIsReplacedWithTheCertificate) {
  server_.credentials().Replace(MaterialOf(other_.IssueServer(), other_.certificate()));
  EXPECT_TRUE(Reaches(ConnectTrusting(other_.certificate(), other_.IssueClient())));
  EXPECT_FALSE(Reaches(ConnectTrusting(other_.certificate(), server_.authority().IssueClient())));
  EXPECT_FALSE(Reaches(ConnectTrusting(other_.certificate(), {})));
}

TEST_F(RotatingCredentialsTest, OfSeveralReplacementsTheLastCounts) {
  server_.credentials().Replace(MaterialOf(other_.IssueServer(), other_.certificate()));
  server_.credentials().Replace(
      MaterialOf(server_.authority().IssueServer(), server_.authority().certificate()));
  EXPECT_TRUE(Reaches(server_.Connect()));
}

TEST_F(RotatingCredentialsTest, ConnectionsThatBeginWhileItIsReplacedAllSucceed) {
  std::atomic<bool> replacing{true};
  std::atomic<int> reached{0};
  std::atomic<int> lost{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        while (replacing) ++(Reaches(server_.Connect()) ? reached : lost);
      });
    }
    int replacements = 0;
    while (reached + lost < 40 || replacements < 40) {
      server_.credentials().Replace(
          MaterialOf(server_.authority().IssueServer(), server_.authority().certificate()));
      ++replacements;
    }
    replacing = false;
  }
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace hallmark::grpc_front
