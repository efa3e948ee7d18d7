// Real certificates for tests, made in memory.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hallmark::testing {

struct PemPair {
  std::string certificate;
  std::string private_key;
};

struct CertificateOptions {
  std::string common_name = "test";
  // subjectAltName entries as OpenSSL spells them: "DNS:localhost", "IP:127.0.0.1",
  // "URI:spiffe://…".
  std::vector<std::string> alternative_names{};
  // Relative to now.
  std::chrono::seconds not_before{-3600};
  std::chrono::seconds not_after{3600};
};

// A certification authority with P-256 keys. Its methods abort on failure: tests cannot go on then.
class TestAuthority {
 public:
  // Two of one name are not told apart by who trusts both.
  explicit TestAuthority(const std::string& name = "Hallmark test CA")
      : TestAuthority(name, nullptr) {}
  // One that `issuer` vouches for.
  TestAuthority(const std::string& name, const TestAuthority& issuer)
      : TestAuthority(name, &issuer) {}

  const std::string& certificate() const { return certificate_pem_; }
  std::string private_key() const;
  PemPair Issue(const CertificateOptions& options) const;

  // For "localhost" and the loopback addresses.
  PemPair IssueServer() const;
  PemPair IssueClient() const { return Issue({.common_name = "client"}); }

 private:
  TestAuthority(const std::string& name, const TestAuthority* issuer);

  struct Delete {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };

  std::unique_ptr<EVP_PKEY, Delete> key_;
  std::unique_ptr<X509, Delete> certificate_;
  std::string certificate_pem_;
};

}  // namespace hallmark::testing
