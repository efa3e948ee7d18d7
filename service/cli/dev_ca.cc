#include "service/cli/dev_ca.h"

#include "service/cli/files.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>

namespace hallmark::cli {
namespace {

namespace fs = std::filesystem;

template <auto kFree>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

// A clock that is a little behind ours must not reject a new certificate.
constexpr long kBackdateSeconds = 300;
// Longest common name that X.509 allows.
constexpr std::size_t kMaxCommonName = 64;
constexpr int kMaxNumberedNames = 1000;

std::string OpenSslReason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

struct Authority {
  CertificatePtr certificate;
  KeyPtr key;
};

Result<Authority, std::string> LoadAuthority(const fs::path& tls_directory) {
  const fs::path certificate_file = tls_directory / "ca.pem";
  const fs::path key_file = tls_directory / "ca.key";
  const auto trouble = [](const fs::path& file) {
    return Unexpected("cannot use '" + file.string() + "' of the development CA: " +
                      OpenSslReason() + ": deploy/quickstart makes one");
  };
  Authority authority;
  const BioPtr certificate(BIO_new_file(certificate_file.c_str(), "r"));
  if (certificate) {
    authority.certificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
  }
  if (!authority.certificate) return trouble(certificate_file);
  const BioPtr key(BIO_new_file(key_file.c_str(), "r"));
  if (key) authority.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  if (!authority.key ||
      X509_check_private_key(authority.certificate.get(), authority.key.get()) != 1) {
    return trouble(key_file);
  }
  return authority;
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool SetRandomSerial(X509* certificate) {
  // 127 bits: positive, and never the same twice.
  const BignumPtr serial(BN_new());
  return serial != nullptr &&
         BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetCommonName(X509* certificate, const std::string& name) {
  const std::string label = name.substr(0, kMaxCommonName);
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(label.data()),
                                    static_cast<int>(label.size()), -1, 0) == 1;
}

CertificatePtr Sign(const Authority& authority, EVP_PKEY* key, const std::string& name) {
  CertificatePtr certificate(X509_new());
  X509* c = certificate.get();
  X509* issuer = authority.certificate.get();
  constexpr int kDays = static_cast<int>(kClientCertificateLifetime.count());
  const bool signed_now = c != nullptr && X509_set_version(c, X509_VERSION_3) == 1 &&
                          SetRandomSerial(c) && SetCommonName(c, name) &&
                          X509_set_issuer_name(c, X509_get_subject_name(issuer)) == 1 &&
                          X509_gmtime_adj(X509_getm_notBefore(c), -kBackdateSeconds) != nullptr &&
                          X509_time_adj_ex(X509_getm_notAfter(c), kDays, 0, nullptr) != nullptr &&
                          X509_set_pubkey(c, key) == 1 &&
                          AddExtension(c, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                          AddExtension(c, issuer, NID_key_usage, "critical,digitalSignature") &&
                          AddExtension(c, issuer, NID_ext_key_usage, "clientAuth") &&
                          AddExtension(c, issuer, NID_subject_key_identifier, "hash") &&
                          AddExtension(c, issuer, NID_authority_key_identifier, "keyid:always") &&
                          X509_sign(c, authority.key.get(), EVP_sha256()) != 0;
  if (!signed_now) certificate.reset();
  return certificate;
}

enum class Placed { kNew, kNameTaken };

// Writes a file under a hidden name, then links it: it appears complete, and replaces nothing.
Result<Placed, std::string> PlaceFile(const fs::path& path,
                                      const std::function<bool(BIO*)>& write) {
  std::string hidden = (path.parent_path() / ".new-XXXXXX").string();
  const int fd = mkostemp(hidden.data(), O_CLOEXEC);  // 0600
  if (fd < 0) return Unexpected(FileTrouble("write in", path.parent_path()));
  const BioPtr file(BIO_new_fd(fd, BIO_CLOSE));
  const bool written = file != nullptr && write(file.get()) && fsync(fd) == 0;
  const bool linked = written && link(hidden.c_str(), path.c_str()) == 0;
  const int error = errno;
  unlink(hidden.c_str());
  if (linked) return Placed::kNew;
  errno = error;
  if (written && error == EEXIST) return Placed::kNameTaken;
  return Unexpected(FileTrouble("write", path));
}

// Both files under one name, or nothing if the name is taken.
Result<Placed, std::string> PlacePair(const ClientCertificate& files, X509* certificate,
                                      EVP_PKEY* key) {
  HALLMARK_ASSIGN_OR_RETURN(
      const Placed key_placed, PlaceFile(files.private_key_file, [key](BIO* file) {
        return PEM_write_bio_PKCS8PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
      }));
  if (key_placed == Placed::kNameTaken) return key_placed;
  auto certificate_placed = PlaceFile(files.certificate_file, [certificate](BIO* file) {
    return PEM_write_bio_X509(file, certificate) == 1;
  });
  if (!certificate_placed || *certificate_placed == Placed::kNameTaken) {
    unlink(files.private_key_file.c_str());
  }
  return certificate_placed;
}

}  // namespace

Result<ClientCertificate, std::string> IssueClientCertificate(const fs::path& tls_directory,
                                                              const std::string& name) {
  HALLMARK_ASSIGN_OR_RETURN(const Authority authority, LoadAuthority(tls_directory));
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr certificate = key ? Sign(authority, key.get(), name) : nullptr;
  ClientCertificate files;
  static_assert(sizeof(files.fingerprint) == 32, "SHA-256");
  if (!certificate ||
      X509_digest(certificate.get(), EVP_sha256(),
                  reinterpret_cast<unsigned char*>(files.fingerprint.data()), nullptr) != 1) {
    return Unexpected("cannot make a certificate for '" + name + "': " + OpenSslReason());
  }
  for (int number = 1; number <= kMaxNumberedNames; ++number) {
    const std::string stem = number == 1 ? name : name + "-" + std::to_string(number);
    files.certificate_file = tls_directory / (stem + ".pem");
    files.private_key_file = tls_directory / (stem + ".key");
    HALLMARK_ASSIGN_OR_RETURN(const Placed placed, PlacePair(files, certificate.get(), key.get()));
    if (placed == Placed::kNew) return files;
  }
  return Unexpected("too many certificates named '" + name + "' in '" + tls_directory.string() +
                    "': remove those that are not used any more");
}

void RemoveFiles(const ClientCertificate& certificate) {
  std::error_code ignored;
  fs::remove(certificate.certificate_file, ignored);
  fs::remove(certificate.private_key_file, ignored);
}

}  // namespace hallmark::cli
