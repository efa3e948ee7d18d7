#include "service/cli/dev_ca.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

namespace hallmark::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

CertificatePtr ReadCertificate(const fs::path& path) {
  const std::string pem = Read(path);
  BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  CertificatePtr certificate(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr), &X509_free);
  BIO_free(memory);
  return certificate;
}

mode_t ModeOf(const fs::path& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

// A CA as quickstart makes it.
class DevCaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "hallmark ca-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream(directory_ / "ca.cnf")
        << "[req]\ndistinguished_name = dn\n[dn]\n[ext]\nbasicConstraints = critical,CA:TRUE\n"
           "keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n";
    ASSERT_EQ(OpenSsl("req -x509 -config ca.cnf -extensions ext -newkey ec -pkeyopt "
                      "ec_paramgen_curve:P-256 -noenc -days 2 -subj '/CN=Test CA' -keyout ca.key "
                      "-out ca.pem"),
              0);
    fs::remove(directory_ / "ca.cnf");
  }
  void TearDown() override { fs::remove_all(directory_); }

  int OpenSsl(const std::string& arguments) const {
    const std::string command = "cd '" + directory_.string() + "' && /usr/bin/openssl " +
                                arguments + " >/dev/null 2>&1 </dev/null";
    return std::system(command.c_str());
  }

  ClientCertificate Issue(const std::string& name) const {
    auto issued = IssueClientCertificate(directory_, name);
    EXPECT_TRUE(issued.has_value()) << (issued ? std::string() : issued.error());
    return issued ? *issued : ClientCertificate{};
  }

  fs::path directory_;
};

TEST_F(DevCaTest, CertificateIsSignedByTheCa) {
  const ClientCertificate issued = Issue("alice");
  const CertificatePtr ca = ReadCertificate(directory_ / "ca.pem");
  const CertificatePtr certificate = ReadCertificate(issued.certificate_file);
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(ca.get())), 1);
  EXPECT_EQ(OpenSsl("verify -x509_strict -purpose sslclient -CAfile ca.pem alice.pem"), 0);
}

TEST_F(DevCaTest, CertificateIsNotForServers) {
  Issue("alice");
  EXPECT_NE(OpenSsl("verify -purpose sslserver -CAfile ca.pem alice.pem"), 0);
}

TEST_F(DevCaTest, KeyBelongsToTheCertificate) {
  const ClientCertificate issued = Issue("alice");
  const CertificatePtr certificate = ReadCertificate(issued.certificate_file);
  const std::string pem = Read(issued.private_key_file);
  BIO* memory = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  EXPECT_EQ(X509_check_private_key(certificate.get(), key), 1);
  EVP_PKEY_free(key);
}

TEST_F(DevCaTest, CertificateNamesNobody) {
  const CertificatePtr certificate = ReadCertificate(Issue("alice").certificate_file);
  EXPECT_EQ(X509_get_ext_by_NID(certificate.get(), NID_subject_alt_name, -1), -1);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
}

TEST_F(DevCaTest, CertificateLastsNinetyDays) {
  const CertificatePtr certificate = ReadCertificate(Issue("alice").certificate_file);
  int days = 0;
  int seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate.get())), 1);
  EXPECT_GE(days, 89);
  EXPECT_LE(days, 90);
}

TEST_F(DevCaTest, FingerprintIsTheSha256OfTheDer) {
  const ClientCertificate issued = Issue("alice");
  const CertificatePtr certificate = ReadCertificate(issued.certificate_file);
  CertificateFingerprint digest{};
  ASSERT_EQ(X509_digest(certificate.get(), EVP_sha256(),
                        reinterpret_cast<unsigned char*>(digest.data()), nullptr),
            1);
  EXPECT_EQ(issued.fingerprint, digest);
}

TEST_F(DevCaTest, FilesAreForTheirOwnerAlone) {
  const ClientCertificate issued = Issue("alice");
  EXPECT_EQ(ModeOf(issued.certificate_file), 0600U);
  EXPECT_EQ(ModeOf(issued.private_key_file), 0600U);
}

TEST_F(DevCaTest, ExistingFilesAreNeverReplaced) {
  std::ofstream(directory_ / "alice.pem") << "somebody's";
  const ClientCertificate issued = Issue("alice");
  EXPECT_EQ(Read(directory_ / "alice.pem"), "somebody's");
  EXPECT_FALSE(fs::exists(directory_ / "alice.key"));
  EXPECT_EQ(issued.certificate_file, directory_ / "alice-2.pem");
  EXPECT_EQ(issued.private_key_file, directory_ / "alice-2.key");
}

TEST_F(DevCaTest, NothingElseIsLeftBehind) {
  RemoveFiles(Issue("alice"));
  const auto files = std::distance(fs::directory_iterator(directory_), fs::directory_iterator());
  EXPECT_EQ(files, 2);  // the CA's
}

TEST_F(DevCaTest, MissingCaKeyIsNamed) {
  fs::remove(directory_ / "ca.key");
  const auto issued = IssueClientCertificate(directory_, "alice");
  ASSERT_FALSE(issued.has_value());
  EXPECT_THAT(issued.error(), HasSubstr((directory_ / "ca.key").string()));
}

TEST_F(DevCaTest, KeyOfAnotherCaIsRefused) {
  ASSERT_EQ(OpenSsl("ecparam -genkey -name prime256v1 -noout -out ca.key"), 0);
  EXPECT_FALSE(IssueClientCertificate(directory_, "alice").has_value());
}

}  // namespace
}  // namespace hallmark::cli
