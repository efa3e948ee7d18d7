#include "service/authn/peer_identity.h"

#include "tests/support/test_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::authn {
namespace {

using testing::CertificateOptions;
using ::testing::HasSubstr;
using testing::TestAuthority;
using namespace std::chrono_literals;

// Stands still until moved.
class MovableClock final : public Clock {
 public:
  WallTime Now() const override { return now_.load(); }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
  void Move(std::chrono::seconds by) { now_ = now_.load() + by; }

 private:
  std::atomic<WallTime> now_{
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())};
};

// SHA-256 of the DER by another way than the code under test: PEM is DER in base64.
CertificateFingerprint FingerprintByHand(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* der = nullptr;
  long size = 0;
  EXPECT_EQ(PEM_read_bio(bio, &name, &header, &der, &size), 1);
  CertificateFingerprint fingerprint{};
  EVP_Digest(der, static_cast<std::size_t>(size),
             reinterpret_cast<unsigned char*>(fingerprint.data()), nullptr, EVP_sha256(), nullptr);
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(der);
  BIO_free(bio);
  return fingerprint;
}

class PeerAuthenticatorTest : public ::testing::Test {
 protected:
  void Register(const std::string& unique_id, const std::string& pem) {
    const Site site{"aws", "us-west-2"};
    auto arn = PrincipalArn::Parse("arn:aws:iam::111122223333:user/" + unique_id, site);
    ASSERT_TRUE(arn.has_value());
    principals_.Publish(std::make_shared<const Principal>(
        Principal{PrincipalRecord{unique_id, *std::move(arn)},
                  nullptr,
                  "",
                  {CertificateRecord{FingerprintByHand(pem), unique_id}},
                  {}}));
  }

  // `intermediates`: what the client sends beside its certificate.
  Result<PeerIdentity> Authenticate(const std::string& pem, const std::string& intermediates = {}) {
    return authenticator_.Authenticate(
        pem, [&intermediates] { return std::string_view(intermediates); });
  }

  std::string RefusalOf(const std::string& pem) {
    const Result<PeerIdentity> identity = Authenticate(pem);
    if (identity.has_value()) return "";
    EXPECT_EQ(identity.error().exception, Exception::kUnrecognizedClientException);
    return identity.error().message;
  }

  TestAuthority authority_;
  PrincipalDirectory principals_;
  MovableClock clock_;
  PeerAuthenticator authenticator_{principals_, clock_};
};

class WorkloadTest : public PeerAuthenticatorTest {
 protected:
  static constexpr const char* kId = "spiffe://example.org/billing";

  WorkloadTest() {
    auto arn = PrincipalArn::Parse("arn:aws:iam::111122223333:user/billing", {"aws", "us-west-2"});
    PrincipalRecord record{.unique_id = "billing", .arn = *std::move(arn)};
    record.spiffe_id = kId;
    principals_.Publish(
        std::make_shared<const Principal>(Principal{std::move(record), nullptr, "", {}, {}}));
    Trust({{"example.org", domain_.certificate()}, {"example.com", other_.certificate()}});
  }

  void Trust(const TrustDomains::Bundles& bundles) {
    auto domains = TrustDomains::Of(bundles);
    ASSERT_TRUE(domains.has_value()) << domains.error();
    authenticator_.SetTrustDomains(std::make_shared<const TrustDomains>(*std::move(domains)));
  }
  static std::string IssuedBy(const TestAuthority& authority, const std::string& id = kId) {
    return authority.Issue({.alternative_names = {"URI:" + id}}).certificate;
  }

  const TestAuthority domain_{"example.org"};
  const TestAuthority other_{"example.com"};
};

TEST_F(WorkloadTest, IsRecognisedByEveryCertificateOfItsTrustDomain) {
  for (int i = 0; i < 2; ++i) {
    const Result<PeerIdentity> identity = Authenticate(IssuedBy(domain_));
    ASSERT_TRUE(identity.has_value()) << ToString(identity.error());
    EXPECT_EQ(identity->principal->record.unique_id, "billing");
    EXPECT_EQ(identity->spiffe_id, kId);
  }
}

TEST_F(WorkloadTest, IsRecognisedThroughAnIntermediateThatTheClientSends) {
  const TestAuthority intermediate("regional", domain_);
  const std::string pem = IssuedBy(intermediate);
  EXPECT_THAT(RefusalOf(pem), HasSubstr("was not issued by a CA"));
  EXPECT_TRUE(Authenticate(pem, intermediate.certificate()).has_value());
  EXPECT_FALSE(
      Authenticate(IssuedBy(TestAuthority("regional", other_)), other_.certificate()).has_value());
}

TEST_F(WorkloadTest, NoOtherAuthorityThatWeTrustMaySpeakForTheDomain) {
  EXPECT_THAT(RefusalOf(IssuedBy(other_)),
              HasSubstr("spiffe://example.org/billing was not issued by a CA"));
  EXPECT_THAT(RefusalOf(IssuedBy(authority_)), HasSubstr("was not issued by a CA"));
}

TEST_F(WorkloadTest, ATrustDomainThatIsTakenAwayEndsItOnOpenConnectionsToo) {
  const std::string pem = IssuedBy(domain_);
  EXPECT_TRUE(Authenticate(pem).has_value());
  Trust({{"example.com", other_.certificate()}});
  EXPECT_THAT(RefusalOf(pem), HasSubstr("was not issued by a CA"));
}

