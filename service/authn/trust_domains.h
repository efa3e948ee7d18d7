// SPIFFE trust domains, and the CAs that may speak for each of them.
#pragma once

#include "keystate/clock.h"
#include "keystate/result.h"

#include <openssl/x509.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hallmark::authn {

// A CA of one trust domain says nothing about workloads of another, whoever else is trusted for
// TLS.
//
// Immutable. Thread-safety: every method may be called from any thread.
class TrustDomains {
 public:
  // Name of a trust domain → its CA certificates, PEM.
  using Bundles = std::map<std::string, std::string, std::less<>>;

  TrustDomains() = default;
  // Errors: one line that names the trust domain and what is wrong with its bundle.
  static Result<TrustDomains, std::string> Of(const Bundles& bundles);

  bool Knows(std::string_view trust_domain) const { return stores_.contains(trust_domain); }

  // Until when the trust domain vouches for the certificate: the end of whichever certificate
  // between it and the CA, both included, ends first. Nothing: it does not. `intermediates` is what
  // the client sent beside its certificate, PEM.
  std::optional<WallTime> Vouch(std::string_view trust_domain, std::string_view certificate,
                                std::string_view intermediates, WallTime now) const;

 private:
  struct Free {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  };
  std::map<std::string, std::unique_ptr<X509_STORE, Free>, std::less<>> stores_;
};

}  // namespace hallmark::authn
