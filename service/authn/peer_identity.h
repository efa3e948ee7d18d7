// Who is calling, told by the client certificate of the connection.
#pragma once

#include "keystate/clock.h"
#include "keystate/mutex.h"
#include "keystate/principal_directory.h"
#include "keystate/records.h"
#include "keystate/result.h"
#include "keystate/snapshot.h"
#include "service/authn/trust_domains.h"

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hallmark::authn {

// What matters of a certificate. Never its CN or DNS names: those are what a CA's clerk typed.
struct PeerCertificate {
  CertificateFingerprint fingerprint{};
  WallTime not_before{};
  WallTime not_after{};
  std::size_t uri_names = 0;
  std::string uri;  // the first of them
};

// Nothing if `pem` is not one readable certificate.
std::optional<PeerCertificate> ReadCertificate(std::string_view pem);

struct PeerIdentity {
  std::shared_ptr<const Principal> principal;
  CertificateFingerprint fingerprint{};
  // By which the principal was found; empty: by the fingerprint.
  std::string spiffe_id;
  // When the certificate ends, or whoever vouches for it.
  WallTime expiry{};
};

// What the client sent beside its certificate, PEM; asked for only where it matters.
using ReadIntermediates = std::function<std::string_view()>;

// Recognises callers: by the fingerprint of the certificate, or by the SPIFFE id in it, if the CA
// of its own trust domain issued it. That some CA that we trust issued it is TLS's part, done
// before.
//
// Thread-safety: every method may be called from any thread.
class PeerAuthenticator {
 public:
  // Both outlive the authenticator.
  PeerAuthenticator(const PrincipalDirectory& principals, const Clock& clock)
      : principals_(principals), clock_(clock) {}

  // From now on, on open connections too.
  void SetTrustDomains(std::shared_ptr<const TrustDomains> domains) {
    domains_.Publish(std::move(domains));
  }

  // Looks up validity and principal at every call, so that removal, rotation and expiry bite on
  // open connections too.
  //
  // Errors: UnrecognizedClientException that says what is wrong with the certificate.
  Result<PeerIdentity> Authenticate(std::string_view pem, const ReadIntermediates& intermediates);

 private:
  // What certificates say never changes, so reading one is remembered by its text: a connection
  // shows the same one thousands of times a second.
  struct TextHash {
    using is_transparent = void;
    // The end of the text is signature: as good as random, so there is no need to hash all of it.
    std::size_t operator()(std::string_view text) const noexcept {
      constexpr std::size_t kTail = 128;
      return std::hash<std::string_view>()(
          text.substr(text.size() < kTail ? 0 : text.size() - kTail));
    }
  };
  struct Known {
    PeerCertificate certificate;
    // What these trust domains said of it, if they were asked.
    std::shared_ptr<const TrustDomains> asked{};
    std::optional<WallTime> vouched_until{};
    // A no, for these intermediates and for a while: signatures are not checked for each call of a
    // stranger.
    std::size_t refused_intermediates = 0;
    SteadyTime refused_until{};
  };
  struct Shard {
    Mutex mu;
    std::unordered_map<std::string, Known, TextHash, std::equal_to<>> known HALLMARK_GUARDED_BY(mu);
  };
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kMaxKnownPerShard = 256;

  Shard& ShardOf(std::string_view pem) { return shards_[TextHash()(pem) % kShards]; }
  std::optional<PeerCertificate> Read(std::string_view pem);
  Result<PeerIdentity> RecogniseWorkload(std::string_view pem, const PeerCertificate& certificate,
                                         const ReadIntermediates& intermediates);
  std::optional<WallTime> Vouch(std::string_view trust_domain, std::string_view pem,
                                const ReadIntermediates& intermediates);

  const PrincipalDirectory& principals_;
  const Clock& clock_;
  Snapshot<TrustDomains> domains_{std::make_shared<const TrustDomains>()};
  std::array<Shard, kShards> shards_;
};

}  // namespace hallmark::authn
