#include "service/grpc/tls.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace hallmark::grpc_front {
namespace {

struct OpensslDelete {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, OpensslDelete>;

Unexpected<std::string> Refuse(const std::filesystem::path& file, const std::string& rest) {
  return Unexpected<std::string>(file.string() + ": " + rest);
}

Result<std::string, std::string> ReadFile(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Refuse(file, std::string("cannot be read: ") + std::strerror(errno) +
                            "; check the path under [tls] and its permissions");
  }
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || text.empty()) {
    return Refuse(file, "is empty or not a file; put PEM text there");
  }
  return text;
}

Owned<BIO> Reader(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<X509> FirstCertificate(const std::string& pem) {
  const Owned<BIO> bio = Reader(pem);
  return Owned<X509>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Owned<EVP_PKEY> PrivateKey(const std::string& pem) {
  const Owned<BIO> bio = Reader(pem);
  // An encrypted key fails here instead of asking a terminal that a daemon does not have.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
}

Result<void, std::string> CheckPrivate(const std::filesystem::path& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) {
    return Refuse(file, std::string("cannot be read: ") + std::strerror(errno) +
                            "; check the path under [tls]");
  }
  // A group may read: that is how distributions hand keys to services (ssl-cert). Nobody else.
  constexpr mode_t kForbidden = S_IWGRP | S_IXGRP | S_IRWXO;
  if ((info.st_mode & kForbidden) != 0) {
    return Refuse(file, "the private key is open to other users; run: chmod 600 " + file.string());
  }
  return {};
}

}  // namespace

void RestrictTlsToVersion13() {
  // OpenSSL accepts the name, but a server without a pre-shared-key callback never agrees on it.
  // The suites of TLS 1.3 are another list, which gRPC does not touch.
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", /*replace=*/1);
}

Result<std::shared_ptr<grpc::ServerCredentials>, std::string> MakeServerCredentials(
    const TlsFiles& files) {
  HALLMARK_RETURN_IF_ERROR(CheckPrivate(files.private_key));
  HALLMARK_ASSIGN_OR_RETURN(std::string certificate_pem, ReadFile(files.certificate));
  HALLMARK_ASSIGN_OR_RETURN(std::string key_pem, ReadFile(files.private_key));
  HALLMARK_ASSIGN_OR_RETURN(std::string ca_pem, ReadFile(files.client_ca));

  const Owned<X509> certificate = FirstCertificate(certificate_pem);
  const Owned<EVP_PKEY> key = PrivateKey(key_pem);
  const Owned<X509> ca = FirstCertificate(ca_pem);
  const bool match = certificate != nullptr && key != nullptr &&
                     X509_check_private_key(certificate.get(), key.get()) == 1;
  // OpenSSL keeps its errors per thread; left there they would be blamed on a later call.
  ERR_clear_error();

  if (certificate == nullptr) {
    return Refuse(files.certificate,
                  "holds no PEM certificate; put the server's certificate there");
  }
  if (key == nullptr) {
    return Refuse(files.private_key,
                  "holds no PEM private key without a passphrase; put the server's key there");
  }
  if (ca == nullptr) {
    return Refuse(files.client_ca,
                  "holds no PEM certificate; put the CA that issues client certificates there");
  }
  if (!match) {
    return Refuse(files.private_key, "does not belong to the certificate in " +
                                         files.certificate.string() +
                                         "; replace both files as a pair");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return Refuse(files.certificate, "the server certificate has expired; issue a new one");
  }

  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = std::move(ca_pem);
  options.pem_key_cert_pairs.push_back({std::move(key_pem), std::move(certificate_pem)});
  return grpc::SslServerCredentials(options);
}

}  // namespace hallmark::grpc_front
