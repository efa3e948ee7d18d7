// A workload that is known by its SPIFFE id, and its trust domain's CA, while the daemon runs.
#include "tests/daemon/calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>

namespace hallmark::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kArn = "arn:aws:iam::111122223333:user/Billing";
constexpr const char* kId = "spiffe://example.org/billing";

class WorkloadTest : public ::testing::Test {
 protected:
  WorkloadTest() {
    WriteFile(Bundle(), domain_.certificate());
    daemon_.Start();
    key_ = CreateKey(daemon_.admin());
    WriteFile(daemon_.home() / "policy.json", TestDaemon::kAllowAll);
  }

  std::filesystem::path Bundle() const {
    return daemon_.home() / "trust_domains" / "example.org.pem";
  }
  Finished Add() {
    return hallmark::testing::Run(
        {HALLMARK_BINARY_DIR "/hallmark", "principal", "add", "--home", daemon_.home().string(),
         "--arn", kArn, "--spiffe-id", kId, "--policy", daemon_.home() / "policy.json"},
        daemon_.environment());
  }
  void Reload() {
    const std::size_t before = daemon_.Log().size();
    ASSERT_EQ(::kill(daemon_.pid(), SIGHUP), 0);
    ASSERT_TRUE(Eventually([&] {
      return daemon_.Log().find("\"outcome\":\"applied\"", before) != std::string::npos;
    })) << daemon_.Log();
  }
  Client ConnectWith(const TestAuthority& authority, const std::string& id = kId) const {
    return daemon_.Connect(authority.Issue({.alternative_names = {"URI:" + id}}));
  }
  Outcome Try(const Client& client) const { return GenerateMac(client, key_, "m").outcome; }
  void ExpectUnrecognized(const Client& client, const std::string& because) const {
    const Outcome outcome = Try(client);
    EXPECT_EQ(outcome.exception, "UnrecognizedClientException") << outcome;
    EXPECT_THAT(outcome.message, HasSubstr(because));
  }

  const TestAuthority domain_{"example.org"};
  TestDaemon daemon_;
  std::string key_;
};

TEST_F(WorkloadTest, IsKnownByEveryCertificateOfItsOwnTrustDomainAndNoOther) {
  const Client early = ConnectWith(domain_);
  ExpectUnrecognized(early, "spiffe://example.org/billing belongs to no principal");
  const Finished added = Add();
  ASSERT_EQ(added.exit_code, 0) << added.errors;
  EXPECT_THAT(added.output, HasSubstr("\"SpiffeId\": \"spiffe://example.org/billing\""));

  EXPECT_TRUE(Try(early).ok());
  EXPECT_TRUE(Try(ConnectWith(domain_)).ok());
  ExpectUnrecognized(ConnectWith(domain_, "spiffe://example.org/other"), "belongs to no principal");
  // The CA of other clients is trusted, but not with this name.
  ExpectUnrecognized(ConnectWith(daemon_.authority()), "was not issued by a CA");
  const Finished again = Add();
  EXPECT_THAT(again.errors, HasSubstr("AlreadyExistsException"));

  std::filesystem::remove(Bundle());
  Reload();
  ExpectUnrecognized(early, "was not issued by a CA");
  WriteFile(Bundle(), domain_.certificate());
  Reload();
  EXPECT_TRUE(Try(early).ok());
  EXPECT_TRUE(daemon_.RemovePrincipal(kArn).ok());
  ExpectUnrecognized(early, "belongs to no principal");
}

}  // namespace
}  // namespace hallmark::testing
