#include "tests/support/test_certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>

namespace hallmark::testing {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "test certificates: %s failed\n", what);
  std::abort();
}

template <class Write>
std::string ToPem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  Check(bio != nullptr && write(bio) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string ToPem(X509* certificate) {
  return ToPem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string ToPem(EVP_PKEY* key) {
  return ToPem([key](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "an extension");
  X509_EXTENSION_free(extension);
}

// Unsigned; null issuer: self-issued.
X509* NewCertificate(EVP_PKEY* key, X509* issuer, const CertificateOptions& options) {
  X509* certificate = X509_new();
  Check(certificate != nullptr, "X509_new");
  X509_set_version(certificate, X509_VERSION_3);
  unsigned char serial[8];
  Check(RAND_bytes(serial, sizeof serial) == 1, "RAND_bytes");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7F) | 0x01);
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate), options.not_before.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), options.not_after.count());
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  Check(X509_NAME_add_entry_by_txt(
            name, "CN", MBSTRING_ASC,
            reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0) == 1,
        "the subject");
  X509_set_issuer_name(certificate, issuer == nullptr ? name : X509_get_subject_name(issuer));
  return certificate;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name, const TestAuthority* issuer)
    : key_(EVP_EC_gen("P-256")) {
  Check(key_ != nullptr, "EVP_EC_gen");
  certificate_.reset(NewCertificate(
      key_.get(), issuer == nullptr ? nullptr : issuer->certificate_.get(), {.common_name = name}));
  AddExtension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_.get(), certificate_.get(), NID_key_usage, "critical,keyCertSign");
  AddExtension(certificate_.get(), certificate_.get(), NID_subject_key_identifier, "hash");
  EVP_PKEY* const signer = issuer == nullptr ? key_.get() : issuer->key_.get();
  Check(X509_sign(certificate_.get(), signer, EVP_sha256()) > 0, "X509_sign");
  certificate_pem_ = ToPem(certificate_.get());
}

std::string TestAuthority::private_key() const { return ToPem(key_.get()); }

PemPair TestAuthority::Issue(const CertificateOptions& options) const {
  const std::unique_ptr<EVP_PKEY, Delete> key(EVP_EC_gen("P-256"));
  Check(key != nullptr, "EVP_EC_gen");
  const std::unique_ptr<X509, Delete> certificate(
      NewCertificate(key.get(), certificate_.get(), options));
  std::string names;
  for (const std::string& name : options.alternative_names) {
    names += (names.empty() ? "" : ",") + name;
  }
  if (!names.empty()) {
    AddExtension(certificate.get(), certificate_.get(), NID_subject_alt_name, names);
  }
  Check(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0, "X509_sign");
  return {ToPem(certificate.get()), ToPem(key.get())};
}

PemPair TestAuthority::IssueServer() const {
  return Issue(
      {.common_name = "server", .alternative_names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"}});
}

}  // namespace hallmark::testing
