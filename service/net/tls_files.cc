#include "service/net/tls_files.h"

#include "keystate/spiffe_id.h"
#include "service/net/listener.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace hallmark::net {
namespace {

struct OpensslDelete {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(char* text) const { OPENSSL_free(text); }
};
template <class T>
using Owned = std::unique_ptr<T, OpensslDelete>;

Unexpected<std::string> Refuse(const std::filesystem::path& file, const std::string& rest) {
  return Unexpected<std::string>(file.string() + ": " + rest);
}

// Certificates with all their intermediates stay far below it.
constexpr off_t kMaxFileBytes = 1024 * 1024;

Result<std::string, std::string> ReadFile(const std::filesystem::path& file) {
  // A pipe that nobody writes to would hold up the open otherwise.
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return Refuse(file, std::string("cannot be read: ") + std::strerror(errno) +
                            "; check the path under [tls] and its permissions");
  }
  if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size > kMaxFileBytes) {
    return Refuse(file, "is empty, not a file or larger than 1 MiB; put PEM text there");
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Refuse(file, "cannot be read to its end; write it anew");
    size += static_cast<std::size_t>(got);
  }
  return text;
}

Owned<BIO> Reader(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Every certificate of the text, in its order. gRPC would leave out a damaged one and all that
// follow, and say nothing.
Result<std::vector<Owned<X509>>, std::string> Certificates(const std::filesystem::path& file,
                                                           const std::string& pem,
                                                           const char* wanted) {
  std::vector<Owned<X509>> certificates;
  const Owned<BIO> bio = Reader(pem);
  ERR_clear_error();
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  const unsigned long reason = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end =
      ERR_GET_LIB(reason) == ERR_LIB_PEM && ERR_GET_REASON(reason) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return Refuse(file, "certificate " + std::to_string(certificates.size() + 1) +
                            " in it is damaged; write the file anew");
  }
  if (certificates.empty()) {
    return Refuse(file, std::string("holds no PEM certificate; put ") + wanted + " there");
  }
  return certificates;
}

Owned<EVP_PKEY> PrivateKey(const std::string& pem) {
  const Owned<BIO> bio = Reader(pem);
  // An encrypted key fails here instead of asking a terminal that a daemon does not have.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
}

bool HasBegun(const X509* certificate) {
  return X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
}
bool HasEnded(const X509* certificate) {
  return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

std::string SerialOf(const X509* certificate) {
  const Owned<BIGNUM> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), /*bn=*/nullptr));
  const Owned<char> hex(BN_bn2hex(number.get()));
  return hex.get();
}

std::string ExpiryOf(const X509* certificate) {
  std::tm time{};
  std::array<char, 32> text{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &time)};
}

// What OpenSSL itself has against serving with the pair: a key that is too short, for one. Empty:
// nothing.
std::string RefusalOfOpenssl(const std::vector<Owned<X509>>& chain, EVP_PKEY* key) {
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  bool accepted = context != nullptr &&
                  SSL_CTX_use_certificate(context.get(), chain.front().get()) == 1 &&
                  SSL_CTX_use_PrivateKey(context.get(), key) == 1;
  for (std::size_t i = 1; i < chain.size() && accepted; ++i) {
    accepted = SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) == 1;
  }
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  if (accepted) return {};
  return reason == nullptr ? "no reason given" : reason;
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

// Whether any of them is valid now: one that is over may stay beside its successor.
bool AnyIsValid(const std::vector<Owned<X509>>& authorities) {
  return std::any_of(authorities.begin(), authorities.end(), [](const Owned<X509>& authority) {
    return HasBegun(authority.get()) && !HasEnded(authority.get());
  });
}

struct TrustBundles {
  decltype(TlsMaterial::trust_domains) by_name;
  std::vector<std::string> over;
};

