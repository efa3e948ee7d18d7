#include "service/authn/peer_identity.h"

#include "keystate/bytes.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

namespace hallmark::authn {
namespace {

struct OpensslDelete {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(unsigned char* der) const { OPENSSL_free(der); }
};
template <class T>
using Owned = std::unique_ptr<T, OpensslDelete>;

std::optional<WallTime> ToWallTime(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&utc)));
}

std::string FormatUtc(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, sizeof "-2147483648-12-31T23:59:59Z"> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::size_t CountUriNames(const X509* certificate) {
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return 0;
  std::size_t count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    if (sk_GENERAL_NAME_value(names.get(), i)->type == GEN_URI) ++count;
  }
  return count;
}

Unexpected<Error> Unrecognized(std::string message) {
  return Fail(Exception::kUnrecognizedClientException, std::move(message));
}

}  // namespace

std::optional<PeerCertificate> ReadCertificate(std::string_view pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) return std::nullopt;
  const Owned<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return std::nullopt;

  unsigned char* encoded = nullptr;
  const int size = i2d_X509(certificate.get(), &encoded);
  if (size <= 0) return std::nullopt;
  const Owned<unsigned char> der(encoded);

  PeerCertificate read;
  SHA256(der.get(), static_cast<std::size_t>(size),
         reinterpret_cast<unsigned char*>(read.fingerprint.data()));
  const std::optional<WallTime> not_before = ToWallTime(X509_get0_notBefore(certificate.get()));
  const std::optional<WallTime> not_after = ToWallTime(X509_get0_notAfter(certificate.get()));
  if (!not_before.has_value() || !not_after.has_value()) return std::nullopt;
  read.not_before = *not_before;
  read.not_after = *not_after;
  read.uri_names = CountUriNames(certificate.get());
  return read;
}

std::optional<PeerCertificate> PeerAuthenticator::Read(std::string_view pem) {
  Shard& shard = shards_[TextHash()(pem) % kShards];
  {
    const MutexLock lock(shard.mu);
    if (const auto found = shard.known.find(pem); found != shard.known.end()) return found->second;
  }
  const std::optional<PeerCertificate> read = ReadCertificate(pem);
  if (!read.has_value()) return std::nullopt;
  const MutexLock lock(shard.mu);
  // Starting over is crude, but it bounds the memory and costs one parse per certificate.
  if (shard.known.size() >= kMaxKnownPerShard) shard.known.clear();
  shard.known.emplace(pem, *read);
  return read;
}

Result<PeerIdentity> PeerAuthenticator::Authenticate(std::string_view pem) {
  if (pem.empty()) return Unrecognized("The connection carries no client certificate.");
  const std::optional<PeerCertificate> certificate = Read(pem);
  if (!certificate.has_value()) return Unrecognized("The client certificate cannot be read.");
  // Two names would leave it to the reader which of them counts.
  if (certificate->uri_names > 1) {
    return Unrecognized("The client certificate has more than one URI subject alternative name.");
  }
  const WallTime now = clock_.Now();
  if (now < certificate->not_before) {
    return Unrecognized("The client certificate is not valid before " +
                        FormatUtc(certificate->not_before) + ".");
  }
  if (now > certificate->not_after) {
    return Unrecognized("The client certificate expired at " + FormatUtc(certificate->not_after) +
                        ".");
  }
  std::shared_ptr<const Principal> principal =
      principals_.FindByFingerprint(certificate->fingerprint);
  if (principal == nullptr) {
    return Unrecognized("The client certificate with SHA-256 fingerprint " +
                        ToHex(certificate->fingerprint) + " belongs to no principal.");
  }
  return PeerIdentity{std::move(principal), certificate->fingerprint, certificate->not_after};
}

}  // namespace hallmark::authn
