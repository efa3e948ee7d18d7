#include "service/authn/peer_identity.h"

#include "keystate/bytes.h"
#include "keystate/spiffe_id.h"
#include "service/authn/openssl.h"

#include <openssl/sha.h>

#include <ctime>

namespace hallmark::authn {
namespace {

std::string FormatUtc(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, sizeof "-2147483648-12-31T23:59:59Z"> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

void ReadUriNames(const X509* certificate, PeerCertificate* read) {
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (++read->uri_names > 1) continue;
    const ASN1_IA5STRING* const uri = name->d.uniformResourceIdentifier;
    read->uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                     static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
}

constexpr std::chrono::seconds kRefusalRemembered{5};

Unexpected<Error> Unrecognized(std::string message) {
  return Fail(Exception::kUnrecognizedClientException, std::move(message));
}

}  // namespace

std::optional<PeerCertificate> ReadCertificate(std::string_view pem) {
  const Owned<X509> certificate = NextCertificate(Reader(pem).get());
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
  ReadUriNames(certificate.get(), &read);
  return read;
}

std::optional<PeerCertificate> PeerAuthenticator::Read(std::string_view pem) {
  Shard& shard = ShardOf(pem);
  {
    const MutexLock lock(shard.mu);
    const auto found = shard.known.find(pem);
    if (found != shard.known.end()) return found->second.certificate;
  }
  std::optional<PeerCertificate> read = ReadCertificate(pem);
  if (!read.has_value()) return std::nullopt;
  const MutexLock lock(shard.mu);
  // Starting over is crude, but it bounds the memory and costs one parse per certificate.
  if (shard.known.size() >= kMaxKnownPerShard) shard.known.clear();
  shard.known.emplace(pem, Known{*read});
  return read;
}

std::optional<WallTime> PeerAuthenticator::Vouch(std::string_view trust_domain,
                                                 std::string_view pem,
                                                 const ReadIntermediates& intermediates) {
  const std::shared_ptr<const TrustDomains> domains = domains_.Load();
  const std::string_view chain = intermediates();
  const std::size_t sent = std::hash<std::string_view>()(chain);
  Shard& shard = ShardOf(pem);
  {
    const MutexLock lock(shard.mu);
    const auto found = shard.known.find(pem);
    if (found != shard.known.end() && found->second.asked == domains) {
      const Known& known = found->second;
      if (known.vouched_until && clock_.Now() <= *known.vouched_until) return known.vouched_until;
      // Another connection may send the intermediates that this one lacks.
      if (clock_.SteadyNow() < known.refused_until && known.refused_intermediates == sent) {
        return std::nullopt;
      }
    }
  }
  const auto until = domains->Vouch(trust_domain, pem, chain, clock_.Now());
  const MutexLock lock(shard.mu);
  if (const auto found = shard.known.find(pem); found != shard.known.end()) {
    Known& known = found->second;
    known.asked = domains;
    known.vouched_until = until;
    known.refused_intermediates = sent;
    known.refused_until = until ? SteadyTime{} : clock_.SteadyNow() + kRefusalRemembered;
  }
  return until;
}

Result<PeerIdentity> PeerAuthenticator::RecogniseWorkload(std::string_view pem,
                                                          const PeerCertificate& certificate,
                                                          const ReadIntermediates& intermediates) {
  const Result<SpiffeId> id = SpiffeId::Parse(certificate.uri);
  if (!id) return Unrecognized("The client certificate's " + id.error().message + ".");
  const auto until = Vouch(id->trust_domain(), pem, intermediates);
  if (!until) {
    return Unrecognized("The client certificate of " + id->text() +
                        " was not issued by a CA that is configured for its trust domain.");
  }
  std::shared_ptr<const Principal> principal = principals_.FindBySpiffeId(id->text());
  if (principal == nullptr) return Unrecognized(id->text() + " belongs to no principal.");
  return PeerIdentity{std::move(principal), certificate.fingerprint, id->text(), *until};
}

Result<PeerIdentity> PeerAuthenticator::Authenticate(std::string_view pem,
                                                     const ReadIntermediates& intermediates) {
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
  if (principal == nullptr && certificate->uri.starts_with("spiffe://")) {
    return RecogniseWorkload(pem, *certificate, intermediates);
  }
  if (principal == nullptr) {
    return Unrecognized("The client certificate with SHA-256 fingerprint " +
                        ToHex(certificate->fingerprint) + " belongs to no principal.");
  }
  return PeerIdentity{std::move(principal), certificate->fingerprint, {}, certificate->not_after};
}

}  // namespace hallmark::authn