// "example.org.pem" has the CAs of example.org. Other files are somebody else's business. A CA that
// is over shuts out its own workloads, and must not keep everybody else from being served.
Result<TrustBundles, std::string> ReadTrustDomains(const std::filesystem::path& folder) {
  TrustBundles bundles;
  if (folder.empty()) return bundles;
  std::error_code failure;
  for (std::filesystem::directory_iterator next(folder, failure), end; !failure && next != end;
       next.increment(failure)) {
    const std::filesystem::path& file = next->path();
    if (file.extension() != ".pem") continue;
    const std::string name = file.stem().string();
    if (!SpiffeId::IsTrustDomain(name)) {
      return Refuse(file, "is not named after a SPIFFE trust domain; call it example.org.pem");
    }
    HALLMARK_ASSIGN_OR_RETURN(std::string pem, ReadFile(file));
    HALLMARK_ASSIGN_OR_RETURN(const std::vector<Owned<X509>> authorities,
                              Certificates(file, pem, "the CA of the trust domain"));
    if (!AnyIsValid(authorities)) bundles.over.push_back(name);
    bundles.by_name.emplace(name, std::move(pem));
  }
  if (failure) {
    return Refuse(folder, "cannot be read: " + failure.message() +
                              "; check tls.trust_domains and its permissions");
  }
  return bundles;
}

}  // namespace

Result<TlsMaterial, std::string> ReadTlsFiles(const TlsFiles& files) {
  HALLMARK_RETURN_IF_ERROR(CheckPrivate(files.private_key));
  HALLMARK_ASSIGN_OR_RETURN(std::string certificate_pem, ReadFile(files.certificate));
  HALLMARK_ASSIGN_OR_RETURN(std::string key_pem, ReadFile(files.private_key));
  HALLMARK_ASSIGN_OR_RETURN(std::string ca_pem, ReadFile(files.client_ca));

  HALLMARK_ASSIGN_OR_RETURN(
      const std::vector<Owned<X509>> chain,
      Certificates(files.certificate, certificate_pem, "the server's certificate"));
  const Owned<EVP_PKEY> key = PrivateKey(key_pem);
  const X509* const certificate = chain.front().get();
  const bool match = key != nullptr && X509_check_private_key(certificate, key.get()) == 1;
  // OpenSSL keeps its errors per thread; left there they would be blamed on a later call.
  ERR_clear_error();

  if (key == nullptr) {
    return Refuse(files.private_key,
                  "holds no PEM private key without a passphrase; put the server's key there");
  }
  if (!match) {
    return Refuse(files.private_key, "does not belong to the certificate in " +
                                         files.certificate.string() +
                                         "; replace both files as a pair");
  }
  if (HasEnded(certificate)) {
    return Refuse(files.certificate, "the server certificate has expired; issue a new one");
  }
  if (!HasBegun(certificate)) {
    return Refuse(files.certificate,
                  "the server certificate is not valid yet; wait, or correct this machine's clock");
  }
  if (const std::string reason = RefusalOfOpenssl(chain, key.get()); !reason.empty()) {
    return Refuse(files.certificate,
                  "OpenSSL does not serve with it: " + reason + "; issue another certificate");
  }

  HALLMARK_ASSIGN_OR_RETURN(
      const std::vector<Owned<X509>> authorities,
      Certificates(files.client_ca, ca_pem, "the CA that issues client certificates"));
  if (!AnyIsValid(authorities)) {
    return Refuse(files.client_ca,
                  "no certificate in it is valid now, so every client would be refused; put the "
                  "current CA there");
  }
  HALLMARK_ASSIGN_OR_RETURN(TrustBundles domains, ReadTrustDomains(files.trust_domains));
  for (const auto& [name, pem] : domains.by_name) ca_pem.append("\n").append(pem);
  return TlsMaterial{std::move(certificate_pem), std::move(key_pem),    std::move(ca_pem),
                     SerialOf(certificate),      ExpiryOf(certificate), std::move(domains.by_name),
                     std::move(domains.over)};
}

}  // namespace hallmark::net