TEST_F(WorkloadTest, APrincipalThatIsTakenAwayEndsItOnOpenConnectionsToo) {
  const std::string pem = IssuedBy(domain_);
  EXPECT_TRUE(Authenticate(pem).has_value());
  principals_.Withdraw("billing");
  EXPECT_EQ(RefusalOf(pem), "spiffe://example.org/billing belongs to no principal.");
}

TEST_F(WorkloadTest, IsNotRecognisedByWhatIsNoWorkload) {
  EXPECT_THAT(RefusalOf(IssuedBy(domain_, "spiffe://example.org")),
              HasSubstr("names a trust domain"));
  EXPECT_THAT(RefusalOf(IssuedBy(domain_, "https://example.org/billing")),
              HasSubstr("belongs to no principal"));
  EXPECT_THAT(RefusalOf(domain_.certificate()), HasSubstr("belongs to no principal"));
}

TEST_F(WorkloadTest, AnExpiredCertificateIsRefused) {
  const std::string pem = IssuedBy(domain_);
  EXPECT_TRUE(Authenticate(pem).has_value());
  clock_.Move(2h);
  EXPECT_THAT(RefusalOf(pem), HasSubstr("expired"));
}

TEST_F(WorkloadTest, ABundleWithoutACertificateIsRefused) {
  const auto domains = TrustDomains::Of({{"example.org", "no PEM"}});
  ASSERT_FALSE(domains.has_value());
  EXPECT_EQ(domains.error(), "trust domain example.org: its bundle holds no CA certificate");
}

TEST_F(PeerAuthenticatorTest, ARegisteredCertificateIsItsPrincipal) {
  const std::string pem = authority_.IssueClient().certificate;
  Register("alice", pem);
  const Result<PeerIdentity> identity = Authenticate(pem);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->principal->record.unique_id, "alice");
  EXPECT_EQ(identity->fingerprint, FingerprintByHand(pem));
  EXPECT_GT(identity->expiry, clock_.Now() + 59min);
  EXPECT_LT(identity->expiry, clock_.Now() + 61min);
}

TEST_F(PeerAuthenticatorTest, AnotherCertificateOfTheSameAuthorityWithTheSameNameIsNobody) {
  Register("alice", authority_.IssueClient().certificate);
  EXPECT_THAT(RefusalOf(authority_.IssueClient().certificate),
              HasSubstr("belongs to no principal"));
}

TEST_F(PeerAuthenticatorTest, TheRefusalNamesTheFingerprintThatAnAdministratorWouldRegister) {
  const std::string pem = authority_.IssueClient().certificate;
  EXPECT_THAT(RefusalOf(pem), HasSubstr(ToHex(FingerprintByHand(pem))));
}

TEST_F(PeerAuthenticatorTest, ACertificateThatExpiresWhileTheConnectionIsOpenIsRefusedFromThenOn) {
  const std::string pem = authority_.Issue({.not_after = 10s}).certificate;
  Register("alice", pem);
  EXPECT_EQ(RefusalOf(pem), "");
  clock_.Move(12s);
  EXPECT_THAT(RefusalOf(pem), HasSubstr("expired at 20"));
}

TEST_F(PeerAuthenticatorTest, ACertificateThatIsNotValidYetIsRefused) {
  const std::string pem = authority_.Issue({.not_before = 600s}).certificate;
  Register("alice", pem);
  EXPECT_THAT(RefusalOf(pem), HasSubstr("not valid before"));
  clock_.Move(601s);
  EXPECT_EQ(RefusalOf(pem), "");
}

TEST_F(PeerAuthenticatorTest, ARemovedPrincipalIsRefusedAtTheNextCall) {
  const std::string pem = authority_.IssueClient().certificate;
  Register("alice", pem);
  EXPECT_EQ(RefusalOf(pem), "");
  principals_.Withdraw("alice");
  EXPECT_THAT(RefusalOf(pem), HasSubstr("belongs to no principal"));
}

TEST_F(PeerAuthenticatorTest, OneUriNameIsAcceptedAndTwoAreRefused) {
  CertificateOptions options;
  options.alternative_names = {"URI:spiffe://example.org/a", "DNS:a.example.org"};
  const std::string one = authority_.Issue(options).certificate;
  options.alternative_names.push_back("URI:spiffe://example.org/b");
  const std::string two = authority_.Issue(options).certificate;
  Register("one", one);
  Register("two", two);
  EXPECT_EQ(RefusalOf(one), "");
  EXPECT_THAT(RefusalOf(two), HasSubstr("more than one URI"));
}

TEST_F(PeerAuthenticatorTest, WhatIsNotACertificateIsRefused) {
  EXPECT_THAT(RefusalOf(""), HasSubstr("no client certificate"));
  EXPECT_THAT(RefusalOf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
              HasSubstr("cannot be read"));
}

TEST_F(PeerAuthenticatorTest, ManyThreadsGetTheSameAnswer) {
  const std::string known = authority_.IssueClient().certificate;
  const std::string unknown = authority_.IssueClient().certificate;
  Register("alice", known);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1'000; ++n) {
          if (!Authenticate(known).has_value()) ++wrong;
          if (Authenticate(unknown).has_value()) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hallmark::authn
